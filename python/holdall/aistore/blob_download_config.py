"""How a large remote object is fetched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class BlobDownloadConfig:
    """Fetch a remote object in chunks.

    Attributes:
        chunk_size: bytes of a chunk, as text: ``"1mb"``, ``"1MiB"``, ``"3m"``, ``"1048576"``.
        num_workers: chunks that are fetched at a time, as text.
    """

    chunk_size: str | None = None
    num_workers: str | None = None
