"""From a reply of several parts to the parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...const import DEFAULT_CHUNK_SIZE, UTF_ENCODING
from ..errors import MultipartDecodeError
from .body_stream_reader import BodyStreamReader, Pieces

_BOUNDARY = re.compile(r"boundary=(\"[^\"]*\"|'[^']*'|[^;,\s]+)", re.IGNORECASE)
_AT_ONCE = 64 << 10


class MultipartDecoder:
    """Takes replies of type ``multipart/*`` apart.

    Args:
        encoding: That of boundaries.
        parse_as_stream: Whether bodies are given as file objects, each to be read before the next; otherwise as bytes.
        chunk_size: Least bytes that are asked for at once.
        max_buffer_size: Bytes of a body that are held at once, where they are given as file objects.
    """

    def __init__(
        self,
        encoding: str = UTF_ENCODING,
        parse_as_stream: bool = False,
        chunk_size: int = DEFAULT_CHUNK_SIZE,
        max_buffer_size: int = _AT_ONCE,
    ) -> None:
        self.encoding = encoding
        self.parse_as_stream = parse_as_stream
        self.chunk_size = chunk_size
        self.max_buffer_size = max_buffer_size

    def decode(self, response: Any) -> Iterator[tuple[bytes, Any]]:
        """Pairs of a part's headers and its body.

        Raises:
            MultipartDecodeError: When the reply is of another type, or ends within a part.
            ValueError: When it does not say what its boundary is.
        """
        kind = response.headers.get("Content-Type", "")
        if "multipart" not in kind.lower():
            raise MultipartDecodeError("Response is not of multipart content type")
        found = _BOUNDARY.search(kind)
        if found is None:
            raise ValueError("Boundary not found in Content-Type header")
        boundary = found.group(1).strip("\"'").encode(self.encoding)
        return self._parts(response, boundary)

    def _parts(self, response: Any, boundary: bytes) -> Iterator[tuple[bytes, Any]]:
        pieces = Pieces(response.raw, max(self.chunk_size, self.max_buffer_size))
        pieces.until(b"--" + boundary)
        while not self._is_last(pieces):
            headers = pieces.until(b"\r\n\r\n", b"\n\n").strip()
            body = BodyStreamReader(pieces, boundary)
            if self.parse_as_stream:
                yield headers, body
            else:
                yield headers, body.read()
            body.skip()

    def _is_last(self, pieces: Pieces) -> bool:
        while len(pieces.buffer) < 2:
            if not pieces.more():
                raise MultipartDecodeError("the reply ended within its parts")
        return pieces.buffer.startswith(b"--")
