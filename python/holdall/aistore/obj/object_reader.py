"""Reading an object."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING, Any

from .. import const
from .._earlier import warn
from .._twin import Steps, inner, twin
from .content_iterator import ContentIterProvider, ParallelContentIterProvider
from .object_attributes import ObjectAttributes

if TYPE_CHECKING:
    from ..._holdall import Bytes
    from .._response import RawStream, Response
    from .content_iterator import ParallelBuffer
    from .obj_file.object_file import ObjectFileReader
    from .object_client import ObjectClient


class ObjectReader:
    """Reads an object: whole, in pieces, or as a file.

    Args:
        object_client: asks for the object.
        chunk_size: bytes of a piece.
        num_workers: ranges that are read at a time; None reads with one request.
    """

    def __init__(
        self,
        object_client: ObjectClient,
        chunk_size: int | None = None,
        num_workers: int | None = None,
    ) -> None:
        if chunk_size is not None and chunk_size < 0:
            raise ValueError(f"`chunk_size` must not be negative: {chunk_size}")
        self._object_client = object_client
        self._chunk_size = chunk_size
        self._num_workers = num_workers
        self._attributes: ObjectAttributes | None = None
        self._provider: Any = None
        if num_workers:
            self._provider = ParallelContentIterProvider(object_client, chunk_size, num_workers)

    @property
    def _content_provider(self) -> Any:
        if self._provider is None:
            size = self._chunk_size or const.DEFAULT_CHUNK_SIZE
            self._provider = ContentIterProvider(self._object_client, size)
        return self._provider

    @twin
    def head(self) -> Steps[ObjectAttributes]:
        """Ask for what the server tells of the object."""
        self._attributes = yield from inner(self._object_client.head)
        return self._attributes

    head_async = head.later()

    @property
    def attributes(self) -> ObjectAttributes:
        """What the server told of the object; it is asked when it has not told yet."""
        return self._attributes or self.head()

    def _got(self, response: Response) -> Response:
        self._attributes = ObjectAttributes(response.headers)
        return response

    def read_all(self) -> bytes | ParallelBuffer:
        """The whole content; of a reader with `num_workers`, in shared memory (close it)."""
        if self._num_workers:
            return self._content_provider.read_all()
        return self._object_client.read_all()

    async def read_all_async(self) -> bytes:
        """As `read_all`, to be awaited; `bytes` in any case."""
        if self._num_workers:
            return b"".join([piece async for piece in self])
        return await self._content_provider.read_all_async()

    def read_buffer(self) -> Bytes:
        """The whole content as a buffer that was not copied: for ``memoryview``, NumPy and the like."""
        return self._object_client.get(stream=True)._reply.read_buffer()

    async def read_buffer_async(self) -> Bytes:
        """As `read_buffer`, to be awaited."""
        response = await self._object_client.get_async(stream=True)
        return await response._reply.read_buffer_async()

    def readinto(self, buffer: Any) -> int:
        """Read the whole content into memory of the caller's, which has room for it; the number of bytes.

        Raises:
            ValueError: there is no room.
        """
        return self._object_client.get(stream=True)._reply.read_into(buffer)

    async def readinto_async(self, buffer: Any) -> int:
        """As `readinto`, to be awaited; a task that is cancelled writes no more.

        Raises:
            ValueError: there is no room.
        """
        room = memoryview(buffer).cast("B")
        response = await self._object_client.get_async(stream=True)
        at = 0
        async for piece in response.aiter_content():
            if at + len(piece) > len(room):
                response.close()
                raise ValueError(f"the content is longer than the buffer of {len(room)} bytes")
            room[at : at + len(piece)] = piece
            at += len(piece)
        return at

    def raw(self) -> RawStream:
        """The content as it comes, with ``read(n)`` and iteration; it is not continued when it breaks off."""
        return self._got(self._object_client.get(stream=True)).raw

    def as_file(
        self, buffer_size: int | None = None, max_resume: int | None = 5
    ) -> ObjectFileReader:
        """The content as a file to read from its beginning to its end.

        Args:
            buffer_size: bytes that are asked of the stream at a time.
            max_resume: how often a stream that breaks off is continued.

        Raises:
            ValueError: `max_resume` is negative.
        """
        if max_resume is None or max_resume < 0:
            raise ValueError(f"Invalid max_resume (must be a non-negative integer): {max_resume}.")
        from .obj_file.object_file import ObjectFileReader

        provider = self._content_provider
        if buffer_size and not self._num_workers:
            provider = ContentIterProvider(self._object_client, buffer_size)
        return ObjectFileReader(provider, max_resume=max_resume)

    def iter_from_position(self, start_position: int = 0) -> Iterator[bytes]:
        """The content in pieces from a byte on. Deprecated: give `get_reader` a ``byte_range``."""
        warn("ObjectReader.iter_from_position", "get_reader(byte_range='bytes=N-')")
        return self._content_provider.create_iter(offset=start_position)

    def __iter__(self) -> Generator[bytes, None, None]:
        """The content in pieces of the chunk size."""
        return self._content_provider.create_iter()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._content_provider.create_iter_async()
