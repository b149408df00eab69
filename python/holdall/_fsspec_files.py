"""Open files of the file systems in `holdall.fsspec`: bytes, and text and compressed content of them."""

from __future__ import annotations

import codecs
import contextlib
import io
from typing import TYPE_CHECKING, Any

from . import open_reader, open_writer
from .exceptions import PreconditionError

if TYPE_CHECKING:
    from .fsspec import FsspecStore

_READ_BYTES = 1024 * 1024
"""How much a file that is read fetches at once."""

_PART_BYTES = 10 * 1024 * 1024
"""How much a file that is written gathers before a part is sent."""

_LEAST_PART_BYTES = 5 * 1024 * 1024
"""Services take no shorter parts."""

_MARKS = {"utf-16": codecs.BOM_UTF16, "utf-32": codecs.BOM_UTF32}


class TextFile(io.TextIOWrapper):
    """Text of a file that a block which ends with an exception does not publish."""

    def begin(self, at: int) -> None:
        """Write the mark that some encodings begin with, which Python leaves out where it cannot seek."""
        if at == 0 and self.buffer.writable() and not self.buffer.seekable():
            self.buffer.write(_MARKS.get(codecs.lookup(self.encoding).name, b""))

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None:
            below: Any = self.buffer
            below.discard()
        self.close()

    def __del__(self) -> None:
        # As with bytes: what was not closed is not published.
        pass


class CompressedFile:
    """A file of a compressor together with the file below, which compressors leave open.

    All that is not here is the compressor's.
    """

    def __init__(self, codec: Any, file: BufferedFile) -> None:
        self._codec, self._file = codec, file

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._codec, name)

    @property
    def closed(self) -> bool:
        return self._file.closed

    def close(self) -> None:
        if self.closed:
            return
        try:
            self._codec.close()
        except BaseException:
            self._file.discard()
            raise
        self._file.close()

    def discard(self) -> None:
        self._file.discard()
        # Its last bytes have nowhere to go.
        with contextlib.suppress(Exception):
            self._codec.close()

    def __iter__(self) -> Any:
        return iter(self._codec)

    def __next__(self) -> Any:
        return next(self._codec)

    def __enter__(self) -> CompressedFile:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None:
            self.discard()
        self.close()


io.BufferedIOBase.register(CompressedFile)


