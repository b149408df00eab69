"""Replies of servers."""

from __future__ import annotations

import io
import json as _json
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._headers import CaseInsensitiveDict, joined

if TYPE_CHECKING:
    from .._holdall import _AisReply


class Request:
    """The request that a reply answers."""

    __slots__ = ("body", "headers", "method", "url")

    def __init__(self, method: str, url: str, headers: CaseInsensitiveDict | None = None) -> None:
        self.method = method
        self.url = url
        self.headers = headers if headers is not None else CaseInsensitiveDict()
        self.body: Any = None

    def __repr__(self) -> str:
        return f"<Request [{self.method}]>"


class Response:
    """A reply, with what programs know of ``requests.Response``."""

    __slots__ = ("_content", "_headers", "_method", "_raw", "_reply", "_request", "status_code")

    def __init__(self, reply: _AisReply, method: str) -> None:
        self._reply = reply
        self._method = method
        self.status_code: int = reply.status_code
        self._headers: CaseInsensitiveDict | None = None
        self._content: bytes | None = None
        self._raw: RawStream | None = None
        self._request: Request | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    def __bool__(self) -> bool:
        return self.ok

    @property
    def url(self) -> str:
        """The URL that answered, after redirects."""
        return self._reply.url

    @property
    def request(self) -> Request:
        """The request."""
        if self._request is None:
            self._request = Request(self._method.upper(), self._reply.url)
        return self._request

    @property
    def headers(self) -> CaseInsensitiveDict:
        """The headers; names have no case, repeated ones are joined by commas."""
        if self._headers is None:
            self._headers = joined(self._reply.headers)
        return self._headers

    @property
    def reason(self) -> str:
        """The words that belong to the status."""
        from http import HTTPStatus

        try:
            return HTTPStatus(self.status_code).phrase
        except ValueError:
            return ""

    @property
    def content(self) -> bytes:
        """The whole body."""
        if self._content is None:
            self._content = self._reply.read()
        return self._content

    async def read_async(self) -> bytes:
        """The whole body; `content` is there afterwards."""
        if self._content is None:
            self._content = await self._reply.read_async()
        return self._content

    @property
    def text(self) -> str:
        """The whole body as text."""
        return self.content.decode("utf-8", errors="replace")

    def json(self, **kwargs: Any) -> Any:
        """The whole body, read as JSON."""
        return _json.loads(self.content, **kwargs)

    def iter_content(self, chunk_size: int | None = 1) -> Iterator[bytes]:
        """The body in pieces of `chunk_size` bytes, but for the last; None takes pieces as they come."""
        if self._content is not None:
            yield from _slices(self._content, chunk_size)
            return
        while (piece := self._reply.piece(chunk_size or 0)) is not None:
            yield piece

    async def aiter_content(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """As `iter_content`, asynchronously."""
        if self._content is not None:
            for piece in _slices(self._content, chunk_size):
                yield piece
            return
        while (more := await self._reply.piece_async(chunk_size or 0)) is not None:
            yield more

    def iter_lines(self) -> Iterator[bytes]:
        """The lines of the body, without their ends."""
        return iter(self.content.splitlines())

    @property
    def raw(self) -> RawStream:
        """The body as a file."""
        if self._raw is None:
            self._raw = RawStream(self)
        return self._raw

    def raise_for_status(self) -> None:
        """Raise an error when the status says so."""
        if self.status_code >= 400:
            from .errors import AISError

            raise AISError(self.status_code, self.text, self.url, self.request)

    def close(self) -> None:
        """Give the rest of the body up."""
        self._reply.close()

    def __enter__(self) -> Response:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        return self.iter_content(128)

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"


def _slices(content: bytes, size: int | None) -> Iterator[bytes]:
    if not size:
        if content:
            yield content
        return
    for start in range(0, len(content), size):
        yield content[start : start + size]


class RawStream(io.RawIOBase):
    """A body that is being read, with what programs know of urllib3's responses."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._reply = response._reply
        self._left = memoryview(b"")

    @property
    def status(self) -> int:
        """The status."""
        return self._response.status_code

    @property
    def headers(self) -> CaseInsensitiveDict:
        """The headers."""
        return self._response.headers

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, amt: int | None = None, **_: Any) -> bytes:  # type: ignore[override]
        """Read `size` bytes, fewer only at the end; all by default."""
        if amt is not None:
            size = amt
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        if size is None or size < 0:
            return self._reply.read()
        return self._reply.piece(size) or b"" if size else b""

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        piece = self.read(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def stream(self, amt: int | None = 65536, **_: Any) -> Iterator[bytes]:
        """The body in pieces of `amt` bytes, but for the last."""
        while (piece := self._reply.piece(amt or 0)) is not None:
            yield piece

    def __iter__(self) -> Iterator[bytes]:  # type: ignore[override]
        return self.stream()

    def release_conn(self) -> None:
        """Give the rest of the body up."""
        self._reply.close()

    def close(self) -> None:
        self._reply.close()
        super().close()
