"""Requests of one's own: sent once, repeated by a policy, and after the cluster has fetched an object."""

from __future__ import annotations

import time

import pytest
from loopback import Reply, serving

from holdall.aistore.errors import ConnectFailed, ReadTimeout
from holdall.aistore.lock_poller import LockPoller
from holdall.aistore.request_executor import RequestExecutor
from holdall.aistore.retry_config import ColdGetConf, NetworkRetry, RetryConfig
from holdall.aistore.retry_manager import RetryManager
from holdall.aistore.session_manager import SessionManager

PATH = "objects/b/dir/objects/o"
QUICK = NetworkRetry(attempts=3, min_wait=0.01, max_wait=0.02)


def executor(url: str, **settings) -> RequestExecutor:
    return RequestExecutor(f"{url}/v1", SessionManager(), **settings)


def test_a_request_is_sent_once_whatever_becomes_of_it():
    with serving(lambda request: Reply(503, "busy")) as service:
        made = executor(service.url, token="t")
        reply = made.request("get", "/buckets/b", params={"provider": "ais"})
        assert (reply.status_code, reply.text, reply.ok) == (503, "busy", False)
        made.request_absolute("GET", f"{service.url}/v1/cluster?what=smap", {"X-Of": "mine"})
        first, second = service.requests
        assert (first.path, first.query) == ("/v1/buckets/b", {"provider": ["ais"]})
        assert first.headers["authorization"] == "Bearer t"
        assert (second.path, second.query) == ("/v1/cluster", {"what": ["smap"]})
        assert second.headers["x-of"] == "mine"
    with pytest.raises(ConnectFailed) as caught:
        executor("http://127.0.0.1:9").request("GET", "objects/b/o")
    assert caught.value.request.url.startswith("http://127.0.0.1:9/v1/objects/b/o")


def test_calls_are_repeated_as_the_settings_say():
    calls = []

    def call(word: str, *, fails: int) -> str:
        calls.append(word)
        if len(calls) <= fails:
            raise ConnectFailed("nobody there")
        return word

    manager = RetryManager(executor("http://127.0.0.1:9"), RetryConfig(network_retry=QUICK))
    assert manager.with_retry(call, "a", fails=2) == "a"
    assert len(calls) == 3
    calls.clear()
    with pytest.raises(ConnectFailed):
        manager.with_retry(call, "a", fails=3)
    assert len(calls) == 3
    with pytest.raises(KeyError):
        manager.with_retry(dict[str, str]().__getitem__, "a")


def test_policies_of_tenacity_repeat_calls_too():
    tenacity = pytest.importorskip("tenacity")
    slept = []
    policy = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_none(),
        before_sleep=slept.append,
        reraise=True,
    )
    made = executor("http://127.0.0.1:9")
    manager = RetryManager(made, RetryConfig(network_retry=policy))
    with pytest.raises(ConnectFailed):
        manager.with_retry(made.request, "GET", "objects/b/o")
    assert len(slept) == 2


def test_a_read_is_repeated_when_the_cluster_has_fetched_the_object(monkeypatch):
    locked = iter([423, 423, 200])
    monkeypatch.setattr("holdall.aistore.lock_poller._SHORTEST", 0.01)

    def answer(request) -> Reply:
        if request.method == "POST":
            return Reply(next(locked))
        return Reply(200, b"size!" if request.method == "HEAD" else b"content")

    with serving(answer) as service:
        made = executor(service.url)
        reads = []

        def read():
            reads.append(len(service.requests))
            if len(reads) == 1:
                error = ReadTimeout("silence")
                params = {"provider": "aws", "namespace": "n", "signature": "hush"}
                error.request = made.request("GET", PATH, params=params).request
                raise error
            return made.request("GET", PATH, params={"provider": "aws"})

        manager = RetryManager(made, RetryConfig(network_retry=QUICK))
        assert manager.with_retry(read).content == b"content"
        asked = [r for r in service.requests if r.method in ("POST", "HEAD")]
        assert [r.method for r in asked] == ["POST", "HEAD", "POST", "POST"]
        assert {r.path for r in asked} == {f"/v1/{PATH}"}
        # What belongs to the read alone stays with it.
        assert all(set(r.query) <= {"provider", "namespace", "presence"} for r in asked)


def test_patience_ends(monkeypatch):
    monkeypatch.setattr("holdall.aistore.lock_poller._SHORTEST", 0.01)
    with serving(lambda request: Reply(423 if request.method == "POST" else 404)) as service:
        made = executor(service.url)
        request = made.request("GET", PATH, params={"provider": "aws"}).request
        begin = time.monotonic()
        LockPoller(made, ColdGetConf(max_cold_wait=1)).wait_for_unlock(request)
        assert time.monotonic() - begin >= 1
        with pytest.raises(ValueError, match="not about an object"):
            other = made.request("GET", "buckets/b").request
            LockPoller(made, ColdGetConf()).wait_for_unlock(other)
