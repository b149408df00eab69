"""Objects as files: to read one after the other, and to append to."""

from __future__ import annotations

import io
from io import BufferedIOBase, BufferedWriter
from typing import TYPE_CHECKING, Any

from ...utils import get_logger
from .stream import ResumableStream

if TYPE_CHECKING:
    from ..content_iterator.base import BaseContentIterProvider
    from ..object_writer import ObjectWriter

logger = get_logger(__name__)


class ObjectFileReader(BufferedIOBase):
    """Content of an object as a file that is read from its beginning to its end.

    Args:
        content_provider: makes iterators over the content.
        max_resume: how often a stream that breaks off is continued.
    """

    def __init__(self, content_provider: BaseContentIterProvider, max_resume: int) -> None:
        self._stream = ResumableStream(content_provider, max_resume)
        self._left = memoryview(b"")
        self._closed = False

    def __enter__(self) -> ObjectFileReader:
        # Whoever enters anew reads from the beginning.
        self._stream.restart()
        self._left = memoryview(b"")
        self._closed = False
        return self

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def readable(self) -> bool:
        return not self._closed

    def tell(self) -> int:
        return self._stream.delivered_position - len(self._left)

    def read(self, size: int | None = -1) -> bytes:  # type: ignore[override]
        """Read `size` bytes, fewer only at the end; all that is left by default.

        Raises:
            ObjectFileReaderMaxResumeError: the stream broke off more often than it may.
            ValueError: it is closed.
        """
        if self._closed:
            raise ValueError("I/O operation on closed file.")
        wanted = None if size is None or size < 0 else size
        if wanted == 0:
            return b""
        try:
            return self._take(wanted)
        except Exception as error:
            logger.error("reading '%s' failed: %s", self._stream.path, error)
            self.close()
            raise

    def _take(self, wanted: int | None) -> bytes:
        pieces: list[memoryview] = []
        left = self._left
        while wanted is None or wanted > 0:
            if not left:
                more = next(self._stream, None)
                if more is None:
                    break
                left = more
            piece = left if wanted is None else left[:wanted]
            pieces.append(piece)
            left = left[len(piece) :]
            if wanted is not None:
                wanted -= len(piece)
        self._left = left
        return pieces[0].tobytes() if len(pieces) == 1 else b"".join(pieces)

    def read1(self, size: int = -1) -> bytes:
        """Read what is there, or the next piece of it."""
        if self._closed:
            raise ValueError("I/O operation on closed file.")
        if not self._left:
            self._left = next(self._stream, memoryview(b""))
        taken = self._left if size < 0 else self._left[:size]
        self._left = self._left[len(taken) :]
        return taken.tobytes()

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        piece = self.read(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._closed = True
        self._stream.close()


ObjectFile = ObjectFileReader
"""The name until 1.10."""


class ObjectFileWriter(BufferedWriter):
    """An object as a file that is appended to. Nobody sees what was written before the flush.

    Args:
        obj_writer: writes the object.
        mode: ``"a"`` goes on from what the object is, ``"w"`` empties it at once.
    """

    def __init__(self, obj_writer: ObjectWriter, mode: str) -> None:
        super().__init__(io.BytesIO())  # type: ignore[arg-type]
        self._obj_writer = obj_writer
        self._mode = mode
        self._handle = ""
        self._closed = False
        if mode == "w":
            obj_writer.put_content(b"")

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return getattr(self, "_closed", True)

    def __enter__(self) -> ObjectFileWriter:
        self._check()
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _check(self) -> None:
        if self._closed:
            raise ValueError("I/O operation on closed file.")

    def write(self, buffer: Any) -> int:
        """Append bytes.

        Raises:
            ValueError: it is closed.
        """
        self._check()
        size = memoryview(buffer).nbytes
        self._handle = self._obj_writer.append_content(buffer, handle=self._handle)
        return size

    def flush(self) -> None:
        """Make what was written the object."""
        self._check()
        if self._handle:
            self._obj_writer.append_content(b"", handle=self._handle, flush=True)
            self._handle = ""

    def close(self) -> None:
        """Flush and close."""
        if not self._closed:
            self.flush()
            self._closed = True

    def __del__(self) -> None:
        # What was not flushed is not made an object behind the caller's back.
        self._closed = True
