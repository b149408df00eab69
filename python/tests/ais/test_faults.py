"""Servers that die, lie, or send clients elsewhere: typed errors or recovery, never wrong bytes, never a leaked token."""

from __future__ import annotations

import json
import os
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from loopback import Reply, serving

from holdall import aistore
from holdall.aistore import Client, RetryConfig
from holdall.aistore.authn import AuthNClient
from holdall.aistore.errors import AISError, BrokenStream, ConnectFailed, NetworkError, ReadTimeout
from holdall.aistore.obj.obj_file.errors import ObjectFileReaderMaxResumeError
from holdall.aistore.retry_config import HTTPRetry, NetworkRetry

ONCE = RetryConfig(HTTPRetry(total=0), NetworkRetry(attempts=1))
QUICK = RetryConfig(
    HTTPRetry(total=3, backoff_factor=0.01), NetworkRetry(attempts=4, min_wait=0.01, max_wait=0.02)
)


def smap(*urls: str) -> str:
    def node(at: int, url: str, kind: str) -> dict:
        net = {"node_hostname": "127.0.0.1", "daemon_port": "0", "direct_url": url}
        return {"daemon_id": f"{kind}{at}", "daemon_type": kind, "public_net": net, "flags": 0}

    targets = {f"target{i}": node(i, url, "target") for i, url in enumerate(urls[1:])}
    proxy = node(0, urls[0], "proxy")
    return json.dumps(
        {"tmap": targets, "pmap": {"proxy0": proxy}, "proxy_si": proxy, "version": "1", "uuid": "U"}
    )


class Cuts:
    """A server that sends as much of a body as it is told to, and hangs up."""

    def __init__(self, body: bytes, cuts: list[int]) -> None:
        self.body, self.cuts, self.ranges = body, cuts, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as file:
            while line := file.readline():
                method, path, _ = line.decode().split(" ", 2)
                headers = {}
                while header := file.readline().strip():
                    name, _, value = header.decode().partition(": ")
                    headers[name.lower()] = value
                if "daemon" in path:
                    text = smap(self.url, self.url).encode()
                    file.write(
                        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)
                    )
                    file.flush()
                    continue
                if not self.body_of(method, headers, file):
                    return

    def body_of(self, method: str, headers: dict, file) -> bool:
        start, status, more = 0, "200 OK", ""
        if "range" in headers and method == "GET":
            start = int(headers["range"].removeprefix("bytes=").split("-")[0])
            end = len(self.body) - 1
            status, more = (
                "206 Partial Content",
                f"Content-Range: bytes {start}-{end}/{len(self.body)}\r\n",
            )
        body = self.body[start:]
        head = (
            f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nAis-Present: true\r\nAis-Version: 1\r\n"
            f"Ais-Checksum-Type: none\r\n{more}\r\n"
        )
        file.write(head.encode())
        if method == "HEAD":
            file.flush()
            return True
        self.ranges.append(headers.get("range"))
        cut = self.cuts.pop(0) if self.cuts else len(body)
        file.write(body[:cut])
        file.flush()
        return cut >= len(body)


@contextmanager
def cutting(body: bytes, cuts: list[int]) -> Iterator[Cuts]:
    server = Cuts(body, cuts)
    try:
        yield server
    finally:
        server.listener.close()


BODY = os.urandom(300_000)


