"""Content that is read with several requests side by side."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Generator
from multiprocessing import shared_memory
from typing import TYPE_CHECKING

from ...._holdall import _ais_read_parallel, _ais_stream_parallel
from ... import const
from .base import BaseContentIterProvider, StreamBounds
from .buffer import ParallelBuffer

if TYPE_CHECKING:
    from ...._holdall import _AisRanges
    from ..object_client import ObjectClient


class ParallelContentIterProvider(BaseContentIterProvider):
    """Reads ranges side by side, all of one version of the object.

    Args:
        client: asks for the object.
        chunk_size: bytes of a range; None takes the chunks that the object was written in, or 8 MiB.
        num_workers: ranges that are read at a time.

    Raises:
        ValueError: the object is empty.
    """

    def __init__(self, client: ObjectClient, chunk_size: int | None, num_workers: int) -> None:
        attributes = client.head(const.PROPS_CHUNKED)
        self._object_size = attributes.size
        if self._object_size <= 0:
            raise ValueError(
                f"Parallel download requires a non-empty object (got size={self._object_size})."
            )
        if not chunk_size or chunk_size <= 0:
            chunks = attributes.chunks
            chunk_size = chunks.max_chunk_size if chunks else 0
        super().__init__(client, chunk_size or const.DEFAULT_PARALLEL_CHUNK_SIZE)
        self._num_workers = num_workers

    @property
    def num_workers(self) -> int:
        """Ranges that are read at a time."""
        return self._num_workers

    def read_all(self) -> ParallelBuffer:
        size = self._object_size
        shared = shared_memory.SharedMemory(create=True, size=size)
        into = ParallelBuffer(shared, size)
        try:
            client = self._client
            _ais_read_parallel(
                client.request_client.native,
                client.path,
                client._request_params,
                client._request_headers,
                client._target(),
                into.buf,
                _file_of(shared),
                self._chunk_size,
                self._num_workers,
            )
        except BaseException:
            into.close()
            raise
        return into

    def create_iter(
        self, offset: int = 0, bounds: StreamBounds | None = None
    ) -> Generator[bytes, None, None]:
        if bounds is not None:
            bounds.start, bounds.expected_end = offset, self._object_size
        if offset >= self._object_size:
            return
        stream = self._stream(offset)
        try:
            while (piece := stream.piece()) is not None:
                yield piece
        finally:
            stream.close()

    async def create_iter_async(
        self, offset: int = 0, bounds: StreamBounds | None = None
    ) -> AsyncIterator[bytes]:
        """As `create_iter`, asynchronously."""
        if bounds is not None:
            bounds.start, bounds.expected_end = offset, self._object_size
        if offset >= self._object_size:
            return
        stream = self._stream(offset)
        try:
            while (piece := await stream.piece_async()) is not None:
                yield piece
        finally:
            stream.close()

    def _stream(self, offset: int) -> _AisRanges:
        client = self._client
        return _ais_stream_parallel(
            client.request_client.native,
            client.path,
            client._request_params,
            client._request_headers,
            client._target(),
            offset,
            self._object_size,
            self._chunk_size,
            self._num_workers,
        )


def _file_of(shared: shared_memory.SharedMemory) -> int | None:
    """The descriptor behind the memory, where that can be written to like a file."""
    return getattr(shared, "_fd", None) if sys.platform == "linux" else None
