"""A proxy that speaks the XML API of Google Cloud Storage and stores in an S3 server.

The two differ in header names, in how a request is authorised, and in *generations*: the number that Cloud Storage
gives to every version of an object, and that conditional requests name. Numbers live as long as the process.

Run as `python -m lib.gcs_proxy PORT UPSTREAM_PORT`; both on 127.0.0.1.
The rules: https://cloud.google.com/storage/docs/xml-api/reference-headers
"""

import base64
import http.client
import itertools
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tempfile import SpooledTemporaryFile
from typing import IO
from urllib.parse import parse_qsl, unquote

from . import sigv4

BLOCK_BYTES = 256 * 1024
#: Longer bodies wait in a file.
SPOOLED_BYTES = 16 * 1024 * 1024
TIMEOUT_SECONDS = 120

#: Headers that mean the same on both sides.
SHARED = set(
    [
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-type",
        "if-match",
        "if-none-match",
        "range",
    ]
)
#: Headers of one connection, never passed on.
HOP = {"connection", "keep-alive", "transfer-encoding", "server", "date"}
#: Our buckets in the S3 server, apart from its own.
BUCKET_PREFIX = "gcs-"
TO_S3 = {"x-goog-metadata-directive": "x-amz-metadata-directive"}


@dataclass(frozen=True)
class Live:
    """The live version of an object as last seen."""

    etag: str
    generation: str


