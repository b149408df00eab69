"""Objects as files."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import pickle
import random
import tarfile
import zipfile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import holdall
from holdall.exceptions import PreconditionError
from holdall.store import MemoryStore


@pytest.mark.parametrize("buffer_size", [7, 100, 1 << 20])
def test_reads_like_a_local_file(store, buffer_size):
    rng = random.Random(buffer_size)
    data = bytes(rng.choice(b"ab\n\xff") for _ in range(2000))
    store.put("k", data)
    ours = holdall.open_reader(store, "k", buffer_size=buffer_size)
    theirs = io.BytesIO(data)
    for _ in range(100):
        match rng.randrange(6):
            case 0:
                n = rng.randrange(-1, 400)
                assert ours.read(n) == theirs.read(n)
            case 1:
                assert ours.readline() == theirs.readline()
            case 2:
                at = rng.randrange(2100)
                assert ours.seek(at) == theirs.seek(at)
            case 3:
                mine, other = bytearray(rng.randrange(300)), None
                other = bytearray(len(mine))
                assert ours.readinto(mine) == theirs.readinto(other)
                assert mine == other
            case 4:
                n = rng.randrange(300)
                first = ours.read1(n)
                assert len(first) <= n
                assert theirs.read(len(first)) == first
            case 5:
                back = -min(theirs.tell(), rng.randrange(50))
                assert ours.seek(back, 1) == theirs.seek(back, 1)
        assert ours.tell() == theirs.tell()
    ours.seek(0)
    assert list(ours) == data.splitlines(keepends=True) or list(io.BytesIO(data))
    assert ours.seek(-5, 2) == 1995
    assert ours.readall() == data[-5:]


def test_lines(store):
    data = b"one\ntwo\r\n\xff\xfe\nlast"
    store.put("k", data)
    with holdall.open_reader(store, "k") as file:
        assert list(file) == list(io.BytesIO(data))
    assert holdall.open_reader(store, "k").readlines() == io.BytesIO(data).readlines()
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_other_libraries(store):
    with holdall.open_writer(store, "a.zip") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x", "1" * 1000)
    with zipfile.ZipFile(holdall.open_reader(store, "a.zip")) as archive:
        assert archive.read("x") == b"1" * 1000
    with (
        holdall.open_writer(store, "a.tgz") as file,
        tarfile.open(fileobj=file, mode="w:gz") as tar,
    ):
        info = tarfile.TarInfo("x")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"abc"))
    with tarfile.open(fileobj=holdall.open_reader(store, "a.tgz")) as tar:
        assert tar.extractfile("x").read() == b"abc"
    table = pa.table({"a": [1, 2, 3]})
    with holdall.open_writer(store, "a.parquet") as file:
        pq.write_table(table, file)
    assert pq.read_table(holdall.open_reader(store, "a.parquet")).equals(table)
    store.put("a.csv", "a,b\n1,ü\n".encode())
    assert pd.read_csv(holdall.open_reader(store, "a.csv")).to_dict("list") == {
        "a": [1],
        "b": ["ü"],
    }
    text = io.TextIOWrapper(holdall.open_reader(store, "a.csv"), encoding="utf-8")
    assert list(csv.reader(text)) == [["a", "b"], ["1", "ü"]]
    store.put("a.pickle", pickle.dumps({"x": 1}))
    assert pickle.load(holdall.open_reader(store, "a.pickle")) == {"x": 1}
    store.put("a.json", b'{"x": 1}')
    assert json.load(holdall.open_reader(store, "a.json")) == {"x": 1}


def test_a_file_is_of_one_version(store):
    store.put("k", b"1" * 100)
    file = holdall.open_reader(store, "k", buffer_size=10)
    assert file.read(10) == b"1" * 10
    store.put("k", b"22" * 100)
    with pytest.raises(PreconditionError):
        file.read(50)


def test_writes(store):
    with holdall.open_writer(store, "k", attributes={"Content-Type": "x/y"}) as file:
        reused = bytearray(b"AAAA")
        assert file.write(reused) == 4
        reused[:] = b"BBBB"
        file.write(reused)
        assert file.tell() == 8
        assert not file.closed
        assert not file.closed()
        assert not store.exists("k")
    assert file.closed
    assert file.closed()
    assert store.get("k").bytes() == b"AAAABBBB"
    assert store.get("k").attributes["Content-Type"] == "x/y"
    with pytest.raises(ValueError, match="closed"):
        file.write(b"")


def test_large_writes_go_in_parts(store):
    data = random.Random(1).randbytes(12_000_000)
    with holdall.open_writer(store, "k", buffer_size=5_500_000) as file:
        for at in range(0, len(data), 70_000):
            file.write(data[at : at + 70_000])
    assert store.get("k").bytes() == data


def test_an_exception_leaves_the_object_as_it_was(store):
    store.put("k", b"before")
    with pytest.raises(RuntimeError), holdall.open_writer(store, "k", buffer_size=10) as file:
        file.write(b"x" * 100)
        raise RuntimeError
    assert store.get("k").bytes() == b"before"


def test_a_file_that_is_dropped_is_not_written():
    store = MemoryStore()
    file = holdall.open_writer(store, "k")
    file.write(b"half")
    with pytest.warns(ResourceWarning, match="not closed"):
        del file
    assert not store.exists("k")


async def test_async_files(store):
    async with holdall.open_writer_async(store, "k", buffer_size=5_500_000) as writer:
        for _ in range(3):
            assert await writer.write(b"line one\nline two\n" * 200_000) == 3_600_000
        assert not await writer.closed()
    reader = await holdall.open_reader_async(store, "k")
    assert reader.size == 10_800_000
    assert await reader.readline() == b"line one\n"
    assert await reader.read(4) == b"line"
    assert await reader.seek(-9, 2) == 10_799_991
    assert [line async for line in reader] == [b"line two\n"]


class _Refusing:
    """A server that refuses everything but small reads, as its script says."""

    def __init__(self, replies):
        import threading
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        outer = self
        self.replies, self.seen = list(replies), []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                outer.seen.append((self.command, self.path))
                status, headers, body = outer.replies.pop(0) if outer.replies else (403, {}, b"")
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.store = holdall.store.S3Store(
            "b",
            endpoint=f"http://127.0.0.1:{self.server.server_port}",
            region="r",
            access_key_id="a",
            secret_access_key="b",
            allow_http=True,
            retry_config={"max_retries": 0},
        )


def test_what_failed_to_be_written_is_never_published():
    refusing = _Refusing([])
    file = holdall.open_writer(refusing.store, "k", buffer_size=5_000_000)
    # Parts are sent while more is written: a refusal shows with one of the next writes.
    with pytest.raises(PermissionError):
        for _ in range(20):
            file.write(b"x" * 6_000_000)
    with pytest.raises(OSError, match="earlier write failed"):
        file.write(b"more")
    with pytest.raises(OSError, match="earlier write failed"):
        file.close()
    assert not [seen for seen in refusing.seen if seen[0] == "PUT"]


def test_what_is_refused_shows_when_the_file_is_closed_at_the_latest():
    file = holdall.open_writer(_Refusing([]).store, "k", buffer_size=5_000_000)
    file.write(b"x" * 6_000_000)
    with pytest.raises(PermissionError):
        file.close()


async def test_a_cancelled_write_is_never_published(store):
    import asyncio

    writer = holdall.open_writer_async(store, "k", buffer_size=5_500_000)
    await writer.write(b"a" * 6_000_000)
    task = asyncio.ensure_future(writer.write(b"b" * 12_000_000))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    # The write may have been done before it was cancelled; what appears is whole, or nothing does.
    try:
        await writer.close()
    except OSError as error:
        assert "cancelled" in str(error)
        assert not store.exists("k")
    else:
        assert store.head("k")["size"] == 18_000_000


@pytest.mark.parametrize("ends", ["close", "forget"])
async def test_a_write_cancelled_at_any_time_is_never_published(store, ends):
    import asyncio
    import gc

    for delay in (0, 0.0002, 0.0005, 0.001, 0.002, 0.004) * 3:
        writer = holdall.open_writer_async(store, "k", buffer_size=5_500_000)
        await writer.write(b"a" * 6_000_000)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(writer.write(b"b" * 24_000_000), delay)
        if ends == "close":
            with contextlib.suppress(OSError):
                await writer.close()
        del writer
        gc.collect()
        await asyncio.sleep(0.02)
        if store.exists("k"):
            assert store.head("k")["size"] == 30_000_000
            assert ends == "close"
            store.delete("k")


def test_a_failed_read_can_be_repeated():
    meta = {"ETag": '"1"', "Last-Modified": "Sat, 21 Nov 2026 00:00:00 GMT"}
    part = {**meta, "Content-Range": "bytes 0-4/10"}
    rest = {**meta, "Content-Range": "bytes 5-9/10"}
    server = _Refusing([(206, part, b"01234"), (403, {}, b""), (206, rest, b"56789")])
    file = holdall.open_reader(server.store, "k", buffer_size=5, size=10)
    assert file.read(3) == b"012"
    with pytest.raises(PermissionError):
        file.read(7)
    assert file.tell() == 3
    assert file.read(7) == b"3456789"
