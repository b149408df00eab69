"""Transformers over Flask."""

from __future__ import annotations

import io
from typing import Any, BinaryIO
from urllib.parse import quote

from ...const import HEADER_NODE_URL, QPARAM_ETL_ARGS, QPARAM_ETL_FQN
from ._sync import Request, SyncETLServer
from .base_etl_server import DRAIN_CHUNK_BYTES

try:
    from flask import Flask, Response
    from flask import request as current
except ImportError as error:
    raise ImportError("FlaskServer needs flask: pip install 'holdall[etl]'") from error


class BodyReader(io.RawIOBase):
    """The body of a request. Closing it passes over what nobody read, so that the connection can go on."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """At most so many bytes; all that are left with -1."""
        data: bytes = self._stream.read(-1 if size is None else size)
        return data

    def close(self) -> None:
        """Pass over the rest."""
        try:
            while self.read(DRAIN_CHUNK_BYTES):
                pass
        except (OSError, ValueError):
            pass
        finally:
            super().close()


class FlaskServer(SyncETLServer):
    """A transformer over Flask; ``app`` is the application.

    Args:
        host: Address to listen on.
        port: Port to listen on.
    """

    def __init__(self, host: str = "0.0.0.0", port: int = 8000) -> None:
        super().__init__()
        self.host = host
        self.port = port
        self.app = Flask(__name__)
        self.app.add_url_rule("/health", view_func=self._health, methods=["GET"])
        self.app.add_url_rule(
            "/<path:path>", view_func=self._handle_request, methods=["GET", "PUT"]
        )

    def _health(self) -> Response:
        return Response(b"Running")

    def _handle_request(self, path: str) -> Response:
        def body() -> BinaryIO:
            reader: Any = BodyReader(current.stream)
            return reader

        reply = self.answer(
            Request(
                is_get=current.method == "GET",
                path=path,
                decoded_path=path,
                source_url=f"{self.host_target}/{quote(path, safe='@')}",
                fqn=current.args.get(QPARAM_ETL_FQN, "").strip(),
                etl_args=current.args.get(QPARAM_ETL_ARGS, "").strip(),
                pipeline=current.headers.get(HEADER_NODE_URL),
                body=body,
            )
        )
        kind = "text/plain; charset=utf-8" if reply.is_error else self.get_mime_type()
        return Response(reply.content, reply.status, reply.headers, content_type=kind)

    def start(self) -> None:
        """Serve, with a thread per request."""
        self.logger.info("Starting Flask ETL server at %s:%d", self.host, self.port)
        self.app.run(host=self.host, port=self.port, threaded=True)
