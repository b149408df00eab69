"""Transfers of one object: download, upload, copy, move, and reading into buffers."""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import os
import pickle
import threading

import pytest
from loopback import Reply, an_object, serving

import holdall
from holdall.exceptions import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    StoreNotFoundError,
)
from holdall.store import HTTPStore, LocalStore, MemoryStore

MIB = 1024 * 1024
LARGE = os.urandom(21 * MIB + 7)


def read(store, key) -> bytes:
    return bytes(holdall.get(store, key).bytes())


def test_a_file_goes_up_and_comes_down(store, tmp_path):
    source, target = tmp_path / "source.bin", tmp_path / "not" / "there" / "yet.bin"
    source.write_bytes(LARGE)
    up = holdall.upload(store, "dir/k", source)
    down = holdall.download(store, "dir/k", target)
    assert up.bytes == down.bytes == len(LARGE)
    assert up.e_tag == holdall.head(store, "dir/k")["e_tag"]
    assert not down.server_side
    assert target.read_bytes() == LARGE
    assert os.listdir(target.parent) == ["yet.bin"]


async def test_a_file_goes_up_and_comes_down_async(store, tmp_path):
    source, target = tmp_path / "source.bin", tmp_path / "target.bin"
    source.write_bytes(LARGE)
    await holdall.upload_async(store, "dir/k", str(source))
    report = await holdall.download_async(store, "dir/k", str(target))
    assert report.bytes == len(LARGE)
    assert target.read_bytes() == LARGE


def test_downloads_are_checked_where_the_service_states_a_checksum(s3_store, tmp_path):
    holdall.put(s3_store, "k", b"content")
    report = holdall.download(s3_store, "k", tmp_path / "f", verify="required")
    assert report.checksum == "crc64nvme:96155d5f25504c61"
    assert holdall.download(s3_store, "k", tmp_path / "f", verify="length").checksum is None


def test_a_slow_answer_is_asked_for_again_where_that_is_wanted(tmp_path):
    over = threading.Event()

    def answer(request):
        if len(service.requests) == 1:
            # Not before the test has what it came for, or for as long as it takes to see that nobody asks again.
            over.wait(0.3 if hedge is None else None)
        whole = an_object(request)
        return Reply(206, whole.body, whole.headers | {"Content-Range": "bytes 0-6/7"})

    for hedge, asked in ((None, 1), (0.02, 2)):
        with serving(answer) as service:
            store = HTTPStore(service.url, client_options={"allow_http": True})
            options = {} if hedge is None else {"hedge": hedge}
            holdall.download(store, "k", tmp_path / "f", **options)
            assert (tmp_path / "f").read_bytes() == b"content"
            assert len(service.requests) == asked
            over.set()
        over.clear()


@pytest.mark.parametrize("size", [0, 5, 11 * MIB])
def test_anything_can_be_uploaded(store, tmp_path, size):
    data = LARGE[:size]
    pieces = [data[at : at + MIB] for at in range(0, size, MIB)]
    file = tmp_path / "file"
    file.write_bytes(data)
    with file.open("rb") as opened:
        for source in (data, bytearray(data), memoryview(data), file, opened, iter(pieces), pieces):
            report = holdall.upload(store, "k", source)
            assert report.bytes == size
            assert read(store, "k") == data


async def test_asynchronous_iterators_can_be_uploaded(store):
    async def pieces():
        for at in range(0, len(LARGE), MIB):
            await asyncio.sleep(0)
            yield LARGE[at : at + MIB]

    report = await holdall.upload_async(store, "k", pieces())
    assert report.bytes == len(LARGE)
    assert read(store, "k") == LARGE
    with pytest.raises(ValueError, match="upload_async"):
        holdall.upload(store, "k", pieces())


def test_what_a_source_raises_comes_out_and_nothing_is_published(store):
    class Broken(Exception):
        pass

    def pieces():
        yield LARGE
        raise Broken("here")

    with pytest.raises(Broken, match="here"):
        holdall.upload(store, "k", pieces())
    assert not holdall.exists(store, "k")


def test_attributes_and_tags(s3_store):
    holdall.upload(
        s3_store, "k", b"x", attributes={"Content-Type": "text/x", "mine": "1"}, tags={"a": "b"}
    )
    found = holdall.get(s3_store, "k").attributes
    assert found["Content-Type"] == "text/x"
    assert found["mine"] == "1"
    assert holdall.get_tags(s3_store, "k") == {"a": "b"}


