"""A server on loopback that answers as tests say, and documents that point to it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Reply:
    """What is answered."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    """Close the connection after so many bytes of the body."""
    pause: float = 0.0
    """Wait for so many seconds after each 256 KiB."""


Handler = Callable[[Request], Reply]


class Server:
    """Files by path, and functions for paths that need more."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.handlers: dict[str, Handler] = {}
        self.seen: list[Request] = []
        self.bodies = 0
        """Bodies that went out whole."""
        self._lock = threading.Lock()
        server = self

        class Handling(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, self.rfile.read(length))
                with server._lock:
                    server.seen.append(request)
                reply = server._reply(request)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in reply.headers:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                if self.command == "HEAD":
                    return
                if reply.pause:
                    for start in range(0, len(reply.body), 1 << 18):
                        self.wfile.write(reply.body[start : start + (1 << 18)])
                        time.sleep(reply.pause)
                    with server._lock:
                        server.bodies += 1
                elif reply.cut_after is None:
                    self.wfile.write(reply.body)
                else:
                    self.wfile.write(reply.body[: reply.cut_after])
                    self.wfile.flush()
                    self.close_connection = True
                    self.connection.close()

            do_GET = do_HEAD = do_POST = do_PUT = _answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def handle(self) -> None:
                # The client may have gone, and replies may have been cut.
                with contextlib.suppress(ConnectionError, ValueError):
                    super().handle()

        class Listening(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._http = Listening(("127.0.0.1", 0), Handling)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def _reply(self, request: Request) -> Reply:
        path = request.path.partition("?")[0]
        if path in self.handlers:
            return self.handlers[path](request)
        if path not in self.files:
            return Reply(b"nothing here", 404)
        data = self.files[path]
        headers = {"ETag": f'"{hash(data)}"', "Accept-Ranges": "bytes"}
        if path in self.types:
            headers["Content-Type"] = self.types[path]
        span = request.headers.get("range", "")
        if span.startswith("bytes="):
            first, _, last = span[len("bytes=") :].partition("-")
            start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            return Reply(data[start : end + 1], 206, headers)
        return Reply(data, 200, headers)

    def add(self, path: str, data: bytes, media_type: str | None = None) -> str:
        """Add a file and return its URL."""
        self.files[path] = data
        if media_type is not None:
            self.types[path] = media_type
        return self.url + path

    def requests(self, path: str) -> list[Request]:
        """Return the requests for a path until now."""
        with self._lock:
            return [request for request in self.seen if request.path.partition("?")[0] == path]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def make_item(id: str, assets: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """Return an item with the given assets; hrefs stand for assets that have nothing else."""
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": id,
        "geometry": {"type": "Point", "coordinates": [7.5, 51.25]},
        "bbox": [7.5, 51.25, 7.5, 51.25],
        "properties": {"datetime": "2024-03-05T10:20:30Z", **properties},
        "links": [],
        "assets": {
            key: {"href": asset} if isinstance(asset, str) else asset
            for key, asset in assets.items()
        },
        "collection": "tests",
    }
