"""The least that a transfer can be: sockets, ranges, `pread` and `pwrite`. Nothing is checked, repeated or published.

`python -m bench.bare down BYTES FOLDER URL...` puts objects of that many bytes into files of a folder,
`python -m bench.bare up FOLDER URL` writes the files of a folder as objects below a URL of a server that checks no signatures.
What a client takes longer than this is its own; this is what system and server take (`bench.trees` calls it "ceiling"), and
on the way up the hash of the content, which S3 wants signed unless TLS protects it.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sys
import threading
from pathlib import Path
from urllib.parse import quote, urlsplit

MIB = 1024 * 1024
PART, PIECE, CONNECTIONS = 32 * MIB, MIB // 2, 8
PART_UP = 8 * MIB


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


def _connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = socket.create_connection((parts.hostname, parts.port or 80))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _ask(
    connection: socket.socket, method: str, target: str, body: bytes | memoryview, more: str = ""
) -> bytes:
    request = (
        f"{method} {target} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    )
    connection.sendall(request.encode())
    connection.sendall(body)
    reply = b""
    while b"\r\n\r\n" not in reply:
        more_of_it = connection.recv(PIECE)
        if not more_of_it:
            raise RuntimeError("the server hung up")
        reply += more_of_it
    head, body = reply.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if b" 200 " not in head.split(b"\r\n", 1)[0] or length is None:
        raise RuntimeError(head.decode(errors="replace"))
    while len(body) < int(length[1]):
        body += connection.recv(PIECE)
    return head + body


def _send(url: str, todo: list[tuple[str, int, int, int]], failed: list[BaseException]) -> None:
    part = memoryview(bytearray(PART_UP))
    try:
        connection = _connect(url)
        while todo:
            try:
                target, file, at, end = todo.pop()
            except IndexError:
                return
            content = part[: end - at]
            if os.preadv(file, [content], at) != len(content):
                raise RuntimeError("the file became shorter")
            digest = hashlib.sha256(content).hexdigest()
            _ask(connection, "PUT", target, content, f"x-amz-content-sha256: {digest}\r\n")
    except BaseException as error:
        failed.append(error)


def _run(work, *arguments: object) -> None:
    failed: list[BaseException] = []
    threads = [threading.Thread(target=work, args=(*arguments, failed)) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"bare: {failed[0]}")


def _down(size: int, folder: Path, urls: list[str]) -> None:
    todo = []
    for number, url in enumerate(urls):
        file = os.open(folder / f"{number:02}.bin", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.posix_fallocate(file, 0, size)
        todo += [(url, file, at, min(at + PART, size)) for at in range(0, size, PART)]
    todo.reverse()
    _run(_fetch, todo)


def _up(folder: Path, url: str) -> None:
    asking, todo, uploads = _connect(url), [], []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        target = f"{urlsplit(url).path}/{quote(str(path.relative_to(folder)))}"
        begun = re.search(
            rb"<UploadId>(.*)</UploadId>", _ask(asking, "POST", f"{target}?uploads", b"")
        )
        assert begun is not None
        upload = f"{target}?uploadId={begun[1].decode()}"
        uploads.append(upload)
        file, size = os.open(path, os.O_RDONLY), path.stat().st_size
        for number, at in enumerate(range(0, size, PART_UP), 1):
            todo.append((f"{upload}&partNumber={number}", file, at, min(at + PART_UP, size)))
    todo.reverse()
    _run(_send, url, todo)
    for upload in uploads:
        _ask(asking, "POST", upload, b"<CompleteMultipartUpload/>")


def main() -> None:
    """Move what the command line names."""
    match sys.argv[1:]:
        case ["down", size, folder, *urls]:
            _down(int(size), Path(folder), urls)
        case ["up", folder, url]:
            _up(Path(folder), url)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
