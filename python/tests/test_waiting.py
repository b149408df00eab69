"""Synchronous calls over the network: the thread that waits drives its own sockets."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from test_runtime import in_child

from holdall.exceptions import BaseError
from holdall.store import HTTPStore

HEAD = (
    "HTTP/1.1 200 OK\r\nLast-Modified: Sat, 21 Nov 2026 00:00:00 GMT\r\nContent-Length: {}\r\n\r\n"
)
LONG = bytes(range(256)) * 40_000


class Handler(socketserver.StreamRequestHandler):
    """Keys say what comes back: `long`, `silent`, `slow` (one byte, then silence), or else the key itself."""

    def handle(self):
        self.server.connections += 1
        while line := self.rfile.readline():
            key = line.split()[1].decode().lstrip("/")
            while self.rfile.readline().strip():
                pass
            self.server.requested.set()
            body = LONG if key.startswith("long") else key.encode()
            try:
                if key == "silent":
                    self.server.ended.wait()
                elif key == "slow":
                    self.wfile.write(HEAD.format(100).encode() + b"x")
                    self.server.ended.wait()
                else:
                    self.wfile.write(HEAD.format(len(body)).encode() + body)
            except OSError:
                return


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections = 0
        self.requested = threading.Event()
        self.ended = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.ended.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def store(server):
    return HTTPStore(server.url, client_options={"allow_http": True})


@pytest.fixture(params=["http", "https"])
def real_store(request):
    """A store on a real server, where direct requests (plain) and those of a local runtime (TLS) differ."""
    if request.param == "http":
        url, options = os.environ.get("HOLDALL_TEST_HTTP_URL"), {"allow_http": True}
    else:
        url = os.environ.get("HOLDALL_TEST_HTTPS_URL")
        ca = os.environ.get("HOLDALL_TEST_CA_FILE")
        options = {"root_certificate": Path(ca).read_text()} if ca else {}
    if not url:
        pytest.skip("no HTTP service: start services/up and source .services/env")
    # A folder of its own: several runs of the tests may share the server.
    name = f"waiting-{uuid.uuid4().hex}"
    folder = Path(os.environ["HOLDALL_TEST_HTTP_ROOT"]) / name
    folder.mkdir()
    (folder / "waiting.bin").write_bytes(LONG)
    yield HTTPStore(f"{url}/{name}", client_options=options)
    shutil.rmtree(folder)


def test_a_body_is_read_by_whoever_wants_it(real_store):
    assert real_store.get("waiting.bin").bytes() == LONG
    assert asyncio.run(real_store.get("waiting.bin").bytes_async()) == LONG
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(real_store.get("waiting.bin").bytes).result() == LONG
    assert b"".join(real_store.get("waiting.bin").stream(100_000)) == LONG

    async def mixed():
        stream = real_store.get("waiting.bin").stream(100_000)
        pieces = [next(stream), await anext(stream)]
        pieces += [piece async for piece in stream]
        return b"".join(pieces)

    assert asyncio.run(mixed()) == LONG

    async def begun_asynchronously():
        got = await real_store.get_async("waiting.bin")
        return await asyncio.to_thread(got.bytes)

    assert asyncio.run(begun_asynchronously()) == LONG


def test_bodies_that_nobody_reads_are_forgotten(real_store):
    for _ in range(10):
        real_store.get("waiting.bin")
        next(real_store.get("waiting.bin").stream(1000))
    assert real_store.get("waiting.bin").bytes() == LONG


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_body_of_the_parent_is_refused_in_a_child(real_store):
    got, stream = real_store.get("waiting.bin"), real_store.get("waiting.bin").stream(100_000)
    first = next(stream)

    def work():
        for read in (got.bytes, lambda: next(stream)):
            with pytest.raises(RuntimeError, match="belongs to the parent process"):
                read()
        assert real_store.get("waiting.bin").bytes() == LONG

    assert in_child(work) == 0
    assert got.bytes() == LONG
    assert first + b"".join(stream) == LONG


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_of_a_busy_process_works(real_store):
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            real_store.head("waiting.bin")

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:

        def work():
            assert real_store.get("waiting.bin").bytes() == LONG

        assert [in_child(work) for _ in range(10)] == [0] * 10
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_threads_use_connections_again(server, store):
    with ThreadPoolExecutor(8) as pool:
        keys = [f"key-{i}" for i in range(400)]
        assert list(pool.map(lambda key: store.get(key).bytes(), keys)) == [
            key.encode() for key in keys
        ]
    assert server.connections <= 8


def test_threads_one_after_the_other_share_a_connection(server, store):
    for _ in range(20):
        thread = threading.Thread(target=lambda: store.get("key").bytes())
        thread.start()
        thread.join()
    assert server.connections == 1


def test_more_threads_than_runtimes(server, store):
    with ThreadPoolExecutor(100) as pool:
        barrier = threading.Barrier(100)

        def one(i):
            barrier.wait()
            return store.get(f"key-{i}").bytes()

        assert len(list(pool.map(one, range(100)))) == 100


def test_a_handler_of_signals_may_use_stores(server, store):
    answers = []
    options = {"allow_http": True, "timeout": "500ms"}
    other = HTTPStore(server.url, client_options=options, retry_config={"max_retries": 0})

    def handler(*_):
        answers.append(store.get("from the handler").bytes())

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(BaseError, match="timed out"):
            other.get("silent")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert answers == [b"from%20the%20handler"]
    assert store.get("after").bytes() == b"after"


@pytest.mark.parametrize("read", ["get('silent')", "get('slow').bytes()", "head('silent')"])
def test_an_interrupt_ends_the_wait_at_once(server, read):
    script = textwrap.dedent(f"""
        import time, holdall
        store = holdall.store.HTTPStore({server.url!r}, client_options={{"allow_http": True}})
        try:
            store.{read}
        except KeyboardInterrupt:
            print(time.time(), store.get("again").bytes().decode(), flush=True)
    """)
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    server.requested.wait()
    time.sleep(0.2)
    sent = time.time()
    child.send_signal(signal.SIGINT)
    when, answer = child.communicate()[0].split()
    assert answer == "again"
    # Generous: what is tested is that it does not take the thirty seconds of the time-out.
    assert float(when) - sent < 10


def test_a_cancelled_read_lets_go(server, store):
    async def main():
        got = store.get("slow")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(got.bytes_async(), 0.1)

    asyncio.run(main())
    assert store.get("after").bytes() == b"after"


def test_the_interpreter_ends_while_threads_wait(server):
    script = textwrap.dedent(f"""
        import threading, holdall
        store = holdall.store.HTTPStore({server.url!r}, client_options={{"allow_http": True}})
        threads = [threading.Thread(target=store.get, args=("silent",), daemon=True) for _ in range(4)]
        [thread.start() for thread in threads]
        print(len(store.get("key").bytes()), flush=True)
    """)
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


def test_a_server_that_closes_idle_connections():
    """Every request is answered, although no connection lives longer than one."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(HEAD.format(2).encode() + b"ok")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    options = {"allow_http": True}
    store = HTTPStore(url, client_options=options, retry_config={"max_retries": 0})
    for _ in range(20):
        assert store.get("key").bytes() == b"ok"
        time.sleep(0.005)
    listener.close()
