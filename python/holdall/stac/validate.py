"""Checks of what servers send."""

from __future__ import annotations

from holdall._holdall import stac_check_media_type

__all__ = ["content_type"]


def content_type(actual: str, expected: str) -> None:
    """Validate that the actual content type matches the expected.

    This is normally a simple string comparison, but has some extra rules:

    * COGs are allowed in place of TIFFs, and vice versa
    * ``text/xml`` and ``application/xml`` are the same
    * Responses with ``binary/octet-stream`` and ``application/octet-stream`` are always allowed
    * Letter case and parameters that the asset does not ask for do not count

    Args:
        actual: The actual content type
        expected: The expected content type

    Raises:
        ContentTypeError: Raised if the actual doesn't match the expected.
    """
    stac_check_media_type(actual, expected)
