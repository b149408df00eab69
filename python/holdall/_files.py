"""Objects as files."""

from __future__ import annotations

import io
import os
import warnings

from . import _holdall
from ._foreign import as_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from typing import Any

    from ._types import Attributes, Buffer

__all__ = [
    "AsyncReadableFile",
    "AsyncWritableFile",
    "ReadableFile",
    "WritableFile",
    "open",
    "open_async",
    "open_reader",
    "open_reader_async",
    "open_writer",
    "open_writer_async",
]


_LINES_BYTES = 32 * 1024
"""How much is split into lines at once."""


def _count(size: int | None) -> int:
    return -1 if size is None else size


class ReadBytes(bytes):
    """What reading a file returns: `bytes`, with the one method that obstore's results have beyond them."""

    __slots__ = ()

    def to_bytes(self) -> bytes:
        """Return the same as plain `bytes`."""
        return bytes(self)


class ReadableFile(io.BufferedIOBase):
    """An object opened for reading: seekable, buffered, read ahead of sequential readers.

    All reads are of one version of the object: when it changes meanwhile, `PreconditionError` is raised.
    """

    mode = "rb"

    def __init__(self, reader: _holdall.Reader) -> None:
        self._reader = reader
        # Lines that have been taken from the reader and not been asked for yet, the next one last.
        self._lines: list[ReadBytes] = []

    @property
    def size(self) -> int:
        """Length of the object in bytes."""
        return self._reader.size

    @property
    def name(self) -> str:
        """The URL of the object, without credentials."""
        return self._reader.url

    @property
    def e_tag(self) -> str | None:
        """The tag of the version that is read; None where it is not known (yet)."""
        return self._reader.e_tag

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> Any:
        """Read `size` bytes, fewer only at the end; all that is left when it is None or negative."""
        self._check()
        return ReadBytes(self._reader.read(_count(size)))

    def read1(self, size: int = -1, /) -> Any:
        """Read at most `size` bytes with at most one request."""
        self._check()
        return ReadBytes(self._reader.read1(size))

    def readall(self) -> Any:
        """Read all that is left."""
        return self.read()

    def peek(self, size: int = 0, /) -> Any:
        """Return the bytes ahead without going on."""
        self._check()
        at = self._reader.tell()
        ahead = self._reader.read1(size if size > 0 else -1)
        self._reader.seek(at, 0)
        return ReadBytes(ahead)

    def readinto(self, buffer: Any, /) -> int:
        """Read into a writable buffer and return the count of bytes."""
        self._check()
        return self._reader.readinto(buffer)

    def readinto1(self, buffer: Any, /) -> int:
        """Read into a writable buffer with at most one request."""
        data = self.read1(memoryview(buffer).nbytes)
        memoryview(buffer).cast("B")[: len(data)] = data
        return len(data)

    def readline(self, size: int | None = -1, /) -> Any:
        """Read up to and including the next line feed, at most `size` bytes."""
        if self._lines and size == -1:
            return self._lines.pop()
        if size is None or size < 0:
            if self._lines:
                return self._lines.pop()
            self._check()
            self._take_lines()
            if self._lines:
                return self._lines.pop()
        self._check()
        return ReadBytes(self._reader.readline(_count(size)))

    def _take_lines(self) -> None:
        """Take many lines from the reader at once; none when a line is longer than what is taken."""
        taken = self._reader.read1(_LINES_BYTES)
        lines = io.BytesIO(bytes(taken)).readlines()
        if lines and not lines[-1].endswith(b"\n") and self._reader.tell() < self._reader.size:
            self._reader.seek(-len(lines.pop()), 1)
        lines.reverse()
        self._lines = list(map(ReadBytes, lines))

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a position: from the start (0), the present position (1) or the end (2)."""
        self._check()
        return self._reader.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        # The lines stay: programs that ask for the position of each line go on with them.
        return self._reader.tell() - sum(map(len, self._lines))

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._lines = []
        super().close()

    def _check(self) -> None:
        """Refuse a closed file, and give lines that have not been asked for back to the reader."""
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        if self._lines:
            lines, self._lines = self._lines, []
            self._reader.seek(-sum(map(len, lines)), 1)

    def __repr__(self) -> str:
        return f"<ReadableFile name={self.name!r} size={self.size}>"


class AsyncReadableFile:
    """An object opened for reading, with methods to be awaited; see `ReadableFile`."""

    def __init__(self, reader: _holdall.Reader) -> None:
        self._reader = reader

    @property
    def size(self) -> int:
        """Length of the object in bytes."""
        return self._reader.size

    @property
    def name(self) -> str:
        """The URL of the object, without credentials."""
        return self._reader.url

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def seekable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> Awaitable[Any]:
        """Read `size` bytes, fewer only at the end; all that is left when it is None or negative."""
        return self._reader.read_async(_count(size))

    def readall(self) -> Awaitable[Any]:
        """Read all that is left."""
        return self._reader.read_async(-1)

    def readline(self, size: int | None = -1, /) -> Awaitable[Any]:
        """Read up to and including the next line feed, at most `size` bytes."""
        return self._reader.readline_async(_count(size))

    async def readlines(self, hint: int | None = -1, /) -> list[Any]:
        """Read lines until they have `hint` bytes, or all of them."""
        lines, length = [], 0
        while line := await self.readline():
            lines.append(line)
            length += len(line)
            if 0 < _count(hint) <= length:
                break
        return lines

    async def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a position: from the start (0), the present position (1) or the end (2)."""
        return self._reader.seek(offset, whence)

    async def tell(self) -> int:
        """Return the position."""
        return self._reader.tell()

    async def __aenter__(self) -> AsyncReadableFile:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def __aiter__(self) -> AsyncIterator[Any]:
        while line := await self.readline():
            yield line


