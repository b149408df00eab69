"""The client for local files."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

from .client import _NativeClient

__all__ = ["FilesystemClient"]


class FilesystemClient(_NativeClient):
    """A simple client for moving files around on the filesystem."""

    name = "filesystem"

    async def assert_href_exists(self, href: str) -> None:
        """Assert that an href exists.

        Raises:
            ValueError: it does not
        """
        path = unquote(urlsplit(href).path) if href.startswith("file:") else href
        if not os.path.exists(path):
            raise ValueError(f"href does not exist on the filesystem: {href}")