class BufferedFile(io.BufferedIOBase):
    """An object opened through fsspec: modes ``rb``, ``wb``, ``xb`` and ``ab``.

    ``xb`` creates: where an object of that name is found, at the latest when the file is closed, `FileExistsError` is raised
    and it stays. Large objects on Google Cloud Storage and AIStore, and all of HTTP servers that know no conditions, are
    looked for just before; there a writer of the same moment may be overlooked. ``ab`` writes the object anew: what is
    there, with its attributes, and then more.

    Files that are read can be pickled; they are opened again where they are unpickled, at the same position.

    Args:
        fs: the file system.
        path: the path or URL.
        mode: how to open it.
        buffer_size: bytes fetched at once, or gathered before a part is sent (at least 5 MiB).
        attributes: attributes of a new object.
        tags: tags of a new object.
        size: length in bytes where it is known; spares a request.
        autocommit: whether the object appears when the file is closed, and not with `commit`.
        kwargs: options of other file systems, which are left alone.
    """

    cache: Any = None
    """Where the caching file systems of fsspec have content read from."""
    outer: Any = None
    """A weak reference to what compresses or encodes what is written here."""
    _closed = True

    def __init__(
        self,
        fs: FsspecStore,
        path: str,
        mode: str = "rb",
        *,
        buffer_size: int | None = None,
        attributes: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
        size: int | None = None,
        autocommit: bool = True,
        **kwargs: Any,
    ) -> None:
        del kwargs
        if mode not in ("rb", "wb", "ab", "xb"):
            raise ValueError(f"mode is rb, wb, ab or xb, not {mode!r}")
        self.fs, self.path, self.mode, self.autocommit = fs, path, mode, autocommit
        if mode == "rb":
            self.blocksize = buffer_size or _READ_BYTES
        else:
            self.blocksize = max(buffer_size or _PART_BYTES, _LEAST_PART_BYTES)
        store, key = fs._at(path)
        self._reader: Any = None
        self._writer: Any = None
        if mode == "rb":
            self._reader = open_reader(store, key, buffer_size=self.blocksize, size=size)
            self._closed = False
            return
        before = None
        if mode == "xb" and store.exists(key):
            raise FileExistsError(f"{path} exists")
        if mode == "ab":
            with contextlib.suppress(FileNotFoundError):
                before = store.get(key)
                attributes = before.attributes if attributes is None else attributes
        self._writer = open_writer(
            store,
            key,
            attributes=attributes,
            tags=tags,
            buffer_size=self.blocksize,
            mode="create" if mode == "xb" else "overwrite",
        )
        self._closed = False
        try:
            for chunk in before or ():
                self._writer.write(chunk)
        except BaseException:
            self.discard()
            raise

    @property
    def size(self) -> int | None:
        """Length of an object that is read, in bytes."""
        return self._reader.size if self._reader else None

    @property
    def name(self) -> str:
        """The path or URL."""
        return self.path

    @property
    def loc(self) -> int:
        """The position."""
        return self.tell()

    def info(self) -> dict[str, Any]:
        """Describe an object that is read."""
        return self.fs.info(self.path)

    @property
    def details(self) -> dict[str, Any]:
        """The same."""
        return self.info()

    @property
    def _file(self) -> Any:
        return self._reader or self._writer

    def readable(self) -> bool:
        """Whether the file is read."""
        return self._reader is not None and not self.closed

    def writable(self) -> bool:
        """Whether the file is written."""
        return self._writer is not None and not self.closed

    def seekable(self) -> bool:
        """Whether the position can be set."""
        return self.readable()

    def _for_reading(self) -> Any:
        if self._reader is None:
            raise io.UnsupportedOperation("the file is open for writing")
        return self._reader

    def _fetch_range(self, start: int, end: int) -> bytes:
        """Read a range for a cache of fsspec."""
        reader = self._for_reading()
        at = reader.tell()
        try:
            reader.seek(start)
            return bytes(reader.read(end - start))
        finally:
            reader.seek(at)

    def _read_cached(self, size: int | None) -> bytes:
        reader = self._for_reading()
        at, end = reader.tell(), reader.size
        if size is not None and size >= 0:
            end = min(end, at + size)
        data = self.cache._fetch(at, end) if at < end else b""
        reader.seek(at + len(data))
        return bytes(data)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, fewer only at the end."""
        if self.cache is not None:
            return self._read_cached(size)
        return self._for_reading().read(size)

    def read1(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes with at most one request."""
        if self.cache is not None:
            return self._read_cached(self.blocksize if size < 0 else size)
        return self._for_reading().read1(size)

    def readinto(self, buffer: Any, /) -> int:
        """Read into a writable buffer."""
        if self.cache is not None:
            view = memoryview(buffer).cast("B")
            data = self._read_cached(view.nbytes)
            view[: len(data)] = data
            return len(data)
        return self._for_reading().readinto(buffer)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read up to and including the next line feed."""
        if self.cache is not None:
            line = self.readuntil(b"\n")
            if size is not None and 0 <= size < len(line):
                self.seek(size - len(line), 1)
                line = line[:size]
            return line
        return self._for_reading().readline(size)

    def readuntil(self, char: bytes = b"\n", blocks: int | None = None) -> bytes:
        """Read up to and including `char`."""
        out, step = [], blocks or 64 * 1024
        while part := self.read(step):
            at = part.find(char)
            if at >= 0:
                out.append(part[: at + len(char)])
                self.seek(at + len(char) - len(part), 1)
                break
            out.append(part)
        return b"".join(out)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a position."""
        return self._for_reading().seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def write(self, data: Any, /) -> int:
        """Write all of a buffer."""
        if self._writer is None:
            raise io.UnsupportedOperation("the file is open for reading")
        if self._closed:
            raise ValueError("I/O operation on closed file.")
        return self._writer.write(data)

    def flush(self, force: bool = False) -> None:
        """Do nothing: an object appears when it is whole."""
        del force
        if self.closed:
            raise ValueError("I/O operation on closed file.")

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._closed

    @closed.setter
    def closed(self, closed: bool) -> None:
        # Caching file systems say what they have done.
        self._closed = closed

    def close(self) -> None:
        """Close the file; an object that was written appears, or waits for `commit`."""
        if self._closed:
            return
        self._closed = True
        if self._reader is not None:
            self._reader.close()
        elif self.autocommit:
            self._publish()

    def _publish(self) -> None:
        try:
            self._writer.close()
        finally:
            self.fs.invalidate_cache(self.path)

    def commit(self) -> None:
        """Publish what was held back; nothing where that was done, or where it was dropped.

        Raises:
            ValueError: what encodes or compresses the content was dropped before it was closed, and has kept some of it.
        """
        if self._writer is None or self._writer.closed:
            return
        if not self._closed:
            outer = self if self.outer is None else self.outer()
            if outer is None:
                raise ValueError(f"{self.path} was not closed: some of it was never written")
            outer.close()
        self._publish()

    def discard(self) -> None:
        """Drop what was written and has not appeared."""
        if self._writer is not None:
            self._closed = True
            self._writer.abort()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None:
            self.discard()
        self.close()

    def __del__(self) -> None:
        # What was not closed is not published; the writer says so.
        pass

    def __reduce__(self) -> tuple[Any, ...]:
        if self._reader is None:
            raise TypeError(
                f"{self.path} is open for writing: only files that are read are pickled"
            )
        if self._closed:
            raise ValueError("I/O operation on closed file.")
        return _reopened, (self.fs, self.path, self.blocksize, self.tell(), self._reader.e_tag)

    def __repr__(self) -> str:
        return f"<BufferedFile {self.path!r} mode={self.mode!r}>"


def _reopened(
    fs: FsspecStore, path: str, buffer_size: int, at: int, e_tag: str | None
) -> BufferedFile:
    file = BufferedFile(fs, path, buffer_size=buffer_size)
    found = file._reader.e_tag
    if None not in (e_tag, found) and e_tag != found:
        raise PreconditionError(f"{path} has changed since the file was pickled")
    file.seek(at)
    return file
