"""The body of one part as a file object."""

from __future__ import annotations

import io
from typing import Any

from ..errors import MultipartDecodeError


class Pieces:
    """What has come of a reply and was not taken, and what is to come."""

    def __init__(self, stream: Any, at_once: int) -> None:
        self._stream = stream
        self._at_once = at_once
        self.buffer = bytearray()

    def more(self) -> bool:
        """Read on; whether there was anything."""
        piece = self._stream.read(self._at_once)
        self.buffer += piece
        return bool(piece)

    def until(self, *marks: bytes) -> bytes:
        """Take everything before the first of the marks, and the mark.

        Raises:
            MultipartDecodeError: When none comes.
        """
        start = 0
        while True:
            found = [(at, mark) for mark in marks if (at := self.buffer.find(mark, start)) >= 0]
            if found:
                at, mark = min(found)
                taken = bytes(self.buffer[:at])
                del self.buffer[: at + len(mark)]
                return taken
            start = max(0, len(self.buffer) - max(map(len, marks)) + 1)
            if not self.more():
                raise MultipartDecodeError("the reply ended within its parts")


class BodyStreamReader(io.BufferedIOBase):
    """The body of a part, up to the boundary. To be read before the next part is asked for."""

    def __init__(self, pieces: Pieces, boundary: bytes) -> None:
        self._pieces = pieces
        self._marks = (b"\r\n--" + boundary, b"\n--" + boundary)
        self._at_end = False
        # Up to here the buffer has no boundary.
        self._sure = 0

    def readable(self) -> bool:
        """True."""
        return True

    def _fill(self, size: int) -> None:
        """Find out about as many bytes as are wanted, or all with -1."""
        buffer, longest = self._pieces.buffer, len(self._marks[0])
        while not self._at_end and (size < 0 or self._sure < size):
            at = buffer.find(self._marks[1], max(0, self._sure - 1))
            if at >= 0:
                self._at_end = True
                # The carriage return belongs to the boundary.
                self._sure = at - 1 if at and buffer[at - 1 : at] == b"\r" else at
                return
            self._sure = max(self._sure, len(buffer) - longest)
            if (size < 0 or self._sure < size) and not self._pieces.more():
                raise MultipartDecodeError("the reply ended within its parts")

    def read(self, size: int | None = -1) -> bytes:
        """At most so many bytes; all that are left with -1."""
        wanted = -1 if size is None else size
        self._fill(wanted)
        count = self._sure if wanted < 0 else min(wanted, self._sure)
        buffer = self._pieces.buffer
        with memoryview(buffer) as view:
            taken = bytes(view[:count])
        del buffer[:count]
        self._sure -= count
        return taken

    def read1(self, size: int = -1) -> bytes:
        """As `read`."""
        return self.read(size)

    def read_whole(self) -> io.BytesIO:
        """All that is left, in memory."""
        return io.BytesIO(self.read())

    def skip(self) -> None:
        """Pass over what is left, and over the boundary's line up to its name."""
        while not self._at_end or self._sure:
            self.read(1 << 20)
        self._pieces.until(*self._marks)
