"""A service on loopback that answers as a test wants, and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """What the service was asked."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    """By name in lower case."""
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What it answers."""

    status: int = 200
    body: bytes | str = b""
    headers: dict[str, str] = field(default_factory=dict)


class Service:
    """A running service."""

    def __init__(self, answer: Callable[[Request], Reply], host: str) -> None:
        requests: list[Request] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # A reply is head and content in two writes: without this, the second waits for the client to have the first.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                request = Request(
                    self.command, parts.path, parse_qs(parts.query, True), headers, body
                )
                requests.append(request)
                reply = answer(request)
                content = reply.body.encode() if isinstance(reply.body, str) else reply.body
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in reply.headers:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            # With Python's five, the system drops connections that come together, and clients try them again much later.
            request_queue_size = 1024

        self.requests = requests
        self.server = Server(("127.0.0.1", 0), Handler)
        self.host = host
        self.url = f"http://{host}:{self.server.server_address[1]}"


@contextmanager
def serving(answer: Callable[[Request], Reply], host: str = "127.0.0.1") -> Iterator[Service]:
    """Run a service while the block lasts."""
    service = Service(answer, host)
    thread = threading.Thread(target=service.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield service
    finally:
        service.server.shutdown()
        service.server.server_close()
        thread.join()


def an_object(_: Request) -> Reply:
    """Answer as an object store does that has every object."""
    return Reply(200, b"content", {"Last-Modified": "Sat, 21 Nov 2026 00:00:00 GMT", "ETag": '"1"'})
