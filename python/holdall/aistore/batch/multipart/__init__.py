"""Replies of several parts, ``multipart/mixed``."""
