"""Zips."""

from __future__ import annotations

from typing import ClassVar

from ...const import EXT_ZIP
from .archive_stream_extractor import ArchiveStreamExtractor


class ZipStreamExtractor(ArchiveStreamExtractor):
    """Takes ``.zip`` apart, once it is there: a zip has its directory at the end."""

    _supported_fmts: ClassVar[tuple[str, ...]] = (EXT_ZIP,)
    _kind = "zip"