def test_nothing_is_replaced_against_the_will_of_the_caller(store, tmp_path):
    file = tmp_path / "file.bin"
    file.write_bytes(b"mine")
    holdall.put(store, "k", b"theirs")
    with pytest.raises(AlreadyExistsError):
        holdall.download(store, "k", file, overwrite=False)
    with pytest.raises(AlreadyExistsError):
        holdall.upload(store, "k", file, overwrite=False)
    with pytest.raises(AlreadyExistsError):
        holdall.copy(MemoryStoreWith(k=b"x"), "k", store, "k", overwrite=False)
    assert file.read_bytes() == b"mine"
    assert read(store, "k") == b"theirs"


def MemoryStoreWith(**objects: bytes) -> MemoryStore:
    store = MemoryStore()
    for key, data in objects.items():
        holdall.put(store, key, data)
    return store


def test_a_download_can_be_written_to_an_object(store):
    holdall.put(store, "k", LARGE)
    sink = io.BytesIO()
    report = holdall.download(store, "k", sink)
    assert report.bytes == len(LARGE)
    assert sink.getvalue() == LARGE

    class Short:
        """Takes less than it is given, as raw files may."""

        def __init__(self):
            self.taken = bytearray()

        def write(self, data):
            taken = memoryview(data)[: 100 * 1000 + 1]
            self.taken += taken
            return len(taken)

    sink = Short()
    holdall.download(store, "k", sink, parts=3)
    assert sink.taken == LARGE


def test_what_a_sink_raises_comes_out(store):
    class Full(Exception):
        pass

    class Sink:
        def write(self, data):
            raise Full

    holdall.put(store, "k", b"x")
    with pytest.raises(Full):
        holdall.download(store, "k", Sink())

    class Busy:
        def write(self, data):
            return 0

    with pytest.raises(BlockingIOError, match="took none of 1 bytes"):
        holdall.download(store, "k", Busy())


def test_missing_things(store, tmp_path):
    with pytest.raises(NotFoundError) as raised:
        holdall.download(store, "missing", tmp_path / "f")
    assert "missing" in raised.value.target
    assert not (tmp_path / "f").exists()
    with pytest.raises(FileNotFoundError):
        holdall.upload(store, "k", tmp_path / "missing")
    with pytest.raises(NotFoundError):
        holdall.copy(store, "missing", MemoryStore(), "k")
    with pytest.raises(NotFoundError):
        holdall.read_into(store, "missing", bytearray(1))


@pytest.mark.parametrize("name", [".", "dir/"])
def test_a_directory_is_no_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgumentError, match="is a directory"):
        holdall.download(MemoryStoreWith(k=b"x"), "k", name)


def test_options_that_an_operation_does_not_have_are_refused(tmp_path):
    store = MemoryStoreWith(k=b"x")
    with pytest.raises(TypeError, match="'workers' is no option of this transfer; its options"):
        holdall.download(store, "k", tmp_path / "f", workers=3)
    with pytest.raises(TypeError, match="overwrite"):
        holdall.download(store, "k", io.BytesIO(), overwrite=False)
    with pytest.raises(TypeError, match="verify"):
        holdall.upload(store, "k", b"x", verify="length")
    with pytest.raises(ValueError, match="parts is a whole number of at least 1"):
        holdall.download(store, "k", tmp_path / "f", parts=0)
    with pytest.raises(ValueError, match="verify is 'checksum', 'required' or 'length'"):
        holdall.download(store, "k", tmp_path / "f", verify="sometimes")
    with pytest.raises(ValueError, match="retries is a whole number of at least 0, not -1"):
        holdall.download(store, "a", tmp_path / "f", retries=-1)
    with pytest.raises(ValueError, match="start is a whole number of at least 0, not -3"):
        holdall.read_into(store, "k", bytearray(9), start=-3)
    with pytest.raises(TypeError, match="attributes is a dict"):
        holdall.upload(store, "a", b"", attributes="text/plain")
    with pytest.raises(ValueError, match="hedge"):
        holdall.download(store, "k", tmp_path / "f", hedge=-1)
    with pytest.raises(InvalidArgumentError, match="only the upload of a file can be resumed"):
        holdall.upload(store, "k", b"x", resume=True)
    with pytest.raises(InvalidArgumentError, match="fsync"):
        holdall.copy(store, "k", MemoryStore(), "k", fsync=True)
    with pytest.raises(TypeError, match="between stores"):
        holdall.copy(store, "k", "l", parts=3)
    with pytest.raises(TypeError, match="progress"):
        holdall.download(store, "k", tmp_path / "f", progress=3)
    assert os.listdir(tmp_path) == []


