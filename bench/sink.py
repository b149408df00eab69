"""A server of S3 that keeps nothing but names and lengths: what is written to it takes the client's time, and hardly its own.

`python -m bench.sink` prints its port. Content is dropped by the system before it is copied out of it (`MSG_TRUNC`). No
signature is checked, no checksum computed.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

_PIECE = 1024 * 1024
_LARGE = 64 * 1024
_TAG = 'ETag: "00000000000000000000000000000000-1"\r\n'
_TIME = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"


class _Bucket:
    """Lengths of objects by their names, and of uploads while they last."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.objects: dict[str, int] = {}
        self.uploads: dict[str, int] = {}

    def answer(self, method: str, target: str, length: int, body: bytes) -> tuple[int, str, bytes]:
        """Return the status, headers and body of a reply."""
        url = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(url.query, True).items()}
        _, _, key = unquote(url.path).lstrip("/").partition("/")
        with self.lock:
            if method == "POST" and "uploads" in query:
                upload = f"upload{len(self.uploads)}"
                self.uploads[upload] = 0
                return _xml("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")
            if method == "PUT" and "uploadId" in query:
                self.uploads[query["uploadId"]] += length
                return 200, _TAG, b""
            if method == "POST" and "uploadId" in query:
                self.objects[key] = self.uploads[query["uploadId"]]
                tag = "00000000000000000000000000000000-1"
                inside = f"<Key>{escape(key)}</Key><ETag>&quot;{tag}&quot;</ETag>"
                return _xml("CompleteMultipartUploadResult", inside)
            if method == "POST" and "delete" in query:
                names = re.findall("<Key>([^<]*)</Key>", body.decode())
                for name in names:
                    self.objects.pop(unescape(name), None)
                deleted = (f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
                return _xml("DeleteResult", "".join(deleted))
            if method == "PUT" and key:
                self.objects[key] = length
                return 200, _TAG, b""
            if method == "GET" and not key:
                return self._listing(query.get("prefix", ""), query.get("start-after", ""))
            if method == "DELETE":
                self.objects.pop(key, None)
                return 204, "", b""
            if method == "HEAD" and key in self.objects:
                return 200, f"{_TAG}{_TIME}Content-Length: {self.objects[key]}\r\n", b""
        return (200 if method == "PUT" else 404), "", b""

    def _listing(self, prefix: str, after: str) -> tuple[int, str, bytes]:
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        objects = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{self.objects[key]}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in keys
        )
        count = f"<IsTruncated>false</IsTruncated><KeyCount>{len(keys)}</KeyCount>"
        return _xml("ListBucketResult", count + objects)


def _xml(name: str, inside: str) -> tuple[int, str, bytes]:
    return 200, "Content-Type: application/xml\r\n", f"<{name}>{inside}</{name}>".encode()


def _serve(connection: socket.socket, bucket: _Bucket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    unused = memoryview(bytearray(_PIECE))
    come = b""
    while True:
        while b"\r\n\r\n" not in come:
            more = connection.recv(_LARGE)
            if not more:
                return
            come += more
        head, come = come.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {
            key.lower(): value.strip() for key, _, value in (x.partition(":") for x in lines)
        }
        if "expect" in headers:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(headers.get("content-length", 0))
        body, come = come[:length], come[length:]
        left = length - len(body)
        while left:
            if length <= _LARGE:
                more = connection.recv(left)
                body, count = body + more, len(more)
            else:
                most = min(left, _PIECE)
                count = connection.recv_into(unused[:most], most, socket.MSG_TRUNC)
            if not count:
                return
            left -= count
        status, more_headers, reply = bucket.answer(method, target, length, body)
        if method != "HEAD" or status != 200:
            more_headers += f"Content-Length: {len(reply)}\r\n"
        connection.sendall(f"HTTP/1.1 {status} \r\n{more_headers}\r\n".encode() + reply)


def _use(connection: socket.socket, bucket: _Bucket) -> None:
    with connection:
        _serve(connection, bucket)


def main() -> None:
    """Serve until the process is ended."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    bucket = _Bucket()
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_use, args=(connection, bucket), daemon=True).start()


if __name__ == "__main__":
    main()