@pytest.mark.parametrize("length", [300_000, 3_000_000])
def test_a_body_that_breaks_off_is_continued(length):
    body = BODY * (length // len(BODY))
    with cutting(body, [100_000, 50_000]) as server:
        read = Client(server.url, retry_config=QUICK).bucket("b").object("o").get_reader()
        assert read.read_all() == body
        assert server.ranges[0] is None
        assert server.ranges[1].startswith("bytes=")


def test_a_file_is_continued_as_often_as_it_may_be():
    with cutting(BODY, [100_000, 50_000]) as server:
        made = Client(server.url, retry_config=ONCE).bucket("b").object("o")
        assert made.get_reader().as_file(max_resume=2).read() == BODY
        server.cuts[:] = [100_000, 50_000]
        with pytest.raises(ObjectFileReaderMaxResumeError):
            made.get_reader().as_file(max_resume=1).read()


def test_raw_bodies_are_not_continued():
    with cutting(BODY, [100_000]) as server:
        raw = Client(server.url, retry_config=ONCE).bucket("b").object("o").get_reader().raw()
        with pytest.raises(NetworkError):
            raw.read()


def test_wrong_bytes_are_refused():
    def answer(request) -> Reply:
        if "daemon" in request.path:
            return Reply(404)
        sums = {"Ais-Checksum-Type": "xxhash2", "Ais-Checksum-Value": "0" * 16, "Ais-Version": "1"}
        return Reply(200, b"not what it says", sums)

    with serving(answer) as service:
        made = Client(service.url, retry_config=ONCE).bucket("b").object("o")
        with pytest.raises(BrokenStream, match="xxhash64"):
            made.get_reader().read_all()


def test_a_server_that_is_killed_and_comes_back(tmp_path):
    listen = f"127.0.0.1:{socket.create_server(('127.0.0.1', 0)).getsockname()[1]}"
    server = aistore.serve(tmp_path, listen=listen)
    client = Client(server.url, retry_config=ONCE)
    bucket = client.bucket("b").create()
    bucket.object("a").get_writer().put_content(b"kept")
    server.close()
    calls: list[Callable[[], object]] = [
        bucket.object("a").get_reader().read_all,
        lambda: bucket.object("b").get_writer().put_content(b""),
        bucket.list_all_objects,
        lambda: list(bucket.object("a").get_reader()),
    ]
    for call in calls:
        with pytest.raises(ConnectFailed) as caught:
            call()
        assert caught.value.retryable
        assert caught.value.kind == "connection"
        assert type(pickle.loads(pickle.dumps(caught.value))).__name__ == "ConnectFailed"
    assert not client.cluster().is_ready()
    with aistore.serve(tmp_path, listen=listen):
        assert bucket.object("a").get_reader().read_all() == b"kept"
        assert client.cluster().is_ready()


def test_silence():
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    made = Client(url, timeout=(1, 0.2), retry_config=ONCE).bucket("b").object("o")
    with pytest.raises(ReadTimeout) as caught:
        made.get_reader().read_all()
    assert isinstance(caught.value, TimeoutError)
    listener.close()


@pytest.mark.parametrize(
    ("status", "repeated"), [(503, True), (429, True), (400, False), (501, False)]
)
def test_what_is_repeated(status, repeated):
    seen = []

    def answer(request) -> Reply:
        if request.method != "PUT":
            return Reply(404)
        seen.append(request)
        return Reply(status if len(seen) < 3 else 200, b"")

    with serving(answer) as service:
        made = Client(service.url, retry_config=QUICK).bucket("b").object("o").get_writer()
        if repeated:
            assert made.put_content(b"x").status_code == 200
            assert len(seen) == 3
        else:
            with pytest.raises(AISError) as caught:
                made.put_content(b"x")
            assert (caught.value.status_code, len(seen)) == (status, 1)


def test_an_append_whose_reply_was_lost_is_not_sent_twice():
    seen = []

    def answer(request) -> Reply:
        if request.method != "PUT":
            return Reply(404)
        seen.append(request)
        return Reply(502)

    with serving(answer) as service:
        made = Client(service.url, retry_config=QUICK).bucket("b").object("o").get_writer()
        with pytest.raises(AISError):
            made.append_content(b"x")
        assert len(seen) == 1


@contextmanager
def two(proxy: Callable, target: Callable):
    """A proxy and another server."""
    with serving(target) as other, serving(lambda request: proxy(request, other.url)) as first:
        yield first, other


def test_content_goes_to_the_target_alone():
    def proxy(request, target: str) -> Reply:
        if "daemon" in request.path:
            return Reply(200, smap(f"http://{request.headers['host']}", target))
        return Reply(307, b"", {"Location": f"{target}{request.path}?provider=ais&pid=p&utm=1"})

    seen = []

    def target(request) -> Reply:
        seen.append(request)
        # Busy at first.
        return Reply(503 if len(seen) == 1 else 200)

    with two(proxy, target) as (first, _):
        client = Client(first.url, token="secret", retry_config=QUICK)
        assert (
            client.bucket("b").object("o").get_writer().put_content(b"content").status_code == 200
        )
        puts = [r for r in first.requests if r.method == "PUT"]
        assert [r.body for r in puts] == [b"", b""]
        assert [r.body for r in seen] == [b"content", b"content"]
        assert {r.headers.get("authorization") for r in seen} == {"Bearer secret"}


def test_strangers_do_not_see_the_token():
    def proxy(request, target: str) -> Reply:
        if "daemon" in request.path:
            # The other server is no node of the cluster.
            return Reply(
                200, smap(f"http://{request.headers['host']}", f"http://{request.headers['host']}")
            )
        return Reply(307, b"", {"Location": f"{target}{request.path}"})

    with two(proxy, lambda request: Reply(200, b"theirs")) as (first, other):
        client = Client(first.url, token="secret", retry_config=ONCE)
        made = client.bucket("b").object("o")
        assert made.get_reader().read_all() == b"theirs"
        with pytest.raises(NetworkError, match="no node of the cluster"):
            made.get_writer().put_content(b"mine")
        assert [r.headers.get("authorization") for r in other.requests] == [None]
        assert not any(b"mine" in r.body for r in other.requests)
        assert "secret" not in repr(client) + repr(made) + str(client.bucket("b"))


@pytest.mark.parametrize("status", [401, 403])
def test_tokens_that_are_refused(status):
    token = "eyJhbGci.eyJ1c2Vy.c2VjcmV0"

    def answer(request) -> Reply:
        # Clusters repeat tokens that were revoked.
        text = json.dumps({"status": status, "message": f"token revoked: {token}"})
        return Reply(status, text, {"Content-Type": "application/json"})

    with serving(answer) as service:
        made = Client(service.url, token=token, retry_config=QUICK).bucket("b").object("o")
        with pytest.raises(AISError, match="token revoked") as caught:
            made.get_reader().read_all()
        assert caught.value.kind == ("unauthenticated" if status == 401 else "permission_denied")
        assert token not in str(caught.value)


def test_programs_that_catch_exceptions_of_requests():
    exceptions = pytest.importorskip("requests").exceptions
    client = Client("http://127.0.0.1:9", retry_config=ONCE)
    with pytest.raises(exceptions.ConnectionError):
        client.bucket("b").list_objects()
    with pytest.raises(exceptions.RequestException):
        client.bucket("b").object("o").get_reader().read_all()


def test_pauses_after_failures_of_the_network():
    config = RetryConfig(HTTPRetry(total=0), NetworkRetry(3, min_wait=0.05, max_wait=0.05))
    begin = time.monotonic()
    with pytest.raises(ConnectFailed):
        Client("http://127.0.0.1:9", retry_config=config).bucket("b").list_objects()
    assert time.monotonic() - begin >= 2 * 0.05
    assert config.settings()["network_pauses"] == (0.05, 0.05)


@pytest.mark.parametrize("status", [301, 307, 308])
def test_passwords_stay_with_the_service(status):
    with (
        serving(lambda request: Reply(200, b'{"token": "theirs"}')) as other,
        serving(
            lambda request: (
                Reply(404)
                if "daemon" in request.path
                else Reply(status, b"", {"Location": f"{other.url}{request.path}"})
            )
        ) as service,
    ):
        authn = AuthNClient(service.url, retry_config=ONCE, token="secret")
        for call in (
            lambda: authn.login("admin", "password"),
            lambda: authn.token_manager().revoke("token"),
            authn.logout,
        ):
            with pytest.raises(NetworkError, match="no node of the cluster"):
                call()
        assert other.requests == []


def test_policies_of_tenacity_and_urllib3():
    tenacity = pytest.importorskip("tenacity")
    retry = pytest.importorskip("urllib3").Retry
    calls = []
    policy = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_none(),
        retry=tenacity.retry_if_exception_type(ConnectFailed),
        before_sleep=calls.append,
        reraise=True,
    )
    config = RetryConfig(http_retry=retry(total=0), network_retry=policy)
    client = Client("http://127.0.0.1:9", retry_config=config)
    with pytest.raises(ConnectFailed):
        client.bucket("b").object("o").get_reader().read_all()
    assert len(calls) == 2


def test_settings(monkeypatch):
    monkeypatch.setenv("AIS_AUTHN_TOKEN", "from the environment")
    monkeypatch.setenv("AIS_READ_TIMEOUT", "7")
    monkeypatch.setenv("AIS_CONNECT_TIMEOUT", "0")
    client = Client("http://localhost:8080/v1")._request_client
    assert (client.token, client.timeout) == ("from the environment", (None, 7.0))
    assert client.base_url == "http://localhost:8080/v1"
    assert Client("http://h", timeout=5)._request_client.timeout == 5
    assert Client("http://h", timeout=(3, 0))._request_client.timeout == (3, None)
    assert Client("http://h", timeout=0)._request_client.timeout is None
    with pytest.raises(ValueError, match="endpoint"):
        Client("localhost:8080").bucket("b").list_objects()
    with pytest.warns(UserWarning, match="not verified"):
        Client("https://h", skip_verify=True)
