"""Starts and stops the real services that the tests talk to. Standard library only."""