def test_none_stands_for_an_option_that_is_not_given(tmp_path):
    store = MemoryStoreWith(k=b"x")
    options = dict.fromkeys(["parts", "part_size", "overwrite", "verify", "resume", "limit_rate"])
    assert holdall.download(store, "k", tmp_path / "f", **options).bytes == 1


def test_copies_within_a_store_are_as_ever(store):
    holdall.put(store, "a", b"x")
    assert holdall.copy(store, "a", "b") is None
    assert holdall.copy(store, "a", to="c", overwrite=True) is None
    assert read(store, "b") == read(store, "c") == b"x"


def test_copies_between_stores(store, tmp_path):
    holdall.put(store, "a", LARGE, attributes={"Content-Type": "text/x"})
    for other in (MemoryStore(), LocalStore(tmp_path / "other", mkdir=True)):
        report = holdall.copy(store, "a", other, "b")
        assert report.bytes == len(LARGE)
        assert read(other, "b") == LARGE
        assert holdall.get(other, "b").attributes["Content-Type"] == "text/x"
        back = holdall.copy(other, "b", store, attributes={"Content-Type": "text/y"})
        assert back.bytes == len(LARGE)
        assert read(store, "b") == LARGE
        assert holdall.get(store, "b").attributes["Content-Type"] == "text/y"


async def test_copies_between_stores_async(store):
    holdall.put(store, "a", b"x")
    other = MemoryStore()
    report = await holdall.copy_async(store, "a", other, "b", part_size=5 * MIB)
    assert report.bytes == 1
    assert read(other, "b") == b"x"
    await holdall.copy_async(store, "a", "b")
    assert read(store, "b") == b"x"


def test_the_service_copies_between_its_prefixes(s3_store):
    holdall.put(s3_store, "a/k", b"x")
    report = holdall.copy(s3_store.with_prefix("a"), "k", s3_store.with_prefix("b"), "k")
    assert report.server_side
    assert read(s3_store, "b/k") == b"x"


def test_move(store):
    holdall.put(store, "a", b"x")
    other = MemoryStore()
    holdall.move(store, "a", other, "b")
    assert read(other, "b") == b"x"
    assert not holdall.exists(store, "a")
    holdall.move(other, "b", other, "c")
    assert [meta["path"] for meta in holdall.list(other).collect()] == ["c"]
    with pytest.raises(InvalidArgumentError, match="same object"):
        holdall.move(other, "c", other)


async def test_move_async(store):
    holdall.put(store, "a", b"x")
    other = MemoryStore()
    await holdall.move_async(store, "a", other)
    assert read(other, "a") == b"x"
    assert not holdall.exists(store, "a")


# Into buffers


@pytest.mark.parametrize("size", [0, 7, len(LARGE)])
def test_reading_into_buffers(store, size):
    holdall.put(store, "k", LARGE[:size])
    buffer = bytearray(b"\xff" * (size + 3))
    assert holdall.read_into(store, "k", buffer) == size
    assert buffer == LARGE[:size] + b"\xff" * 3
    view = memoryview(buffer)[1 : size + 1]
    if size:
        assert holdall.read_into(store, "k", view) == size
        assert view == LARGE[:size]


def test_reading_into_arrays(store):
    numpy = pytest.importorskip("numpy")
    values = numpy.arange(3 * MIB, dtype="<f4").reshape(3, MIB)
    holdall.put(store, "k", values.tobytes())
    array = numpy.zeros_like(values)
    assert holdall.read_into(store, "k", array, part_size=5 * MIB) == array.nbytes
    assert (array == values).all()
    with pytest.raises(ValueError, match="contiguous"):
        holdall.read_into(store, "k", array.T)


