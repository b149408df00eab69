"""Transformers over the standard library."""

from __future__ import annotations

import io
import signal
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ...const import (
    HEADER_CONTENT_LENGTH,
    HEADER_CONTENT_TYPE,
    HEADER_NODE_URL,
    QPARAM_ETL_ARGS,
    QPARAM_ETL_FQN,
)
from ._sync import Reply, Request, SyncETLServer
from .base_etl_server import DRAIN_CHUNK_BYTES, ETLServer


class LimitedReader(io.RawIOBase):
    """The body of one request, on a connection that goes on after it. Closing it passes over what nobody read."""

    def __init__(self, rfile: Any, content_length: int) -> None:
        self._rfile = rfile
        self._remaining = content_length

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """At most so many bytes; all that are left with -1."""
        wanted = self._remaining if size is None or size < 0 else min(size, self._remaining)
        data = self._rfile.read(wanted) if wanted else b""
        self._remaining -= len(data)
        return data

    def close(self) -> None:
        """Pass over the rest."""
        try:
            while self._remaining and self.read(DRAIN_CHUNK_BYTES):
                pass
        except (OSError, ValueError):
            pass
        finally:
            super().close()


class ThreadedHTTPServer(ThreadingMixIn, HTTPServer):
    """A web server with a thread per connection, for one transformer."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        server_address: tuple[str, int],
        handler_class: type[BaseHTTPRequestHandler],
        etl_server: ETLServer,
    ) -> None:
        super().__init__(server_address, handler_class)
        self.etl_server = etl_server


class HTTPMultiThreadedServer(SyncETLServer):
    """A transformer over the standard library, with a thread per connection.

    The subclass gets paths as they are in URLs: with a slash in front, percent-encoded.

    Args:
        host: Address to listen on.
        port: Port to listen on.
    """

    def __init__(self, host: str = "0.0.0.0", port: int = 8000) -> None:
        super().__init__()
        self.host = host
        self.port = port

    class RequestHandler(BaseHTTPRequestHandler):
        """Answers requests for the ``etl_server`` of its server."""

        server: Any

        def setup(self) -> None:
            """Connections stay open where others need not wait for them."""
            super().setup()
            if isinstance(self.server, ThreadingMixIn):
                self.protocol_version = "HTTP/1.1"

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            """Requests are not logged; the cluster counts them."""

        def do_GET(self) -> None:
            """Transform an object of the target, or say that all is well."""
            if urlsplit(self.path).path == "/health":
                self._send(Reply(200, b"Running"))
            else:
                self._transform(is_get=True)

        def do_PUT(self) -> None:
            """Transform the body."""
            if "Transfer-Encoding" in self.headers:
                self.send_error(HTTPStatus.NOT_IMPLEMENTED, "Transfer-Encoding is not supported")
                return
            self._transform(is_get=False)

        def _transform(self, is_get: bool) -> None:
            etl: SyncETLServer = self.server.etl_server
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            length = int(self.headers.get(HEADER_CONTENT_LENGTH) or 0)
            body: Any = LimitedReader(self.rfile, length)
            request = Request(
                is_get=is_get,
                path=url.path,
                decoded_path=unquote(url.path),
                source_url=f"{etl.host_target}{url.path}",
                fqn=query.get(QPARAM_ETL_FQN, [""])[0].strip(),
                etl_args=query.get(QPARAM_ETL_ARGS, [""])[0].strip(),
                pipeline=self.headers.get(HEADER_NODE_URL),
                body=lambda: body,
            )
            try:
                reply = etl.answer(request)
                if isinstance(reply.content, bytes):
                    # The rest of a connection is read as the next request.
                    body.close()
                self._send(reply)
            finally:
                body.close()

        def _send(self, reply: Reply) -> None:
            content = reply.content
            pieces, first = None, b""
            if not isinstance(content, bytes):
                try:
                    first = next(content, b"")
                except Exception as error:
                    self.server.etl_server.logger.exception("transforming %s failed", self.path)
                    self._send(Reply(500, f"Processing error: {error}".encode(), is_error=True))
                    return
                pieces = content
            self.send_response(reply.status)
            kind = "text/plain; charset=utf-8"
            if not reply.is_error:
                kind = self.server.etl_server.get_mime_type()
            self.send_header(HEADER_CONTENT_TYPE, kind)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if pieces is not None:
                self._stream(first, pieces)
                return
            if reply.status != HTTPStatus.NO_CONTENT:
                self.send_header(HEADER_CONTENT_LENGTH, str(len(content)))  # type: ignore[arg-type]
            self.end_headers()
            self.wfile.write(content)  # type: ignore[arg-type]

        def _stream(self, first: bytes, pieces: Iterator[bytes]) -> None:
            chunked = self.protocol_version == "HTTP/1.1" and self.request_version == "HTTP/1.1"
            if chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            try:
                self._piece(first, chunked)
                for piece in pieces:
                    self._piece(piece, chunked)
                if chunked:
                    self.wfile.write(b"0\r\n\r\n")
            except Exception:
                # The status has been sent: only a broken connection still says that this is not all.
                self.server.etl_server.logger.exception("transforming %s failed", self.path)
                self.close_connection = True

        def _piece(self, piece: bytes, chunked: bool) -> None:
            if not piece:
                return
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)

    def start(self) -> None:
        """Serve until SIGTERM or SIGINT; requests that are being answered are finished."""
        server = ThreadedHTTPServer((self.host, self.port), self.RequestHandler, etl_server=self)
        self.logger.info("HTTP Multi-threaded server running at %s:%s", *server.server_address[:2])

        def end(number: int, frame: Any) -> None:
            # From a thread, because `shutdown` waits for the loop that this handler interrupts.
            threading.Thread(target=server.shutdown).start()

        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, end)
            signal.signal(signal.SIGINT, end)
        with server:
            server.serve_forever()
        self.logger.info("Server shutdown complete.")
