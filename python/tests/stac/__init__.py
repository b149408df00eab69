"""Tests of `holdall.stac`."""