class _Flag:
    """A truth value that can be called, because `closed` is an attribute to `io` and a method to obstore."""

    __slots__ = ("_value",)

    def __init__(self, value: bool) -> None:
        self._value = value

    def __bool__(self) -> bool:
        return self._value

    def __call__(self) -> bool:
        return self._value

    def __eq__(self, other: object) -> bool:
        return self._value == bool(other)

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return repr(self._value)


def _warn_if_open(file: WritableFile | AsyncWritableFile) -> None:
    """Warn that a file was dropped; the native half then gives up what it has sent."""
    if not getattr(file, "_ended", True):
        file._ended = True
        warnings.warn(
            f"{file!r} was not closed: nothing was written",
            ResourceWarning,
            stacklevel=3,
            source=file,
        )


class WritableFile(io.BufferedIOBase):
    """An object opened for writing; it appears, whole, when the file is closed.

    Leaving a ``with`` block by an exception, or dropping the file without closing it, leaves the object as it was.
    """

    mode = "wb"

    def __init__(self, writer: _holdall.Writer) -> None:
        self._writer = writer
        self._ended = False

    @property
    def name(self) -> str:
        """The URL of the object, without credentials."""
        return self._writer.url

    @property
    def closed(self) -> Any:
        """Whether the file is closed; may be called, too."""
        return _Flag(self._ended)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, buffer: Buffer, /) -> int:
        """Write all of a buffer, which may be reused at once, and return its length in bytes."""
        if self._ended:
            raise ValueError("I/O operation on closed file.")
        return self._writer.write(buffer)

    def tell(self) -> int:
        """Return how many bytes have been written."""
        return self._writer.position

    def flush(self) -> None:
        """Do nothing: parts of an object cannot be seen before it is whole."""
        if self._ended:
            raise ValueError("I/O operation on closed file.")

    def close(self) -> None:
        """Publish the object; a second time does nothing."""
        if not self._ended:
            self._ended = True
            self._writer.close()

    def abort(self) -> None:
        """Drop what was written and leave the object as it was."""
        if not self._ended:
            self._ended = True
            self._writer.abort()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        _warn_if_open(self)

    def __repr__(self) -> str:
        return f"<WritableFile name={self.name!r}>"


