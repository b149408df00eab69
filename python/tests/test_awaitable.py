"""Awaitables and event loops."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from loopback import an_object, serving

import holdall
from holdall.store import HTTPStore, LocalStore, MemoryStore, S3Store


@pytest.fixture
def silent_server():
    """Return the URL of a server that accepts requests and never answers, and what it has seen."""
    release, seen = threading.Event(), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            release.wait()

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    release.set()
    server.shutdown()


def slow_store(url: str) -> HTTPStore:
    return HTTPStore(url, client_options={"allow_http": True, "timeout": "60s"})


async def test_every_way_of_waiting(tmp_path):
    for store in (MemoryStore(), LocalStore(tmp_path)):
        await store.put_async("a", b"1")
        assert len(await asyncio.gather(*(store.head_async("a") for _ in range(10)))) == 10
        assert (await asyncio.create_task(store.head_async("a")))["size"] == 1
        assert (await asyncio.wait_for(store.head_async("a"), 10))["size"] == 1
        assert (await asyncio.shield(store.head_async("a")))["size"] == 1
        async with asyncio.TaskGroup() as group:
            task = group.create_task(store.head_async("a"))
        assert task.result()["size"] == 1
        done, _ = await asyncio.wait({asyncio.ensure_future(store.head_async("a"))})
        assert len(done) == 1


def test_without_a_running_loop():
    store = MemoryStore()
    store.put("a", b"1")
    waiting = store.head_async("a")
    assert asyncio.run(waiting)["size"] == 1


async def test_waiting_twice_is_an_error():
    waiting = MemoryStore().put_async("a", b"1")
    await waiting
    with pytest.raises(RuntimeError, match="already been awaited"):
        await waiting


async def test_cancelling_stops_the_request(silent_server):
    url, seen = silent_server
    task = asyncio.create_task(slow_store(url).get_async("a"))
    while not seen:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(slow_store(url).get_async("a"), 0.05)


async def test_cancelling_what_comes_to_its_end_is_heard(tmp_path):
    store = MemoryStore()
    store.put("a", b"1")
    for number in range(1500):
        task = asyncio.ensure_future(holdall.download_async(store, "a", tmp_path / "a"))
        # At any time of it: before it begins, and up to when it has ended.
        await asyncio.sleep(number % 50 * 0.00002)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_the_loop_goes_on_while_requests_wait(silent_server):
    url, _ = silent_server
    waiting = asyncio.ensure_future(slow_store(url).get_async("a"))
    store = MemoryStore()
    for _ in range(100):
        await store.put_async("a", b"1")
        await asyncio.sleep(0)
    waiting.cancel()


def test_uvloop(tmp_path):
    uvloop = pytest.importorskip("uvloop")
    store = LocalStore(tmp_path)

    async def main():
        await store.put_async("a", b"1")
        return await asyncio.gather(*(store.head_async("a") for _ in range(100)))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert len(runner.run(main())) == 100


def test_loops_come_and_go(tmp_path):
    store = LocalStore(tmp_path)

    async def main():
        await store.put_async("a", b"1")

    for _ in range(50):
        asyncio.run(main())


def test_loops_in_threads(tmp_path):
    store, failures = LocalStore(tmp_path), []

    async def main(name):
        for i in range(50):
            await store.put_async(f"{name}/{i}", b"1")

    def run(name):
        try:
            asyncio.run(main(name))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sum(len(chunk) for chunk in store.list()) == 200


def test_leaving_with_operations_under_way(tmp_path):
    script = f"""
import asyncio, holdall
store = holdall.store.LocalStore({str(tmp_path)!r})
async def main():
    await store.put_async("a", b"1")
    global kept
    kept = [store.get_async("a") for _ in range(50)]
    for one in kept[:5]:
        await one
asyncio.run(main())
"""
    for _ in range(20):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_cancelled_operations_keep_nothing_open(silent_server):
    import os

    url, _ = silent_server
    store = slow_store(url)

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store.get_async("a"), 0.01)

    def wake_ups():
        links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
        return sum("eventfd" in os.readlink(link) for link in links if os.path.islink(link))

    asyncio.run(main())
    before = wake_ups()
    for _ in range(20):
        asyncio.run(main())
    assert wake_ups() <= before + 2


MANY = """
import asyncio, resource, sys
import holdall
from holdall.store import HTTPStore

url, file = sys.argv[1:]
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (512, most))
store = HTTPStore.from_url(url, client_options={"allow_http": True})

async def main():
    for operation in (
        lambda i: store.put_async(f"{i}", b"content"),
        lambda i: store.put_async(f"{i}", file),
        lambda i: holdall.upload_async(store, f"{i}", file),
    ):
        await asyncio.gather(*map(operation, range(1000)))

asyncio.run(main())
print("done")
"""


def test_hundreds_of_operations_at_once_open_few_files(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"content")
    with serving(an_object) as service:
        done = subprocess.run(
            [sys.executable, "-c", MANY, service.url, str(file)], capture_output=True, text=True
        )
    assert done.stdout == "done\n", done.stderr
    assert {request.path for request in service.requests} == {f"/{i}" for i in range(1000)}
    assert len(service.requests) >= 3000


async def test_an_operation_that_breaks_ends():
    # No header can have a line in it: signing such a credential panics, far below.
    credential = {
        "access_key_id": "a",
        "secret_access_key": "b",
        "token": "c\nd",
        "expires_at": None,
    }
    store = S3Store(
        "bucket",
        region="us-east-1",
        endpoint="http://127.0.0.1:9",
        client_options={"allow_http": True},
        credential_provider=lambda: credential,
    )
    for waiting in (store.head_async("a"), store.put_async("a", b"1")):
        with pytest.raises(BaseException) as raised:
            await waiting
        assert "connect" not in str(raised.value)
    memory = MemoryStore()
    await memory.put_async("a", b"1")
    assert (await memory.head_async("a"))["size"] == 1
