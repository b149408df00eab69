"""Forks and signals."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from holdall.store import LocalStore, MemoryStore


def in_child(work) -> int:
    """Run `work` in a forked child and return its exit status."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("used_before", [False, True])
def test_forked_children_work(tmp_path, used_before):
    store = LocalStore(tmp_path)
    if used_before:
        asyncio.run(store.put_async("before", b"1"))

    def work():
        store.put("sync", b"1")
        asyncio.run(store.put_async("async", b"1"))
        assert len(store.list().collect()) == 2 + used_before

    assert in_child(work) == 0
    assert asyncio.run(store.get_async("async")).bytes() == b"1"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_children_open_their_own_connections(s3_store):
    s3_store.put("a", b"1")

    def work():
        for _ in range(5):
            assert s3_store.get("a").bytes() == b"1"

    children = [in_child(work) for _ in range(3)]
    assert children == [0, 0, 0]
    assert s3_store.get("a").bytes() == b"1"


def test_an_interrupt_ends_a_waiting_call():
    script = textwrap.dedent("""
        import socket, holdall
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        server.listen()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        store = holdall.store.HTTPStore(url, client_options={"allow_http": True})
        try:
            print("waiting", flush=True)
            store.get("a")
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """)
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "waiting\n"
    child.send_signal(signal.SIGINT)
    assert child.communicate()[0] == "interrupted\n"


def test_no_runtime_before_it_is_needed():
    script = "import holdall, threading, os; s = holdall.store.MemoryStore(); s.put('a', b''); s.get('a').bytes(); print(len(os.listdir('/proc/self/task')))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


def test_threads():
    from concurrent.futures import ThreadPoolExecutor

    store = MemoryStore()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: store.put(f"k{i}", b"x" * i), range(500)))
        sizes = list(pool.map(lambda i: len(store.get(f"k{i}").bytes()), range(500)))
    assert sizes == list(range(500))
