"""The AIS server in this process. What it answers is tested with AIStore's own clients, in tests/sdk."""

import json
import os
import threading
import urllib.error
import urllib.request

import pytest

from holdall import aistore


def request(method: str, url: str, body: bytes | dict | None = None) -> bytes:
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    sent = urllib.request.Request(url, data=data, method=method)
    with urllib.request.urlopen(sent) as reply:
        return reply.read()


def create(url: str, bucket: str) -> None:
    request("POST", f"{url}/v1/buckets/{bucket}", {"action": "create-bck"})


def test_in_memory():
    with aistore.serve() as server:
        assert server.url.startswith("http://127.0.0.1:")
        create(server.url, "b")
        request("PUT", f"{server.url}/v1/objects/b/o", b"abc")
        assert request("GET", f"{server.url}/v1/objects/b/o") == b"abc"
        assert not server.closed
    assert server.closed
    assert "closed" in repr(server)
    server.close()
    with pytest.raises(urllib.error.URLError):
        request("GET", f"{server.url}/v1/health")


def test_a_folder_keeps_everything(tmp_path):
    with aistore.serve(tmp_path / "data", fsync="always") as server:
        create(server.url, "b")
        request("PUT", f"{server.url}/v1/objects/b/o", b"abc")
    with aistore.serve(os.fspath(tmp_path / "data")) as server:
        assert request("GET", f"{server.url}/v1/objects/b/o") == b"abc"


def test_a_folder_belongs_to_one_server(tmp_path):
    with (
        aistore.serve(tmp_path),
        pytest.raises(OSError, match="another process uses the data folder"),
    ):
        aistore.serve(tmp_path)


def test_two_servers_at_once():
    with aistore.serve() as one, aistore.serve() as two:
        assert one.url != two.url
        create(one.url, "b")
        create(two.url, "b")


@pytest.mark.parametrize(
    "options",
    [
        {"listen": "nowhere"},
        {"fsync": "sometimes"},
        {"tls_cert": "cert.pem"},
        {"max_connections": 0},
    ],
)
def test_arguments_that_cannot_be(options):
    with pytest.raises(ValueError, match=next(iter(options)).split("_")[0]):
        aistore.serve(**options)


def test_an_address_in_use():
    with aistore.serve() as server:
        address = server.url.removeprefix("http://")
        with pytest.raises(OSError, match="cannot listen"):
            aistore.serve(listen=address)


def test_a_server_that_nobody_closed_ends_with_its_last_reference():
    server = aistore.serve()
    url = server.url
    del server
    with pytest.raises(urllib.error.URLError):
        request("GET", f"{url}/v1/health")


def test_many_threads():
    with aistore.serve() as server:
        create(server.url, "b")

        def put(number: int) -> None:
            request("PUT", f"{server.url}/v1/objects/b/{number}", b"x" * number)

        threads = [threading.Thread(target=put, args=(number,)) for number in range(1, 30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(request("GET", f"{server.url}/v1/objects/b/29")) == 29


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_leaves_the_server_to_its_parent():
    server = aistore.serve()
    child = os.fork()
    if child == 0:
        server.close()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert request("GET", f"{server.url}/v1/health") == b""
    server.close()
