"""Programs that met a defect of obstore 0.12.1 and must work here."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import threading
import time
import zipfile
from pathlib import PurePosixPath

import pytest

import holdall
from holdall.store import AzureStore, HTTPStore, LocalStore, MemoryStore, S3Store, from_url

KEYS = {"access_key_id": "a", "secret_access_key": "b", "region": "eu-west-1"}


def test_result_of_a_put_as_mode():
    store = MemoryStore()
    assert holdall.put(store, "k", b"2", mode=holdall.put(store, "k", b"1"))


def test_none_in_get_options():
    store = MemoryStore()
    holdall.put(store, "k", b"x")
    assert holdall.get(store, "k", options={"if_match": None, "range": None}).bytes() == b"x"


def test_a_buffer_reused_after_writing_it():
    store, buffer = MemoryStore(), bytearray(b"A" * 1000)
    with holdall.open_writer(store, "k") as writer:
        writer.write(buffer)
        buffer[:] = b"B" * 1000
        writer.write(buffer)
    assert holdall.get(store, "k").bytes() == b"A" * 1000 + b"B" * 1000
    holdall.put(store, "put", buffer)
    buffer[:] = b"C" * 1000
    assert holdall.get(store, "put").bytes() == b"B" * 1000


def test_reader():
    store, body = MemoryStore(), os.urandom(300) + b"\n\xff\xfe\n" + os.urandom(2_000_000)
    holdall.put(store, "k", body)
    reader = holdall.open_reader(store, "k", buffer_size=1024 * 1024)
    assert reader.read(700_000) + reader.read(700_000) == body[:1_400_000]
    assert reader.read(-1) == body[1_400_000:]
    reader.seek(0)
    assert reader.readlines() == io.BytesIO(body).readlines()


def test_lines_and_other_reads_together():
    store, body = MemoryStore(), b"".join(b"line %d\n" % i for i in range(1000)) + b"end"
    holdall.put(store, "k", body)
    ours, theirs = holdall.open_reader(store, "k"), io.BytesIO(body)
    ours_found, theirs_found = [], []
    for file, found in ((ours, ours_found), (theirs, theirs_found)):
        found += [file.readline(), file.tell(), file.read(10), file.readline(3), file.readline()]
        found += [file.seek(-20, 1), file.readline(), next(file), file.tell()]
        target = bytearray(7)
        found += [file.readinto(target), bytes(target), file.readline(), file.read()]
        found += [file.readline(), file.tell()]
    assert ours_found == theirs_found


def test_representations_do_not_panic(monkeypatch):
    monkeypatch.setenv("AWS_BUCKET", "bucket")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert "bucket" in repr(S3Store())
    assert "container" in repr(AzureStore("container"))
    store = S3Store("b", allow_http=True, **KEYS)
    assert "allow_http" in store.config


def test_gcs_scheme():
    assert repr(from_url("gcs://bucket/a")) == 'GCSStore(bucket="bucket", prefix="a")'


def test_bytes_are_like_bytes():
    store = MemoryStore()
    holdall.put(store, "k", b'{"a": 1}')
    data = holdall.get(store, "k").bytes()
    assert json.loads(data) == {"a": 1}
    assert {data: 1}[b'{"a": 1}'] == 1
    assert data.decode() == '{"a": 1}'
    assert data.find(b"a") == 2
    assert data.split(b":") == [b'{"a"', b" 1}"]
    assert b"" in data


def test_archives():
    store, archive = MemoryStore(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("name", "content")
    holdall.put(store, "k.zip", archive.getvalue())
    with zipfile.ZipFile(holdall.open_reader(store, "k.zip")) as found:
        assert found.read("name") == b"content"


def test_head_and_version_are_not_ignored():
    store = MemoryStore()
    holdall.put(store, "k", b"x")
    assert holdall.get(store, "k", options={"head": True}).bytes() == b""
    with pytest.raises(NotImplementedError):
        holdall.get(store, "k", options={"version": "1"})


def test_lists_of_unequal_lengths():
    store = MemoryStore()
    holdall.put(store, "k", b"0123456789")
    with pytest.raises(ValueError, match="2"):
        holdall.get_ranges(store, "k", starts=[0, 1], ends=[5])


def test_path_objects_and_numbers():
    store = MemoryStore()
    holdall.put(store, PurePosixPath("a") / "k", b"x")
    assert holdall.head(store, "a/k")["size"] == 1
    holdall.copy(store, PurePosixPath("a/k"), PurePosixPath("b"))
    holdall.delete(store, PurePosixPath("b"))
    HTTPStore("https://example.com", client_options={"pool_max_idle_per_host": 8})


def test_attributes_of_local_files(tmp_path):
    store = LocalStore(tmp_path)
    try:
        holdall.put(store, "k", b"x", attributes={"Content-Type": "text/plain"})
    except NotImplementedError:
        pytest.skip("this file system keeps no attributes")
    assert holdall.get(store, "k").attributes == {"Content-Type": "text/plain"}


@pytest.fixture
def silent_server():
    """Return the URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_interrupts_end_a_waiting_call(silent_server):
    store = HTTPStore(silent_server, client_options={"allow_http": True, "timeout": "60s"})
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        holdall.get(store, "k")
    # Far from the timeout of the client, whatever else the machine does.
    assert time.monotonic() - start < 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_can_go_on(tmp_path):
    store = LocalStore(tmp_path)
    holdall.put(store, "k", iter([b"content"]))
    child = os.fork()
    if child == 0:
        try:
            holdall.put(store, "child", iter([holdall.get(store, "k").bytes()]))
        finally:
            os._exit(0)
    deadline = time.monotonic() + 60
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            pytest.fail("the child hangs")
        time.sleep(0.02)
    assert holdall.get(store, "child").bytes() == b"content"
