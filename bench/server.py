"""An HTTP server on loopback that answers every GET and HEAD with the same 4 KiB, in a process of its own.

It does as little as can be done in Python, so that the time measured is that of the clients.
"""

from __future__ import annotations

import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BODY = bytes(range(256)) * 16
_HEAD = (
    b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: "bench"\r\n'
    b"Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/octet-stream\r\n\r\n"
) % len(BODY)


def _serve() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    # A bare loop around epoll takes a third of the time that asyncio does.
    ready = selectors.DefaultSelector()
    ready.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(connection, selectors.EVENT_READ)
                continue
            # Requests without a body are shorter than a segment, and a client waits for the answer to each.
            try:
                request = key.fileobj.recv(65536)
            except ConnectionError:
                request = b""
            if request:
                key.fileobj.sendall(_HEAD if request.startswith(b"HEAD") else _HEAD + BODY)
            else:
                ready.unregister(key.fileobj)
                key.fileobj.close()


@contextmanager
def serving() -> Iterator[str]:
    """Run the server and yield its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.server"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    _serve()