class AsyncWritableFile:
    """An object opened for writing, with methods to be awaited; see `WritableFile`."""

    def __init__(self, writer: _holdall.Writer) -> None:
        self._writer = writer
        self._ended = False

    @property
    def name(self) -> str:
        """The URL of the object, without credentials."""
        return self._writer.url

    async def closed(self) -> bool:
        """Whether the file is closed."""
        return self._ended

    def write(self, buffer: Buffer, /) -> Awaitable[int]:
        """Write all of a buffer, which may be reused at once, and return its length in bytes."""
        if self._ended:
            raise ValueError("I/O operation on closed file.")
        return self._writer.write_async(buffer)

    async def flush(self) -> None:
        """Do nothing: parts of an object cannot be seen before it is whole."""

    async def close(self) -> None:
        """Publish the object; a second time does nothing."""
        if not self._ended:
            self._ended = True
            await self._writer.close_async()

    async def abort(self) -> None:
        """Drop what was written and leave the object as it was."""
        if not self._ended:
            self._ended = True
            await self._writer.abort_async()

    async def __aenter__(self) -> AsyncWritableFile:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            await self.close()
        else:
            await self.abort()

    def __del__(self) -> None:
        _warn_if_open(self)

    def __repr__(self) -> str:
        return f"<AsyncWritableFile name={self.name!r}>"


def open_reader(
    store: Any,
    path: str | os.PathLike[str],
    *,
    buffer_size: int = 1024 * 1024,
    size: int | None = None,
) -> ReadableFile:
    """Open an object for reading.

    All that is read is of one version. From HTTP servers that give no ranges, or do not say what tells versions apart, it is read
    forward with one request; to go back is to begin anew.

    Args:
        store: where the object is.
        path: the key.
        buffer_size: bytes fetched at once.
        size: length of the object in bytes, where it is known; spares a request. What the first reply says counts.

    Raises:
        NotFoundError: there is no such object.
    """
    return ReadableFile(_holdall.Reader.open(as_store(store), path, buffer_size, size))


def open_reader_async(
    store: Any,
    path: str | os.PathLike[str],
    *,
    buffer_size: int = 1024 * 1024,
    size: int | None = None,
) -> Awaitable[AsyncReadableFile]:
    """Open an object for reading, to be awaited; see `open_reader`."""
    return _holdall.Reader.open_async(as_store(store), path, buffer_size, size, AsyncReadableFile)


open = open_reader
"""An older name of `open_reader`."""

open_async = open_reader_async
"""An older name of `open_reader_async`."""


def open_writer(
    store: Any,
    path: str | os.PathLike[str],
    *,
    attributes: Attributes | None = None,
    buffer_size: int = 10 * 1024 * 1024,
    tags: dict[str, str] | None = None,
    max_concurrency: int = 12,
    mode: str = "overwrite",
) -> WritableFile:
    """Open an object for writing; it appears when the file is closed.

    Parts are sent while more is written: what the service refuses is raised by one of the next writes, or by `close`.

    Args:
        store: where to write.
        path: the key.
        attributes: content type, user metadata and so on.
        buffer_size: bytes gathered before a part is sent (services take no parts below 5 MiB); shorter objects take
            one request.
        tags: tags of the object.
        max_concurrency: parts in flight.
        mode: ``"overwrite"``, or ``"create"``, with which `close` raises `AlreadyExistsError` when there is such an object
            by then. Google Cloud Storage and AIStore know no such condition for objects in parts: these are looked for just
            before.
    """
    return WritableFile(_writer(store, path, attributes, buffer_size, tags, max_concurrency, mode))


def _writer(
    store: Any,
    path: Any,
    attributes: Any,
    buffer_size: int,
    tags: Any,
    max_concurrency: int,
    mode: str,
) -> _holdall.Writer:
    if mode not in ("overwrite", "create"):
        raise ValueError(f"mode is 'overwrite' or 'create', not {mode!r}")
    return _holdall.Writer(
        as_store(store),
        path,
        attributes,
        buffer_size,
        tags,
        max_concurrency,
        mode == "create",
    )


def open_writer_async(
    store: Any,
    path: str | os.PathLike[str],
    *,
    attributes: Attributes | None = None,
    buffer_size: int = 10 * 1024 * 1024,
    tags: dict[str, str] | None = None,
    max_concurrency: int = 12,
    mode: str = "overwrite",
) -> AsyncWritableFile:
    """Open an object for writing with methods to be awaited; see `open_writer`. Opening itself is not awaited."""
    return AsyncWritableFile(
        _writer(store, path, attributes, buffer_size, tags, max_concurrency, mode)
    )
