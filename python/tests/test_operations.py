"""Operations, on memory, local files and S3."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

import pytest

import holdall
from holdall.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    NotFoundError,
    NotModifiedError,
    NotSupportedError,
    PreconditionError,
)
from holdall.store import LocalStore, MemoryStore


def test_put_get_head_delete(store):
    put = store.put("a/b", b"hello", attributes={"Content-Type": "text/x", "scene": "42"})
    got = store.get("a/b")
    assert got.attributes["Content-Type"] == "text/x"
    assert got.attributes["scene"] == "42"
    assert list(got.meta) == ["path", "last_modified", "size", "e_tag", "version"]
    assert got.meta["e_tag"] == put["e_tag"]
    assert got.range == (0, 5)
    assert got.bytes() == b"hello"
    with pytest.raises(ValueError, match="already been disposed"):
        got.bytes()
    assert store.head("a/b")["size"] == 5
    assert store.exists("a/b")
    store.delete("a/b")
    assert not store.exists("a/b")


def test_a_missing_object_is_both_errors(store):
    with pytest.raises(FileNotFoundError) as caught:
        store.get("no/such")
    error = caught.value
    assert isinstance(error, NotFoundError)
    assert (error.kind, error.operation, error.retryable) == ("not_found", "get", False)
    assert error.target.endswith("no/such")
    assert error.filename == error.target
    assert "\n" not in str(error)


def test_ranges(store):
    data = bytes(range(256)) * 40
    store.put("k", data)
    assert store.get_range("k", start=5, end=9) == data[5:9]
    assert store.get_range("k", start=5, length=9) == data[5:14]
    assert store.get_range("k", start=10_000, end=99_999) == data[10_000:]
    assert holdall.get_range(store, "k", offset=1, length=2) == data[1:3]
    starts, lengths = [900, 0, 9_000], [10, 5, 100]
    for coalesce in (0, 100, 1 << 20):
        got = store.get_ranges("k", starts=starts, lengths=lengths, coalesce=coalesce)
        assert got == [data[s : s + n] for s, n in zip(starts, lengths, strict=True)]
    assert store.get("k", options={"range": {"suffix": 3}}).bytes() == data[-3:]
    assert store.get("k", options={"range": {"offset": 10_000}}).bytes() == data[10_000:]
    assert store.get("k", options={"range": None, "if_match": None}).bytes() == data
    with pytest.raises(ValueError, match="Invalid range"):
        store.get_range("k", start=4, end=4)
    with pytest.raises(ValueError, match="starts has 2"):
        store.get_ranges("k", starts=[1, 2], ends=[3])
    with pytest.raises(ValueError, match="unknown key 'rnage'"):
        store.get("k", options={"rnage": (0, 1)})
    with pytest.raises(BaseError):
        store.get_range("k", start=len(data), end=len(data) + 1)


def test_head_option_and_conditions(store):
    tag = store.put("k", b"12345")["e_tag"]
    assert store.get("k", options={"head": True}).bytes() == b""
    assert store.get("k", options={"if_match": tag}).bytes() == b"12345"
    with pytest.raises(NotModifiedError):
        store.get("k", options={"if_none_match": tag})
    with pytest.raises(PreconditionError):
        store.get("k", options={"if_match": '"other"'})


def test_conditions_on_times(tmp_path):
    hour = timedelta(hours=1)
    for store in (MemoryStore(), LocalStore(tmp_path)):
        store.put("k", b"1")
        now = datetime.now(UTC)
        assert store.get("k", options={"if_modified_since": now - hour}).bytes() == b"1"
        with pytest.raises(NotModifiedError):
            store.get("k", options={"if_modified_since": now + hour})
        with pytest.raises(PreconditionError):
            store.get("k", options={"if_unmodified_since": now - hour})


def test_modes(store):
    first = store.put("k", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        store.put("k", b"2", mode="create")
    second = store.put("k", b"22", mode=first)
    with pytest.raises(PreconditionError):
        store.put("k", b"333", mode=first)
    assert store.get("k").bytes() == b"22"
    store.put("k", b"333", mode={"e_tag": second["e_tag"], "version": None})
    with pytest.raises(ValueError, match="'create'"):
        store.put("k", b"", mode="append")


def test_inputs(store, tmp_path):
    (tmp_path / "file").write_bytes(b"of a file")
    large = bytes(range(256)) * 50_000
    inputs = {
        "bytes": (b"x", b"x"),
        "bytearray": (bytearray(b"x"), b"x"),
        "memoryview": (memoryview(b"abc")[1:], b"bc"),
        "path": (tmp_path / "file", b"of a file"),
        "str": (str(tmp_path / "file"), b"of a file"),
        "file": (io.BytesIO(b"12345"), b"12345"),
        "iterator": (iter([b"a", bytearray(b"b"), b"c"]), b"abc"),
        "large": (large, large),
        "large file": (io.BytesIO(large), large),
        "empty": (b"", b""),
    }
    for name, (given, expected) in inputs.items():
        store.put(f"in/{name}", given)
        assert store.get(f"in/{name}").bytes() == expected, name
    with pytest.raises(TypeError, match="cannot put a int"):
        store.put("k", 5)
    with pytest.raises(FileNotFoundError):
        store.put("k", "no such local file")


def test_a_source_that_fails_leaves_nothing(store):
    def failing():
        yield b"x" * 6_000_000
        raise RuntimeError("broken source")

    with pytest.raises(RuntimeError, match="broken source"):
        store.put("k", failing())
    assert not store.exists("k")


def test_changing_a_buffer_later_changes_nothing(store):
    data = bytearray(b"AAAA")
    store.put("k", data)
    data[:] = b"BBBB"
    assert store.get("k").bytes() == b"AAAA"


def test_lists(store):
    keys = ["a.b", "a/1", "a/b/2", "a0", "ü"]
    store.put_many({key: key.encode() for key in keys})
    assert [m["path"] for m in store.list().collect()] == keys
    assert [m["path"] for m in store.list("a").collect()] == ["a/1", "a/b/2"]
    assert [m["path"] for m in store.list(offset="a/1").collect()] == ["a/b/2", "a0", "ü"]
    assert [m["path"] for m in store.list(substring_prefix="a").collect()] == keys[:4]
    assert [m["path"] for m in store.list(end_before="a0", max_items=2).collect()] == keys[:2]
    assert [len(chunk) for chunk in store.list(chunk_size=2)] == [2, 2, 1]
    assert [m["path"] for m in store.glob("a/**").collect()] == ["a/1", "a/b/2"]
    level = store.list_with_delimiter("a")
    assert level["common_prefixes"] == ["a/b"]
    assert [m["path"] for m in level["objects"]] == ["a/1"]
    batch = store.list(return_arrow=True).collect()
    assert batch.num_rows == 5
    report = holdall.delete_prefix(store, "a")
    assert report == {"deleted": 2, "failed": {}}


def test_delete_takes_listings_and_iterators(store):
    store.put_many([(f"k{i}", b"") for i in range(5)])
    store.delete(store.list())
    assert store.list().collect() == []
    store.put_many([(f"k{i}", b"") for i in range(5)])
    store.delete(f"k{i}" for i in range(4))
    assert [m["path"] for m in store.list().collect()] == ["k4"]


def test_copy_and_rename(store):
    store.put("a", b"1")
    store.copy("a", "b")
    store.rename("b", "c/d")
    assert not store.exists("b")
    assert store.get("c/d").bytes() == b"1"
    with pytest.raises(FileNotFoundError):
        store.copy("missing", "x")


def test_copy_without_replacing():
    store = MemoryStore()
    store.put("a", b"1")
    store.put("b", b"2")
    with pytest.raises(AlreadyExistsError):
        store.copy("a", "b", overwrite=False)
    with pytest.raises(FileExistsError):
        store.rename("a", "b", overwrite=False)
    assert store.get("b").bytes() == b"2"


def test_copy_between_stores(store, tmp_path):
    store.put("a", b"1" * 9_000_000, attributes={"Content-Type": "text/x"})
    other = LocalStore(tmp_path / "other", mkdir=True)
    report = holdall.copy_between(store, "a", other, "b")
    assert report == {"bytes": 9_000_000, "server_side": False}
    assert other.get("b").attributes == {"Content-Type": "text/x"}


def test_many(store):
    keys = [f"k/{i}" for i in range(50)]
    puts = store.put_many({key: key.encode() for key in keys})
    assert len(puts) == 50
    assert store.get_many(keys) == [key.encode() for key in keys]
    assert [m["path"] for m in store.head_many(keys)] == keys
    with pytest.raises(FileNotFoundError):
        store.get_many([*keys, "missing"])
    mixed = store.get_many(["k/1", "missing"], on_error="return")
    assert mixed[0] == b"k/1"
    assert isinstance(mixed[1], NotFoundError)
    assert store.delete_many([*keys, "missing"]) == [None] * 51


def test_tags_and_attributes(tmp_path):
    for store in (MemoryStore(), LocalStore(tmp_path)):
        store.put("k", b"", tags={"a": "1"})
        assert store.get_tags("k") == {"a": "1"}
        store.put_tags("k", {"b": "2"})
        assert store.get_tags("k") == {"b": "2"}
        store.put_attributes("k", {"Content-Type": "x/y"})
        assert store.get("k").attributes == {"Content-Type": "x/y"}


def test_paths():
    store = MemoryStore()
    store.put(PurePosixPath("a/b"), b"1")
    assert store.exists("/a/b/")
    for wrong in ("a//b", "a/../b", "."):
        with pytest.raises(InvalidPathError, match="Could not parse path"):
            store.get(wrong)
    with pytest.raises(TypeError):
        store.get(5)


def test_what_a_store_lacks_is_refused():
    store = MemoryStore()
    store.put("a", b"")
    for call in (
        lambda: store.get("a", options={"version": "1"}),
        lambda: store.delete_version("a", "1"),
        lambda: store.list_versions().collect(),
        lambda: store.sign("GET", "a", timedelta(minutes=1)),
    ):
        with pytest.raises(NotSupportedError) as caught:
            call()
        assert isinstance(caught.value, NotImplementedError)


def test_sign(s3_store):
    import urllib.request

    s3_store.put("a b", b"1")
    url = s3_store.sign("GET", "a b", timedelta(minutes=1))
    with urllib.request.urlopen(url) as reply:
        assert reply.read() == b"1"
    assert len(s3_store.sign("GET", ["a", "b"], timedelta(minutes=1))) == 2


async def test_async_twins(store):
    await store.put_async("a", b"hello world")
    got = await store.get_async("a")
    assert await got.bytes_async() == b"hello world"
    assert await store.get_range_async("a", start=0, end=5) == b"hello"
    assert await store.get_ranges_async("a", starts=[0, 6], ends=[5, 11]) == [b"hello", b"world"]
    assert (await store.head_async("a"))["size"] == 11
    await store.copy_async("a", "b")
    await store.rename_async("b", "c")
    assert [m["path"] for m in await store.list().collect_async()] == ["a", "c"]
    assert [m["path"] async for chunk in store.list(chunk_size=1) for m in chunk] == ["a", "c"]
    assert len((await store.list_with_delimiter_async())["objects"]) == 2

    async def source():
        for _ in range(3):
            yield b"x" * 3_000_000

    await store.put_async("big", source())
    pieces = [len(p) async for p in (await store.get_async("big")).stream(min_chunk_size=4_000_000)]
    assert sum(pieces) == 9_000_000
    assert all(n >= 4_000_000 for n in pieces[:-1])
    results = await asyncio.gather(
        *(store.get_range_async("a", start=0, end=1) for _ in range(100))
    )
    assert results == [b"h"] * 100
    assert await store.get_many_async(["a", "c"]) == [b"hello world"] * 2
    with pytest.raises(FileNotFoundError):
        await store.get_async("missing")
    await store.delete_async(["a", "c", "big"])
    assert not await store.exists_async("a")


def test_streams(store):
    data = bytes(range(256)) * 100_000
    store.put("k", data)
    pieces = list(store.get("k").stream(min_chunk_size=1_000_000))
    assert all(type(piece) is bytes for piece in pieces)
    assert all(len(piece) >= 1_000_000 for piece in pieces[:-1])
    assert b"".join(pieces) == data
    assert b"".join(store.get("k")) == data
