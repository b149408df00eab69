"""Bodies between FastAPI, which is asynchronous, and transformers, which are not."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from anyio import from_thread
from fastapi import Request
from fastapi.responses import StreamingResponse


class RequestStreamReader(io.RawIOBase):
    """The body of a request as a file object, for threads that ``anyio`` started. It can be read once."""

    def __init__(self, request: Request) -> None:
        self._next: Any = request.stream().__aiter__().__anext__
        self._ahead = bytearray()
        self._at_end = False

    def readable(self) -> bool:
        """True."""
        return True

    def _fill(self, size: int) -> None:
        while not self._at_end and (size < 0 or len(self._ahead) < size):
            try:
                self._ahead += from_thread.run(self._next)
            except StopAsyncIteration:
                self._at_end = True

    def read(self, size: int | None = -1) -> bytes:
        """At most so many bytes; all that are left with -1."""
        wanted = -1 if size is None else size
        self._fill(wanted)
        taken = bytes(self._ahead if wanted < 0 else self._ahead[:wanted])
        del self._ahead[: len(taken)]
        return taken


_Message = MutableMapping[str, Any]


class DeferredStreamingResponse(StreamingResponse):
    """A streamed reply whose status is sent with its first piece.

    Servers stop handing out a request's body once the reply begins, and the pieces of this one are made of that body. A
    transformer that fails before its first piece still gets to say so with a status.
    """

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Send the reply."""
        start = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        began = False
        async for piece in self.body_iterator:
            if not began:
                await send(start)
                began = True
            body = piece.encode(self.charset) if isinstance(piece, str) else piece
            await send({"type": "http.response.body", "body": body, "more_body": True})
        if not began:
            await send(start)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
