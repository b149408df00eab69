"""Stores behind a cache: read as without one, with fewer requests."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import s3_settings

import holdall
from holdall.exceptions import PreconditionError
from holdall.store import CachedStore, LocalStore, MemoryStore, S3Store

BLOCK = 4096
DATA = bytes(range(256)) * 80


@pytest.fixture
def inner() -> MemoryStore:
    store = MemoryStore()
    holdall.put(store, "dir/a", DATA)
    return store


def hour(store: object, **options: object) -> CachedStore:
    return CachedStore(store, block_bytes=BLOCK, ttl=3600, **options)  # type: ignore[arg-type]


def test_reads_come_from_the_cache(inner: MemoryStore) -> None:
    store = hour(inner)
    for _ in range(3):
        assert holdall.get(store, "dir/a").bytes() == DATA
        assert holdall.get_range(store, "dir/a", start=5000, length=100) == DATA[5000:5100]
        assert holdall.get_ranges(store, "dir/a", starts=[0, 9000], ends=[10, 9010]) == [
            DATA[:10],
            DATA[9000:9010],
        ]
        assert holdall.head(store, "dir/a")["size"] == len(DATA)
        assert b"".join(map(bytes, holdall.get(store, "dir/a").stream())) == DATA
        with holdall.open_reader(store, "dir/a") as file:
            file.seek(100)
            assert file.read(50) == DATA[100:150]
    stats = store.stats()
    assert (stats["downloads"], stats["validations"]) == (5, 1)
    assert [meta["path"] for meta in holdall.list(store).collect()] == ["dir/a"]


async def test_asynchronous_reads_do_too(inner: MemoryStore) -> None:
    store = hour(inner)
    got = await asyncio.gather(*(holdall.get_async(store, "dir/a") for _ in range(20)))
    bodies = await asyncio.gather(*(result.bytes_async() for result in got))
    assert all(body == DATA for body in bodies)
    assert await holdall.get_range_async(store, "dir/a", start=1, end=5) == DATA[1:5]
    assert store.stats()["downloads"] == 5
    await holdall.put_async(store, "dir/a", b"new")
    assert await (await holdall.get_async(store, "dir/a")).bytes_async() == b"new"


def test_threads_and_tasks_share_downloads() -> None:
    bucket = S3Store(
        "test-bucket",
        prefix=f"cached-{os.getpid()}",
        **s3_settings(),
        client_options={"allow_http": True},
    )
    data = os.urandom(1 << 20)
    holdall.put(bucket, "k", data)
    store = CachedStore(bucket, block_bytes=64 << 10, ttl=3600)
    begin = threading.Barrier(16)

    def read(number: int) -> bool:
        begin.wait()
        if number % 2:
            return holdall.get(store, "k").bytes() == data
        return asyncio.run(twin()) == data

    async def twin() -> bytes:
        return bytes(await (await holdall.get_async(store, "k")).bytes_async())

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(read, range(16)))
    assert store.stats()["downloads"] == 16
    assert store.stats()["validations"] == 1
    # A body that is begun and left does not keep others from theirs.
    left = holdall.get(CachedStore(bucket, block_bytes=64 << 10, ttl=0), "k")
    assert holdall.get(store, "k").bytes() == data
    del left
    holdall.delete(bucket, "k")


def test_writes_are_seen_at_once_and_those_of_others_after_a_while(inner: MemoryStore) -> None:
    store = hour(inner)
    assert holdall.get(store, "dir/a").bytes() == DATA
    holdall.put(store, "dir/a", b"one")
    assert holdall.get(store, "dir/a").bytes() == b"one"
    holdall.put(inner, "dir/a", b"two")
    assert holdall.get(store, "dir/a").bytes() == b"one"
    store.invalidate("dir/a")
    assert holdall.get(store, "dir/a").bytes() == b"two"
    always = CachedStore(inner, ttl=timedelta(0))
    for text in (b"three", b"four"):
        holdall.put(inner, "dir/a", text)
        assert holdall.get(always, "dir/a").bytes() == text
    holdall.delete(store, "dir/a")
    with pytest.raises(FileNotFoundError):
        holdall.get(store, "dir/a")


def test_a_body_is_of_one_version(inner: MemoryStore) -> None:
    store = hour(inner, memory_bytes=0, readahead=1)
    body = iter(holdall.get(store, "dir/a").stream(min_chunk_size=1))
    assert bytes(next(body)) == DATA[:BLOCK]
    holdall.put(inner, "dir/a", bytes(len(DATA)))
    with pytest.raises(PreconditionError):
        for _ in body:
            pass
    assert holdall.get(store, "dir/a").bytes() == bytes(len(DATA))


def _read_all(store: CachedStore, results: multiprocessing.Queue[object]) -> None:
    results.put((holdall.get(store, "dir/a").bytes() == DATA, store.stats()))


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_processes_share_a_folder(tmp_path: Path, method: str) -> None:
    local = LocalStore(tmp_path / "store", mkdir=True)
    holdall.put(local, "dir/a", DATA)
    store = hour(local, folder=tmp_path / "cache")
    assert holdall.get(store, "dir/a").bytes() == DATA
    while len(list((tmp_path / "cache").rglob("*.[0-9]*"))) < 5:
        pass
    context = multiprocessing.get_context(method)
    results = context.Queue()
    children = [context.Process(target=_read_all, args=(store, results)) for _ in range(3)]
    for child in children:
        child.start()
    for _ in children:
        same, stats = results.get(timeout=60)
        assert same
        assert (stats["downloads"], stats["disk_hits"], stats["validations"]) == (0, 5, 0)
    for child in children:
        child.join()


def test_is_made_again_from_a_pickle(tmp_path: Path) -> None:
    store = hour(LocalStore(tmp_path), folder=tmp_path / "cache", immutable=True)
    (tmp_path / "dir").mkdir()
    below = store.with_prefix("dir")
    again = pickle.loads(pickle.dumps(store))
    assert again == store
    assert again.store == store.store
    assert pickle.loads(pickle.dumps(below)) == below
    assert repr(below) == f'CachedStore(LocalStore("{tmp_path}/dir"))'
    holdall.put(store, "dir/a", b"x")
    assert holdall.get(below, "a").bytes() == b"x"


def test_takes_stores_of_other_packages(tmp_path: Path) -> None:
    obstore = pytest.importorskip("obstore")
    foreign = obstore.store.LocalStore(tmp_path)
    obstore.put(foreign, "a", b"x")
    assert holdall.get(CachedStore(foreign), "a").bytes() == b"x"


def test_options_out_of_range_are_refused(inner: MemoryStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="block_bytes"):
        CachedStore(inner, block_bytes=1)
    with pytest.raises(ValueError, match="ttl"):
        CachedStore(inner, ttl=-1)
    with pytest.raises(TypeError, match="ttl"):
        CachedStore(inner, ttl="soon")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="store"):
        CachedStore("no store")
    (tmp_path / "file").write_text("")
    with pytest.raises(holdall.exceptions.BaseError, match="folder"):
        CachedStore(inner, folder=tmp_path / "file")