def test_reading_into_shared_memory(store):
    from multiprocessing.shared_memory import SharedMemory

    holdall.put(store, "k", LARGE)
    memory = SharedMemory(create=True, size=len(LARGE))
    try:
        assert holdall.read_into(store, "k", memory.buf[: len(LARGE)]) == len(LARGE)
        assert memory.buf[: len(LARGE)] == LARGE
    finally:
        memory.close()
        memory.unlink()


def test_reading_a_part_into_a_buffer(store):
    holdall.put(store, "k", LARGE)
    buffer = bytearray(10 * MIB)
    assert holdall.read_into(store, "k", buffer, start=MIB) == len(buffer)
    assert buffer == LARGE[MIB : 11 * MIB]
    assert holdall.read_into(store, "k", buffer, start=len(LARGE) - 2) == 2
    assert buffer[:2] == LARGE[-2:]
    assert holdall.read_into(store, "k", buffer, start=len(LARGE)) == 0


async def test_reading_into_buffers_async(store):
    holdall.put(store, "k", LARGE)
    buffer = bytearray(len(LARGE))
    assert await holdall.read_into_async(store, "k", buffer) == len(LARGE)
    assert buffer == LARGE
    buffer.append(1)


def test_buffers_that_do_not_do(store):
    holdall.put(store, "k", b"content")
    with pytest.raises(InvalidArgumentError, match="7 bytes, and the buffer has room for 6"):
        holdall.read_into(store, "k", bytearray(6))
    with pytest.raises(ValueError, match="read-only"):
        holdall.read_into(store, "k", bytes(7))
    with pytest.raises(TypeError, match="writable buffer"):
        holdall.read_into(store, "k", "text")
    numpy = pytest.importorskip("numpy")
    with pytest.raises(TypeError, match="writable buffer"):
        holdall.read_into(store, "k", numpy.array([None, "ab"], dtype=object))
    array = multiprocessing.RawArray("B", 7)
    assert holdall.read_into(store, "k", array) == 7
    assert bytes(array) == b"content"


async def test_a_buffer_is_held_while_it_is_filled(s3_store):
    holdall.put(s3_store, "k", LARGE)
    buffer = bytearray(len(LARGE))
    reading = holdall.read_into_async(s3_store, "k", buffer, limit_rate=4 * MIB)
    with pytest.raises(BufferError):
        buffer.clear()
    task = asyncio.ensure_future(reading)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task, reading
    while True:
        try:
            buffer.clear()
        except BufferError:
            await asyncio.sleep(0.01)
        else:
            break


# Limits, and what comes out


@pytest.fixture
def limits():
    before = holdall.get_limits()
    yield before
    holdall.set_limits(
        memory=before.memory,
        requests=before.requests,
        requests_per_host=before.requests_per_host,
        rate=before.rate or 0,
    )


def test_limits_of_the_process(limits, s3_store):
    assert limits == holdall.Limits(256 * MIB, 256, 256, None)
    now = holdall.set_limits(memory=4 * MIB, rate=10**9)
    assert now == holdall.get_limits() == holdall.Limits(4 * MIB, 256, 256, 10**9)
    with pytest.raises(InvalidArgumentError, match="raise the budget: services take no smaller"):
        holdall.upload(s3_store, "k", LARGE)
    holdall.set_limits(memory=6 * MIB)
    with pytest.raises(InvalidArgumentError, match="raise the budget, or make parts smaller"):
        holdall.upload(s3_store, "k", LARGE, part_size=8 * MIB)
    holdall.upload(s3_store, "k", LARGE)
    assert s3_store.get("k").bytes() == LARGE
    assert holdall.set_limits(rate=0).rate is None
    with pytest.raises(ValueError, match="requests must be at least 1"):
        holdall.set_limits(requests=0)


def test_a_rate_is_kept(store, tmp_path):
    holdall.put(store, "k", LARGE[: 2 * MIB])
    seen = []
    holdall.download(store, "k", tmp_path / "f", limit_rate=8 * MIB, progress=seen.append)
    assert seen[-1].rate <= 9 * MIB


def test_results_can_be_pickled_and_compared(tmp_path):
    report = holdall.download(MemoryStoreWith(k=b"x"), "k", tmp_path / "f")
    assert pickle.loads(pickle.dumps(report)) == report
    with pytest.raises(AttributeError):
        report.bytes = 3


def test_a_directory_that_is_not_there(store, tmp_path):
    with pytest.raises(StoreNotFoundError):
        holdall.upload_dir(store, "p", tmp_path / "missing")
