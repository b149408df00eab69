"""Strategies: how files are called, and what becomes of assets that failed."""

from __future__ import annotations

from enum import Enum

__all__ = ["ErrorStrategy", "FileNameStrategy"]


class FileNameStrategy(Enum):
    """Strategy to use for naming files."""

    FILE_NAME = 1
    """Save the asset with the file name in its href.

    Two assets of one item with the same file name are refused.
    """

    KEY = 2
    """Save the asset with its key as its file name, and the extension of its href."""


class ErrorStrategy(Enum):
    """Strategy to use when encountering errors during download."""

    KEEP = 1
    """Keep the asset on the item with its original href."""

    DELETE = 2
    """Delete the asset from the item."""