class Generations:
    """The numbers given out. Objects that changed without us are recognised by their ETag and get a new number."""

    def __init__(self) -> None:
        # Real ones are microseconds since 1970 as well.
        self._next = itertools.count(time.time_ns() // 1000)
        self._live: dict[str, Live] = {}
        self._versions: dict[tuple[str, str], str] = {}
        self._guard = threading.Lock()
        self._writing: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def writing(self, path: str) -> threading.Lock:
        """Held from the check of a condition to the end of the write that it allows."""
        with self._guard:
            return self._writing[path]

    def peek(self, path: str) -> Live | None:
        return self._live.get(path)

    def seen(self, path: str, etag: str, version: str | None) -> str:
        """The number of the object that a read returned."""
        etag = etag.strip('"')
        with self._guard:
            live = self._live.get(path)
            if live is None or live.etag != etag:
                live = self._number(path, etag, version)
            return live.generation

    def written(self, path: str, before: Live | None, etag: str, version: str | None) -> str:
        """The number of the object that a write made, over the one that was live before."""
        etag = etag.strip('"')
        with self._guard:
            live = self._live.get(path)
            # A reader may have numbered the new object before its writer came here.
            if live is None or live is before or live.etag != etag:
                live = self._number(path, etag, version)
            return live.generation

    def deleted(self, path: str) -> None:
        with self._guard:
            self._live.pop(path, None)

    def version(self, path: str, generation: str) -> str | None:
        """The S3 version that a number stands for, in a versioned bucket."""
        return self._versions.get((path, generation))

    def _number(self, path: str, etag: str, version: str | None) -> Live:
        live = Live(etag, str(next(self._next)))
        self._live[path] = live
        if version:
            self._versions[path, live.generation] = version
        return live


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    generations: Generations
    upstream_port: int

    def do_GET(self) -> None:
        try:
            self._handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client went away

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing: the tests make thousands of requests."""

    def _handle(self) -> None:
        raw, _, query = self.path.partition("?")
        self.object = stored(unquote(raw))
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.selected: str | None = (
            None  # the generation that the request names, if it is not the live one
        )
        self.unread = int(self.headers.get("content-length") or 0)
        if self.headers.get("transfer-encoding"):
            self.close_connection = True  # where the body ends is not known
            return self._refuse(
                411, "MissingContentLength", "this stand-in takes no chunked bodies"
            )
        writes = self.command in ("PUT", "POST", "DELETE") and not self._is_part()
        with self.generations.writing(self.object) if writes else nullcontext():
            if not (self._select_generation() and self._conditions_hold() and self._dates_hold()):
                return None
            self._forward(self.generations.peek(self.object))

    def _is_part(self) -> bool:
        """Whether this begins, continues or abandons a multipart upload, which makes no object."""
        return (
            "uploads" in self.query
            or "partNumber" in self.query
            or (self.command == "DELETE" and "uploadId" in self.query)
        )

    def _makes_object(self) -> bool:
        return (
            self.command in ("PUT", "POST") and self.object.count("/") > 1 and not self._is_part()
        )

    def _select_generation(self) -> bool:
        """Turns `?generation=` into the S3 version it stands for."""
        wanted = self.query.pop("generation", None)
        if wanted is None:
            return True
        if version := self.generations.version(self.object, wanted):
            self.query["versionId"] = version
            self.selected = wanted
        elif self._generation() != wanted:
            self._refuse(404, "NoSuchKey", f"no generation {wanted}")
            return False
        return True

    def _conditions_hold(self) -> bool:
        """Checks the conditions on generations, which the S3 server does not know."""
        wanted = self.headers.get("x-goog-if-generation-match")
        if wanted is not None and self._generation() != wanted:
            self._refuse(412, "PreconditionFailed", "x-goog-if-generation-match does not hold")
            return False
        # Deleting what is not there is an error here, and a success in S3.
        plain_delete = self.command == "DELETE" and not self.query and self.object.count("/") > 1
        if plain_delete and self._generation() == "0":
            self._refuse(404, "NoSuchKey", "the object does not exist")
            return False
        return True

    def _dates_hold(self) -> bool:
        """Checks the conditions on the last change, in whole seconds as HTTP has it (RFC 9110, 13.1.3 and 13.1.4).

        The S3 server compares with its file's time, to the nanosecond: a client that sends back the `Last-Modified` it
        was given would always name a time before the last change.
        """
        since, until = (
            self.headers.get("if-modified-since"),
            self.headers.get("if-unmodified-since"),
        )
        if not (since or until) or not (head := self._head(self.query)):
            return True
        changed = parsedate_to_datetime(head["last-modified"])
        if until and "if-match" not in self.headers and changed > parsedate_to_datetime(until):
            self._refuse(412, "PreconditionFailed", "if-unmodified-since does not hold")
            return False
        if (
            since
            and "if-none-match" not in self.headers
            and changed <= parsedate_to_datetime(since)
        ):
            self._refuse(304, "NotModified", "")
            return False
        return True

    def _generation(self) -> str:
        """The number of the live object; "0" when there is none."""
        if not (head := self._head({})):
            return "0"
        return self.generations.seen(self.object, head["etag"], head.get("x-amz-version-id"))

    def _head(self, query: dict[str, str]) -> Message | None:
        """What the S3 server says of the object, if it is there."""
        connection, answer = self._ask("HEAD", query, {}, None)
        answer.read()
        connection.close()
        return answer.headers if answer.status == 200 else None

    def _forward(self, before: Live | None) -> None:
        has_body = self.unread > 0
        with SpooledTemporaryFile(max_size=SPOOLED_BYTES) as body:
            # All of it before it is passed on: the S3 server makes objects of bodies that end too early.
            body.writelines(self._body())
            body.seek(0)
            connection, answer = self._ask(
                self.command, self.query, self._request_headers(), body if has_body else None
            )
            try:
                self._answer(answer, before)
            finally:
                connection.close()

    def _ask(
        self,
        method: str,
        query: dict[str, str],
        headers: dict[str, str],
        body: IO[bytes] | None,
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        path, encoded = sigv4.encode_path(self.object), sigv4.encode_query(query.items())
        host = f"127.0.0.1:{self.upstream_port}"
        headers = sigv4.signed(method, host, path, encoded, headers, None if body else b"")
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.upstream_port, timeout=TIMEOUT_SECONDS, blocksize=BLOCK_BYTES
        )
        with suppress(BrokenPipeError):  # it may answer without reading on
            connection.request(method, f"{path}?{encoded}" if encoded else path, body, headers)
        return connection, connection.getresponse()

    def _request_headers(self) -> dict[str, str]:
        headers = {}
        for name, value in self.headers.items():
            name = name.lower()
            if name in SHARED:
                headers[name] = value
            elif name == "x-goog-copy-source":
                headers["x-amz-copy-source"] = sigv4.encode_path(
                    stored("/" + unquote(value).lstrip("/"))
                )
            elif name.startswith("x-goog-meta-"):
                headers[name.replace("x-goog-", "x-amz-", 1)] = value
            elif name in TO_S3:
                headers[TO_S3[name]] = value
        return headers

    def _body(self) -> Iterator[bytes]:
        while self.unread:
            block = self.rfile.read(min(self.unread, BLOCK_BYTES))
            if not block:
                raise ConnectionResetError("the client sent less than it announced")
            self.unread -= len(block)
            yield block

    def _answer(self, answer: http.client.HTTPResponse, before: Live | None) -> None:
        self._skip_body()
        # Reading the answer to a write first keeps a reader from meeting the object without its number.
        whole = answer.read() if self.command in ("PUT", "POST", "DELETE") else None
        headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in HOP]
        self.send_response(answer.status)
        for name, value in headers:
            if not name.lower().startswith("x-amz-"):
                if name.lower() != "content-length" or whole is None:
                    self.send_header(name, value)
            elif name.lower().startswith("x-amz-meta-"):
                self.send_header(name.lower().replace("x-amz-", "x-goog-", 1), value)
        for name, value in self._object_headers(answer, whole, before):
            self.send_header(name, value)
        if whole is not None:
            self.send_header("Content-Length", str(len(whole)))
            self.end_headers()
            self.wfile.write(whole)
        else:
            self._stream(answer)

    def _stream(self, answer: http.client.HTTPResponse) -> None:
        bodiless = self.command == "HEAD" or answer.status in (204, 304)
        measured = bodiless or answer.getheader("content-length") is not None
        if not measured:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while block := answer.read(BLOCK_BYTES):
            self.wfile.write(block if measured else b"%x\r\n%s\r\n" % (len(block), block))
        if not measured:
            self.wfile.write(b"0\r\n\r\n")

    def _object_headers(
        self, answer: http.client.HTTPResponse, whole: bytes | None, before: Live | None
    ) -> Iterator[tuple[str, str]]:
        """The headers that only Cloud Storage has."""
        if answer.status not in (200, 204, 206, 304):
            return
        version = answer.getheader("x-amz-version-id")
        if self.command == "DELETE":
            if not self.query:
                self.generations.deleted(self.object)
            return
        etag = answer.getheader("etag") or etag_in(whole or b"")
        if self.object.count("/") < 2 or not etag:
            return
        if self._makes_object():
            generation = self.generations.written(self.object, before, etag, version)
        elif self._is_part():
            return
        elif self.selected:
            generation = self.selected
        else:
            generation = self.generations.seen(self.object, etag, version)
        yield "x-goog-generation", generation
        yield "x-goog-metageneration", "1"
        if len(digest := etag.strip('"')) == 32:
            yield "x-goog-hash", f"md5={base64.b64encode(bytes.fromhex(digest)).decode()}"

    def _skip_body(self) -> None:
        """Reads what is left of the body, so that the connection can carry another request."""
        for _ in self._body():
            pass

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._skip_body()
        text = (
            b""
            if status == 304
            else f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'.encode()
        )
        self.send_response(status)
        if text:
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(text)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)


def stored(path: str) -> str:
    """Where the S3 server has `/bucket/key`."""
    return f"/{BUCKET_PREFIX}{path[1:]}" if len(path) > 1 else path


def etag_in(document: bytes) -> str | None:
    """The ETag that the answer to a copy or to the end of a multipart upload carries in its XML."""
    _, found, rest = document.decode(errors="replace").partition("<ETag>")
    return unescape(rest.partition("</ETag>")[0]) if found else None


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


def main() -> None:
    port, upstream = map(int, sys.argv[1:])
    Handler.generations = Generations()
    Handler.upstream_port = upstream
    Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
