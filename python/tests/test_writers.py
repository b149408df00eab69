"""Files that are written: what they take, and what becomes of those that nobody closes."""

from __future__ import annotations

import array
import asyncio
import ctypes
import gc
import re
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from loopback import Reply, serving
from test_runtime import in_child

import holdall
from holdall.exceptions import NotModifiedError
from holdall.store import MemoryStore, S3Store

numpy = pytest.importorskip("numpy")

MIB = 1024 * 1024

BUFFERS = {
    "array of int": array.array("i", range(1000)),
    "two dimensions": numpy.arange(600, dtype="float64").reshape(20, 30),
    "memoryview of shorts": memoryview(array.array("h", range(100))),
    "array of ctypes": (ctypes.c_short * 50)(*range(50)),
    "nothing": numpy.empty((0, 4), dtype="int16"),
}


@pytest.mark.parametrize("name", BUFFERS)
def test_buffers_of_any_items(store, name):
    buffer = BUFFERS[name]
    data = bytes(memoryview(buffer).tobytes())
    with holdall.open_writer(store, "k") as writer:
        assert writer.write(buffer) == len(data)
        assert writer.write(b"end") == 3
    assert store.get("k").bytes() == data + b"end"
    store.put("put", buffer)
    assert store.get("put").bytes() == data

    target = numpy.zeros_like(numpy.asarray(buffer))
    assert holdall.open_reader(store, "put").readinto(target) == len(data)
    assert target.tobytes() == data


def test_buffers_with_gaps_are_refused():
    with holdall.open_writer(MemoryStore(), "k") as writer:
        with pytest.raises((ValueError, BufferError), match="contiguous"):
            writer.write(memoryview(b"abcdef")[::2])
        with pytest.raises(TypeError, match="holds Python objects"):
            writer.write(numpy.array([object()]))
        with pytest.raises(TypeError):
            writer.write("text")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("written", [0, 10, 6_000_000])
def test_a_file_belongs_to_the_process_that_opened_it(store, written):
    writer = holdall.open_writer(store, "k", buffer_size=5 * 1024 * 1024)
    writer.write(b"a" * written)

    def work():
        for use in (lambda: writer.write(b"b"), writer.close):
            with pytest.raises(RuntimeError, match="belongs to the parent process"):
                use()
        with holdall.open_writer(store, "of the child") as own:
            own.write(b"c")

    assert in_child(work) == 0
    writer.write(b"d")
    writer.close()
    assert store.get("k").bytes() == b"a" * written + b"d"
    if not isinstance(store, MemoryStore):
        assert store.get("of the child").bytes() == b"c"


def an_upload(request) -> Reply:
    if request.method == "POST":
        return Reply(
            200,
            "<InitiateMultipartUploadResult><UploadId>the-upload</UploadId></InitiateMultipartUploadResult>",
        )
    return Reply(204 if request.method == "DELETE" else 200, headers={"ETag": '"part"'})


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_file_that_is_dropped_warns_and_ends_its_upload(asynchronous):
    with serving(an_upload) as service:
        store = S3Store(
            "bucket",
            endpoint=service.url,
            region="r",
            access_key_id="k",
            secret_access_key="s",
            client_options={"allow_http": True},
        )
        if asynchronous:

            async def write():
                writer = holdall.open_writer_async(store, "k", buffer_size=5 * MIB)
                await writer.write(bytes(11 * MIB))

            with pytest.warns(ResourceWarning, match="not closed"):
                asyncio.run(write())
                gc.collect()
        else:
            writer = holdall.open_writer(store, "k", buffer_size=5 * MIB)
            writer.write(bytes(11 * MIB))
            with pytest.warns(ResourceWarning, match="not closed"):
                del writer
                gc.collect()
        while not (ended := [r for r in service.requests if r.method == "DELETE"]):
            time.sleep(0.01)
    assert ended[0].query == {"uploadId": ["the-upload"]}


def test_a_small_file_that_is_dropped_writes_nothing():
    store = MemoryStore()
    writer = holdall.open_writer(store, "k")
    writer.write(b"x")
    with pytest.warns(ResourceWarning, match=re.escape("memory:///k")):
        del writer
        gc.collect()
    assert not holdall.exists(store, "k")


def test_times_of_any_zone():
    store = MemoryStore()
    store.put("k", b"x")
    later = datetime.now(UTC) + timedelta(hours=1)
    for zone in (UTC, timezone(timedelta(hours=5)), timezone(timedelta(hours=-7))):
        with pytest.raises(NotModifiedError):
            store.get("k", options={"if_modified_since": later.astimezone(zone)})
    with pytest.raises(ValueError, match="time zone"):
        store.get("k", options={"if_modified_since": datetime(2026, 1, 1)})
    with pytest.raises(TypeError, match="datetime"):
        store.get("k", options={"if_modified_since": "yesterday"})
