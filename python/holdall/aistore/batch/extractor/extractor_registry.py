"""Which class knows which format."""

from __future__ import annotations

from .archive_stream_extractor import ArchiveStreamExtractor
from .tar_stream_extractor import TarStreamExtractor
from .zip_stream_extractor import ZipStreamExtractor

_BY_FORMAT: dict[str, ArchiveStreamExtractor] = {
    extension: extractor
    for extractor in (TarStreamExtractor(), ZipStreamExtractor())
    for extension in extractor.get_supported_formats()
}


def get_extractor(output_format: str) -> ArchiveStreamExtractor:
    """What takes archives of the format apart, which is named by its extension in any case of letters.

    Raises:
        ValueError: When nothing does.
    """
    extractor = _BY_FORMAT.get(output_format.lower()) if output_format is not None else None
    if extractor is None:
        raise ValueError(f"Unsupported output format type {output_format}")
    return extractor
