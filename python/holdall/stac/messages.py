"""Messages about what happens to assets.

For each asset: `StartAssetDownload`, `OpenUrl`, `WriteChunk` as bytes are written, then `FinishAssetDownload` or
`ErrorAssetDownload`; `SkipAssetDownload` stands alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yarl import URL

__all__ = [
    "ErrorAssetDownload",
    "FinishAssetDownload",
    "Message",
    "OpenUrl",
    "SkipAssetDownload",
    "StartAssetDownload",
    "WriteChunk",
]


@dataclass
class Message:
    """A message about downloading."""


@dataclass
class StartAssetDownload(Message):
    """Sent when an asset starts downloading."""

    key: str
    """The asset key."""

    owner_id: str | None
    """The owner id."""

    href: str
    """The asset href."""

    path: Path
    """The local path that the asset is being downloaded to."""


@dataclass
class ErrorAssetDownload(Message):
    """Sent when an asset errors while downloading."""

    key: str
    """The asset key."""

    href: str
    """The asset href."""

    path: Path
    """The local path that the asset is being downloaded to."""

    error: Exception
    """The error."""


@dataclass
class SkipAssetDownload(Message):
    """Sent when an asset is skipped while downloading."""

    key: str
    """The asset key."""

    path: Path
    """The local path that the asset is being downloaded to."""


@dataclass
class FinishAssetDownload(Message):
    """Sent when an asset finishes downloading."""

    key: str
    """The asset key."""

    href: str
    """The asset href."""

    path: Path
    """The local path that the asset is being downloaded to."""


@dataclass
class WriteChunk(Message):
    """Sent when a chunk is written to disk."""

    href: str
    """The asset href."""

    path: Path
    """The local path that the asset is being downloaded to."""

    size: int
    """The number of bytes written; negative when a transfer begins anew."""


@dataclass
class OpenUrl(Message):
    """Sent when a url is first opened."""

    url: URL
    """The URL"""

    size: int | None
    """The file size."""
