"""Content that is read with one request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import TYPE_CHECKING

from ... import const
from ..._earlier import warn
from ..._response import Response
from .base import BaseContentIterProvider, StreamBounds

if TYPE_CHECKING:
    from ..object_client import ObjectClient


class ContentIterProvider(BaseContentIterProvider):
    """Reads with one request.

    Args:
        client: asks for the object.
        chunk_size: bytes of a piece.
    """

    def __init__(self, client: ObjectClient, chunk_size: int = const.DEFAULT_CHUNK_SIZE) -> None:
        super().__init__(client, chunk_size)

    def read_all(self) -> bytes:
        return self._client.get(stream=False).content

    async def read_all_async(self) -> bytes:
        """As `read_all`, to be awaited."""
        return (await self._client.get_async(stream=False)).content

    @staticmethod
    def _tell(response: Response, offset: int, bounds: StreamBounds | None) -> None:
        if bounds is None:
            return
        is_part = response.status_code == const.STATUS_PARTIAL_CONTENT
        bounds.start = offset if is_part else 0
        length = response.headers.get(const.HEADER_CONTENT_LENGTH)
        bounds.expected_end = bounds.start + int(length) if length is not None else None

    def create_iter(
        self, offset: int = 0, bounds: StreamBounds | None = None
    ) -> Generator[bytes, None, None]:
        response = self._client.get(stream=True, offset=offset)
        self._tell(response, offset, bounds)
        try:
            yield from response.iter_content(chunk_size=self._chunk_size)
        finally:
            response.close()

    async def create_iter_async(
        self, offset: int = 0, bounds: StreamBounds | None = None
    ) -> AsyncIterator[bytes]:
        """As `create_iter`, asynchronously."""
        response = await self._client.get_async(stream=True, offset=offset)
        self._tell(response, offset, bounds)
        try:
            async for piece in response.aiter_content(self._chunk_size):
                yield piece
        finally:
            response.close()


class ContentIterator(ContentIterProvider):
    """The name in 1.10."""

    def iter_from_position(self, start_position: int = 0) -> Generator[bytes, None, None]:
        """Iterate over the content from a byte on."""
        warn("ContentIterator.iter_from_position", "ContentIterProvider.create_iter")
        return self.create_iter(start_position)
