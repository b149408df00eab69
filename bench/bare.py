"""The least that a download can be: sockets, ranges, `pwrite`. Nothing is checked, repeated or published.

`python -m bench.bare BYTES FOLDER URL...` puts objects of that many bytes into files of a folder. What a client takes
longer than this is its own; this is what system and server take (`bench.trees` calls it "ceiling").
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

MIB = 1024 * 1024
PART, PIECE, CONNECTIONS = 32 * MIB, MIB // 2, 8


def _fetch(todo: list[tuple[str, int, int, int]], failed: list[BaseException]) -> None:
    connections: dict[str, socket.socket] = {}
    piece = memoryview(bytearray(PIECE))
    try:
        while todo:
            try:
                url, file, at, end = todo.pop()
            except IndexError:
                return
            parts = urlsplit(url)
            connection = connections.get(parts.netloc)
            if connection is None:
                assert parts.hostname is not None
                connection = socket.create_connection((parts.hostname, parts.port or 80))
                connections[parts.netloc] = connection
            request = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            connection.sendall(f"{request}Range: bytes={at}-{end - 1}\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(PIECE)
            head, begun = head.split(b"\r\n\r\n", 1)
            if b" 206 " not in head.split(b"\r\n", 1)[0]:
                raise RuntimeError(head.decode(errors="replace"))
            at += os.pwrite(file, begun, at)
            while at < end:
                count = connection.recv_into(piece[: min(PIECE, end - at)])
                if count == 0:
                    raise RuntimeError(f"the body ended {end - at} bytes early")
                at += os.pwrite(file, piece[:count], at)
    except BaseException as error:
        failed.append(error)


def main() -> None:
    """Download what the command line names."""
    size, folder, urls = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    todo = []
    for number, url in enumerate(urls):
        file = os.open(folder / f"{number:02}.bin", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.posix_fallocate(file, 0, size)
        todo += [(url, file, at, min(at + PART, size)) for at in range(0, size, PART)]
    todo.reverse()
    failed: list[BaseException] = []
    threads = [threading.Thread(target=_fetch, args=(todo, failed)) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"bare: {failed[0]}")


if __name__ == "__main__":
    main()
