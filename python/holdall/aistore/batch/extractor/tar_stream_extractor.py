"""Tars, compressed or not."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

from ...const import EXT_TAR, EXT_TARGZ, EXT_TGZ
from ..types import MossOut, MossReq, MossResp
from .archive_stream_extractor import BUFFER_BYTES, ArchiveStreamExtractor


class TarStreamExtractor(ArchiveStreamExtractor):
    """Takes ``.tar``, ``.tgz``, ``.tar.gz`` and ``.tar.lz4`` apart as they come."""

    _supported_fmts: ClassVar[tuple[str, ...]] = (EXT_TARGZ, EXT_TGZ, EXT_TAR, ".tar.lz4")
    _kind = "tar"

    def extract(
        self,
        response: Any,
        data_stream: Any,
        moss_req: MossReq,
        moss_resp: MossResp | None = None,
        *,
        buffer_size: int = BUFFER_BYTES,
    ) -> Generator[tuple[MossOut, bytes], None, None]:
        """As that of all formats; ``buffer_size`` bytes are asked for at once."""
        if isinstance(buffer_size, bool) or not isinstance(buffer_size, int) or buffer_size <= 0:
            raise ValueError("buffer_size must be a positive integer")
        return self._pairs(response, data_stream, moss_req, moss_resp, buffer_size)
