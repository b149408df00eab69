"""The bases of transformers: what a target that talks to one sees."""

from __future__ import annotations

import base64
import contextlib
import http.client
import pickle
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("requests", reason="requests is not installed")

from holdall.aistore.errors import InvalidPipelineError
from holdall.aistore.etl.webserver import (
    ETLServer,
    HTTPMultiThreadedServer,
    serialize_class,
)
from holdall.aistore.etl.webserver.http_multi_threaded_server import (
    ThreadedHTTPServer,
)
from holdall.aistore.etl.webserver.utils import (
    compose_etl_direct_put_url,
    parse_etl_pipeline,
)


class Upper(HTTPMultiThreadedServer):
    def transform(self, data: Any, path: str, etl_args: str) -> bytes:
        if isinstance(data, str):
            data = Path(data).read_bytes() + b" of a file"
        if data == b"bad":
            raise ValueError("cannot be transformed")
        return bytes(data).upper() + etl_args.encode()


class Pieces(HTTPMultiThreadedServer):
    def transform_stream(self, reader: Any, path: str, etl_args: str) -> Iterator[bytes]:
        while piece := reader.read(4):
            if piece == b"stop":
                raise ValueError("it stops here")
            yield piece.upper()


class Target:
    """A target: gives objects, takes results, and fails as often as it is told."""

    def __init__(self) -> None:
        self.got: dict[str, bytes] = {}
        self.refusals = 0
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                self._answer(404 if "none" in self.path else 200, f"object {self.path}".encode())

            def do_PUT(self) -> None:
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    content = b""
                    while size := int(self.rfile.readline(), 16):
                        content += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    content = self.rfile.read(int(self.headers["Content-Length"]))
                if target.refusals:
                    target.refusals -= 1
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                target.got[self.path] = content
                self._answer(200, b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    made = Target()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AIS_TARGET_URL", made.url)
    yield made
    made.server.shutdown()
    made.server.server_close()


Answer = tuple[int, dict[str, str], bytes]


class Ask:
    """Sends requests to a server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(connection):
            connection.request(method, path, body, named)
            reply = connection.getresponse()
            return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()


@contextlib.contextmanager
def running(etl: HTTPMultiThreadedServer) -> Iterator[Ask]:
    server = ThreadedHTTPServer(("127.0.0.1", 0), etl.RequestHandler, etl)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Ask(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def test_contents_are_sent_or_fetched(target: Target, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"on disk")
    with running(Upper()) as ask:
        assert ask("GET", "/health")[::2] == (200, b"Running")
        assert ask("PUT", "/b/o?etl_args=!", b"abc")[::2] == (200, b"ABC!")
        assert ask("GET", "/b%2Fo")[::2] == (200, b"OBJECT /B%2FO")
        assert ask("PUT", f"/b/o?etl_fqn={file}")[::2] == (200, b"ON DISK")
        assert ask("PUT", "/b/o?etl_fqn=/none/at/all")[0] == 404
        assert ask("GET", "/none")[0] == 404
        status, _, text = ask("PUT", "/b/o", b"bad")
        assert status == 500 and b"cannot be transformed" in text


def test_files_are_given_by_path(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    monkeypatch.setenv("ETL_DIRECT_FQN", "true")
    with running(Upper()) as ask:
        assert ask("PUT", f"/b/o?etl_fqn={tmp_path}/f")[2] == b"ABC OF A FILE"


def test_a_connection_serves_many_requests(target: Target) -> None:
    server = ThreadedHTTPServer(("127.0.0.1", 0), Upper.RequestHandler, Upper())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
    for path, content in [("/b/1", b"one"), ("/b/2", b"bad"), ("/b/3", b"three")]:
        connection.request("PUT", path, content)
        reply = connection.getresponse()
        assert (reply.status == 200) == (content != b"bad")
        reply.read()
    connection.close()
    server.shutdown()
    server.server_close()


def test_streams_pass_in_pieces(target: Target) -> None:
    with running(Pieces()) as ask:
        status, headers, body = ask("PUT", "/b/o", b"abcdefghij")
        assert (status, body) == (200, b"ABCDEFGHIJ")
        assert headers["transfer-encoding"] == "chunked"
        assert ask("PUT", "/b/o", b"")[::2] == (200, b"")
        # Before the first piece there is a status; after it, only a broken reply.
        assert ask("PUT", "/b/o", b"stop")[0] == 500
        with pytest.raises(http.client.IncompleteRead):
            ask("PUT", "/b/o", b"abcdstop")


@pytest.mark.parametrize("kind", [Upper, Pieces])
def test_results_are_delivered(target: Target, kind: type[HTTPMultiThreadedServer]) -> None:
    with running(kind()) as ask:
        status, headers, body = ask(
            "PUT", "/b/o", b"abcd", Ais_Node_Url=f"{target.url}/to/there?x=1"
        )
        assert (status, body) == (204, b"")
        assert headers["ais-direct-put-length"] == "4"
    assert target.got == {"/to/there?x=1": b"ABCD"}


def test_a_pipeline_ends_where_it_began(target: Target) -> None:
    with running(Upper()) as first, running(Upper()) as second:
        stage = f"http://127.0.0.1:{second.port}"
        status, _, body = first("PUT", "/b/o?etl_args=%3F", b"ab", Ais_Node_Url=stage)
        assert (status, body) == (200, b"AB??")


def test_broken_deliveries_are_repeated(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    target.refusals = 2
    with running(Upper()) as ask:
        assert ask("PUT", "/b/o", b"abcd", Ais_Node_Url=f"{target.url}/x")[0] == 204
    target.refusals = 9
    with running(Upper()) as ask:
        assert ask("PUT", "/b/o", b"abcd", Ais_Node_Url=f"{target.url}/x")[0] == 502
    # A body that was streamed is gone: the cluster is asked to send it again.
    target.refusals = 1
    with running(Pieces()) as ask:
        status, headers, _ = ask("PUT", "/b/o", b"abcd", Ais_Node_Url=f"{target.url}/x")
        assert status == 503
        assert headers["ais-etl-retry-reason"] == "direct-put-transient"
    target.refusals = 1
    with running(Pieces()) as ask:
        assert ask("GET", "/b/o", None, Ais_Node_Url=f"{target.url}/x")[0] == 204


def test_nobody_there_is_said_at_once(target: Target) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/nobody"
        with running(Upper()) as ask:
            status, _, text = ask("PUT", "/b/o", b"abc", Ais_Node_Url=url)
    assert status == 502 and b"/nobody" in text


def test_pipelines_that_cannot_be_are_refused(target: Target) -> None:
    with running(Upper()) as ask:
        status, _, text = ask("PUT", "/b/o", b"abc", Ais_Node_Url=",http://x")
        assert status == 400 and b"Invalid pipeline" in text
    assert parse_etl_pipeline(" http://a , http://b ") == ("http://a", "http://b")
    assert parse_etl_pipeline(None) == ("", "")
    with pytest.raises(InvalidPipelineError):
        parse_etl_pipeline("http://a,,http://b")


def test_urls_of_the_next_stage() -> None:
    host = "http://t:8/v1/etl/_object/n/s"
    compose = compose_etl_direct_put_url
    assert compose("http://next", host, "b/ö", "a b") == "http://next/b/%C3%B6?etl_args=a+b"
    assert compose("http://t2/b/o?xid=1", host, "x") == "http://t2/v1/etl/_object/n/s/b/o?xid=1"
    assert compose("http://n?etl_args=1", host, "o", "2") == "http://n/o?etl_args=2"


def test_classes_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    class Neither(HTTPMultiThreadedServer):
        pass

    monkeypatch.delenv("AIS_TARGET_URL", raising=False)
    with pytest.raises(OSError, match="AIS_TARGET_URL"):
        Upper()
    monkeypatch.setenv("AIS_TARGET_URL", "http://t")
    with pytest.raises(TypeError, match="transform"):
        Neither()
    with pytest.raises(TypeError, match="not a subclass"):
        serialize_class(dict)  # type: ignore[arg-type]


def test_classes_travel_as_text(target: Target) -> None:
    pytest.importorskip("cloudpickle", reason="cloudpickle is not installed")

    class Local(HTTPMultiThreadedServer):
        def transform(self, data: Any, path: str, etl_args: str) -> bytes:
            return bytes(data)[::-1]

    came = pickle.loads(base64.b64decode(serialize_class(Local)))
    assert issubclass(came, ETLServer)
    with running(came()) as ask:
        assert ask("PUT", "/b/o", b"abc")[2] == b"cba"


def test_flask_speaks_the_same_contract(target: Target) -> None:
    pytest.importorskip("flask", reason="flask is not installed")
    from holdall.aistore.etl.webserver.flask_server import FlaskServer

    class Server(FlaskServer):
        def transform(self, data: Any, path: str, etl_args: str) -> bytes:
            return f"{path} ".encode() + bytes(data) + etl_args.encode()

    client = Server().app.test_client()
    assert client.get("/health").data == b"Running"
    assert client.put("/b/o?etl_args=!", data=b"abc").data == b"b/o abc!"
    assert client.get("/b/o").data == b"b/o object /b%2Fo"
    assert client.get("/none").status_code == 404
    reply = client.put("/b/o", data=b"1", headers={"Ais-Node-Url": f"{target.url}/x"})
    assert (reply.status_code, reply.headers["Ais-Direct-Put-Length"]) == (204, "5")
    assert target.got["/x"] == b"b/o 1"


def test_fastapi_speaks_the_same_contract(target: Target) -> None:
    pytest.importorskip("fastapi", reason="fastapi is not installed")
    from fastapi.testclient import TestClient

    from holdall.aistore.etl.webserver.fastapi_server import FastAPIServer

    class Server(FastAPIServer):
        def transform(self, data: Any, path: str, etl_args: str) -> bytes:
            return f"{path} ".encode() + bytes(data) + etl_args.encode()

    class Streaming(FastAPIServer):
        def transform_stream(self, reader: Any, path: str, etl_args: str) -> Iterator[bytes]:
            while piece := reader.read(3):
                yield piece[::-1]

    with TestClient(Server().app) as client:
        assert client.get("/health").content == b"Running"
        assert client.put("/b/o?etl_args=!", content=b"abc").content == b"b/o abc!"
        assert client.get("/b/o").content == b"b/o object /b%2Fo"
        assert client.get("/none").status_code == 404
        reply = client.put("/b/o", content=b"1", headers={"Ais-Node-Url": f"{target.url}/x"})
        assert (reply.status_code, reply.headers["Ais-Direct-Put-Length"]) == (204, "5")
        with client.websocket_connect("/ws") as ws:
            for _ in range(2):
                ws.send_json({"path": "b/o", "etl_args": "?"}, mode="binary")
                ws.send_bytes(b"abc")
                assert ws.receive_bytes() == b"b/o abc?"
    with TestClient(Streaming().app) as client:
        assert client.put("/b/o", content=b"abcdefgh").content == b"cbafedhg"
        reply = client.put("/b/o", content=b"abcd", headers={"Ais-Node-Url": f"{target.url}/y"})
        assert (reply.status_code, target.got["/y"]) == (204, b"cbad")
