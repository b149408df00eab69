"""Files opened through fsspec: what they publish, and when; how they are read."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import uuid
import warnings

import fsspec
import pytest
from conftest import s3_settings
from fsspec.core import OpenFile
from fsspec.registry import _registry
from places import KINDS, place_of

import holdall
from holdall.exceptions import AlreadyExistsError, PreconditionError
from holdall.fsspec import BufferedFile, FsspecStore, S3FileSystem, register
from holdall.store import MemoryStore

MANY = 12 * 1024 * 1024
"""Bytes that go in several parts of the least length there is."""


@pytest.fixture(params=KINDS)
def place(request, tmp_path):
    """Return a file system of each kind in turn, and a directory in it."""
    return place_of(request, tmp_path)


def files(fs, path):
    """Return the names of what is there now, whatever was listed before."""
    fs.invalidate_cache()
    return sorted(name.rpartition("/")[2] for name in fs.find(path))


# Exceptions

OPENINGS = [
    {"mode": "wb"},
    {"mode": "w"},
    {"mode": "wt"},
    {"mode": "w", "encoding": "utf-16"},
    {"mode": "w", "newline": "\r\n"},
    {"mode": "wb", "compression": "gzip"},
    {"mode": "w", "compression": "bz2", "encoding": "utf-16"},
    {"mode": "x"},
    {"mode": "a"},
]


@pytest.mark.parametrize("options", OPENINGS, ids=str)
def test_a_block_that_fails_publishes_nothing(place, options):
    fs, path = place
    half = b"half" if "b" in options["mode"] else "half"
    if "x" not in options["mode"]:
        fs.pipe_file(f"{path}/old", b"old")
        with pytest.raises(ZeroDivisionError), fs.open(f"{path}/old", **options) as file:
            file.write(half)
            raise ZeroDivisionError
        assert fs.cat(f"{path}/old") == b"old"
        assert file.closed
    with pytest.raises(ZeroDivisionError), fs.open(f"{path}/new", **options) as file:
        file.write(half)
        raise ZeroDivisionError
    assert "new" not in files(fs, path)


@pytest.mark.parametrize("options", OPENINGS, ids=str)
def test_a_block_that_ends_well_publishes(place, options):
    fs, path = place
    content = b"one\n\n" if "b" in options["mode"] else "one\ntwo é\n"
    with fs.open(f"{path}/new", **options) as file:
        file.write(content)
    reading = {**options, "mode": "rb" if "b" in options["mode"] else "r"}
    if "newline" in reading:
        assert fs.cat(f"{path}/new") == "one\r\ntwo é\r\n".encode()
        del reading["newline"]
    with fs.open(f"{path}/new", **reading) as file:
        assert file.read() == content
    with fs.open(f"{path}/new", **reading) as file:
        assert list(file) == content.splitlines(keepends=True)


def test_large_text_that_fails_leaves_the_old_object(place):
    fs, path = place
    fs.pipe_file(f"{path}/old", b"old")
    with pytest.raises(ZeroDivisionError), fs.open(f"{path}/old", "w", block_size=1024) as file:
        for _ in range(12):
            file.write("a" * (1024 * 1024))
        raise ZeroDivisionError
    assert fs.cat(f"{path}/old") == b"old"


def test_characters_that_an_encoding_lacks_publish_nothing(place):
    fs, path = place
    with pytest.raises(UnicodeEncodeError), fs.open(f"{path}/k", "w", encoding="ascii") as file:
        file.write("one")
        file.write("é")
    with pytest.raises(LookupError):
        fs.open(f"{path}/k", "w", encoding="none such")
    with pytest.raises(ValueError, match="none such"):
        fs.open(f"{path}/k", "wb", compression="none such")
    assert files(fs, path) == []


def test_text_that_is_dropped_is_not_published(place):
    fs, path = place
    for options in ({"mode": "wb"}, {"mode": "w"}, {"mode": "wb", "compression": "gzip"}):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            file = fs.open(f"{path}/k", **options)
            file.write(b"half" if "b" in options["mode"] else "half")
            del file
            gc.collect()
        assert any(issubclass(w.category, ResourceWarning) for w in told), options
    assert files(fs, path) == []


def test_compression_by_name(place):
    fs, path = place
    with fs.open(f"{path}/k.gz", "w", compression="infer") as file:
        file.write("text")
    assert fs.cat(f"{path}/k.gz")[:2] == b"\x1f\x8b"
    assert fs.open(f"{path}/k.gz", "r", compression="infer").read() == "text"
    with fs.open(f"{path}/k.txt", "w", compression="infer") as file:
        file.write("text")
    assert fs.cat(f"{path}/k.txt") == b"text"


def test_open_files_of_fsspec_publish_when_they_end_well(place):
    fs, path = place
    for mode, compression, content in (
        ("w", None, "text"),
        ("w", "gzip", "text"),
        ("wb", "gzip", b"bytes"),
    ):
        with OpenFile(fs, f"{path}/k", mode, compression) as file:
            file.write(content)
        with OpenFile(fs, f"{path}/k", mode.replace("w", "r"), compression) as file:
            assert file.read() == content


# Transactions


def test_a_transaction_publishes_at_its_end(place):
    fs, path = place
    fs.pipe_file(f"{path}/old", b"old")
    with fs.transaction:
        with fs.open(f"{path}/old", "wb") as file:
            file.write(b"new")
        with fs.open(f"{path}/text", "w") as file:
            file.write("text")
        with fs.open(f"{path}/k.gz", "wb", compression="gzip") as file:
            file.write(b"content")
        with fs.open(f"{path}/large", "wb", block_size=5 * 1024 * 1024) as file:
            file.write(b"1" * MANY)
        assert files(fs, path) == ["old"]
        assert fs.cat(f"{path}/old") == b"old"
    assert files(fs, path) == ["k.gz", "large", "old", "text"]
    assert fs.cat(f"{path}/old") == b"new"
    assert fs.cat(f"{path}/text") == b"text"
    assert fs.cat(f"{path}/large") == b"1" * MANY
    with fs.open(f"{path}/k.gz", "rb", compression="gzip") as file:
        assert file.read() == b"content"
    # The next file does not wait for anything.
    with fs.open(f"{path}/after", "wb") as file:
        file.write(b"1")
    assert "after" in files(fs, path)


def test_a_transaction_that_fails_publishes_nothing(place):
    fs, path = place
    fs.pipe_file(f"{path}/old", b"old")
    with pytest.raises(ZeroDivisionError), fs.transaction:
        with fs.open(f"{path}/old", "wb") as file:
            file.write(b"new")
        with fs.open(f"{path}/text", "w") as file:
            file.write("text")
        with fs.open(f"{path}/large", "wb", block_size=5 * 1024 * 1024) as file:
            file.write(b"1" * MANY)
        raise ZeroDivisionError
    assert files(fs, path) == ["old"]
    assert fs.cat(f"{path}/old") == b"old"


def test_files_that_a_transaction_closes(place):
    fs, path = place
    with fs.transaction:
        one, two = fs.open(f"{path}/one", "wb"), fs.open(f"{path}/two", "w")
        three = fs.open(f"{path}/three", "wb", compression="gzip")
        one.write(b"1"), two.write("2"), three.write(b"3")
    assert one.closed and two.closed and three.closed
    assert fs.cat(f"{path}/one") == b"1"
    assert fs.cat(f"{path}/two") == b"2"
    assert fs.open(f"{path}/three", compression="gzip").read() == b"3"


def test_a_file_that_fails_in_a_transaction_leaves_the_others(place):
    fs, path = place
    with fs.transaction:
        with fs.open(f"{path}/one", "wb") as file:
            file.write(b"1")
        with pytest.raises(ZeroDivisionError), fs.open(f"{path}/two", "w") as file:
            file.write("2")
            raise ZeroDivisionError
    assert files(fs, path) == ["one"]


def test_commit_and_discard(place):
    fs, path = place
    for name, size in (("short", 1), ("large", MANY)):
        kept = fs.open(f"{path}/{name}", "wb", autocommit=False, block_size=5 * 1024 * 1024)
        dropped = fs.open(f"{path}/no {name}", "wb", autocommit=False, block_size=5 * 1024 * 1024)
        for file in (kept, dropped):
            file.write(b"1" * size)
            file.close()
            with pytest.raises(ValueError, match="closed"):
                file.write(b"1")
        assert name not in files(fs, path)
        kept.commit()
        assert fs.cat(f"{path}/{name}") == b"1" * size
        dropped.discard()
        dropped.commit()
        kept.commit()
        kept.discard()
    assert files(fs, path) == ["large", "short"]


# Creating


@pytest.mark.parametrize("size", [1, MANY])
def test_two_writers_create_one_object(place, size):
    fs, path = place
    one, two = (fs.open(f"{path}/k", "xb", block_size=5 * 1024 * 1024) for _ in range(2))
    one.write(b"1" * size)
    two.write(b"2" * size)
    one.close()
    with pytest.raises(FileExistsError):
        two.close()
    assert fs.cat(f"{path}/k") == b"1" * size
    with pytest.raises(FileExistsError):
        fs.open(f"{path}/k", "x")
    assert files(fs, path) == ["k"]


def test_two_transactions_create_one_object(place):
    fs, path = place
    with pytest.raises(FileExistsError), fs.transaction:
        with fs.open(f"{path}/k", "x") as file:
            file.write("late")
        fs.pipe_file(f"{path}/k", b"early")
    assert fs.cat(f"{path}/k") == b"early"


@pytest.mark.parametrize("size", [1, MANY])
def test_writers_create(store, size):
    def begin():
        return holdall.open_writer(store, "k", mode="create", buffer_size=5 * 1024 * 1024)

    one, two = begin(), begin()
    one.write(b"1" * size)
    two.write(b"2" * size)
    one.close()
    with pytest.raises(AlreadyExistsError):
        two.close()
    assert holdall.get(store, "k").bytes() == b"1" * size
    with pytest.raises(ValueError, match="mode"):
        holdall.open_writer(store, "k", mode="append")


# Appending


def test_appending_keeps_the_attributes(place):
    fs, path = place
    with fs.open(f"{path}/k", "wb", attributes={"Content-Type": "text/csv"}) as file:
        file.write(b"one")
    with fs.open(f"{path}/k", "ab") as file:
        assert file.tell() == 3
        file.write(b" two")
    store, key = fs._at(f"{path}/k")
    result = store.get(key)
    assert result.attributes["Content-Type"] == "text/csv"
    assert bytes(result.bytes()) == b"one two"


# Reading


def test_files_that_are_read_are_pickled(place):
    fs, path = place
    fs.pipe_file(f"{path}/k", b"0123456789")
    file = fs.open(f"{path}/k", block_size=4)
    assert file.read(3) == b"012"
    again = pickle.loads(pickle.dumps(file)) if fs.protocol != "memory" else None
    if again is not None:
        assert again.tell() == 3
        assert again.read() == b"3456789"
        assert again.blocksize == 4
    assert file.read() == b"3456789"
    file.close()
    with pytest.raises(ValueError, match="closed"):
        pickle.dumps(file)
    with fs.open(f"{path}/new", "wb") as file:
        file.write(b"1")
        with pytest.raises(TypeError, match="open for writing"):
            pickle.dumps(file)
    assert fs.cat(f"{path}/new") == b"1"


def test_a_file_that_is_pickled_is_read_by_another_process(tmp_path):
    path = tmp_path / "k"
    path.write_bytes(b"0123456789")
    file = FsspecStore("file").open(path)
    file.seek(4)
    (tmp_path / "pickled").write_bytes(pickle.dumps(file))
    code = "import pickle,sys; print(pickle.load(open(sys.argv[1], 'rb')).read())"
    found = subprocess.check_output([sys.executable, "-c", code, str(tmp_path / "pickled")])
    assert found.strip() == b"b'456789'"


def test_an_object_that_changed_since_it_was_pickled(tmp_path):
    path = tmp_path / "k"
    path.write_bytes(b"0123456789")
    pickled = pickle.dumps(FsspecStore("file").open(path))
    path.unlink()
    path.write_bytes(b"9876543210")
    os.utime(path, (1, 1))
    with pytest.raises(PreconditionError, match="changed"):
        pickle.loads(pickled)


@pytest.fixture
def through_s3():
    """Have fsspec know our file system of S3 without an installation, and return its options."""
    fsspec.register_implementation("holdall-s3", S3FileSystem, clobber=True)
    return {"config": s3_settings(), "client_options": {"allow_http": True}}


def test_block_caches_of_fsspec(tmp_path, through_s3):
    fs = fsspec.filesystem("holdall-s3", **through_s3)
    key = f"test-bucket/blocks {uuid.uuid4().hex}"
    data = os.urandom(300_000) + b"\nline\nlast"
    fs.pipe_file(key, data)
    options = {"holdall-s3": through_s3, "blockcache": {"cache_storage": str(tmp_path)}}
    try:
        for _ in range(2):
            with fsspec.open(f"blockcache::holdall-s3://{key}", block_size=65536, **options) as f:
                assert f.read(10) == data[:10]
                assert f.seek(-15, 2) == len(data) - 15
                assert f.tell() == len(data) - 15
                assert f.readline() == data[-15:-9]
                assert list(f) == [b"line\n", b"last"]
                assert f.read() == b""
                f.seek(100_000)
                into = bytearray(50_000)
                assert f.readinto(into) == 50_000
                assert into == data[100_000:150_000]
                assert f.read1(5) == data[150_000:150_005]
            assert f.closed
        with fsspec.open(f"blockcache::holdall-s3://{key}", block_size=65536, **options) as f:
            assert f.read() == data
        # All blocks are at hand: the object itself is not read any more.
        stored = [path for path in tmp_path.iterdir() if path.name != "cache"]
        assert [path.read_bytes() for path in stored] == [data]
    finally:
        fs.rm(key)


@pytest.mark.parametrize("chain", ["simplecache", "filecache"])
def test_file_caches_of_fsspec(tmp_path, through_s3, chain):
    key = f"test-bucket/caches {uuid.uuid4().hex}"
    options = {"holdall-s3": through_s3, chain: {"cache_storage": str(tmp_path)}}
    with fsspec.open(f"{chain}::holdall-s3://{key}", "w", **options) as file:
        file.write("content")
    try:
        with fsspec.open(f"{chain}::holdall-s3://{key}", "r", **options) as file:
            assert file.read() == "content"
    finally:
        fsspec.filesystem("holdall-s3", **through_s3).rm(key)


@pytest.mark.parametrize("cache_type", ["none", "readahead", "bytes", "all"])
def test_options_of_other_file_systems(place, cache_type):
    fs, path = place
    fs.pipe_file(f"{path}/k", b"0123456789")
    with fs.open(f"{path}/k", cache_type=cache_type, cache_options={}, block_size="default") as f:
        assert f.read(2) == b"01"
        assert f.size == f.details["size"] == 10
        assert f.blocksize > 0


def test_ranges_beyond_the_end(place):
    fs, path = place
    fs.pipe_file(f"{path}/k", b"0123456789")
    fs.pipe_file(f"{path}/empty", b"")
    data = b"0123456789"
    cases = [(10, 12), (20, 30), (9, 12), (20, None), (-20, None), (-20, 3), (-3, 20), (None, -20)]
    for start, end in cases:
        assert fs.cat_file(f"{path}/k", start, end) == data[start:end], (start, end)
        assert fs.cat_file(f"{path}/empty", start, end) == b"", (start, end)
        with fs.open(f"{path}/k") as file:
            file.seek(max(start or 0, 0))
            assert (
                file.read(0 if end is None or end < 0 else end)
                == data[max(start or 0, 0) :][: 0 if end is None or end < 0 else end]
            )
    starts, ends = [0, 10, 20, 8, 2], [2, 11, 30, 12, 2]
    expected = [data[s:e] for s, e in zip(starts, ends, strict=True)]
    assert fs.cat_ranges([f"{path}/k"] * 5, starts, ends) == expected
    assert fs.cat_ranges([f"{path}/empty"] * 5, starts, ends) == [b""] * 5
    with pytest.raises(FileNotFoundError):
        fs.cat_file(f"{path}/missing", 5, 7)
    with pytest.raises(FileNotFoundError):
        fs.cat_file(f"{path}/missing", -5, None)
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges([f"{path}/missing"], [5], [7], on_error="raise")


def test_modes_that_there_are_not(place):
    fs, path = place
    for mode in ("r+b", "w+", "q", "br"):
        with pytest.raises(ValueError, match="mode"):
            fs.open(f"{path}/k", mode)
    with pytest.raises(ValueError, match="mode"):
        BufferedFile(fs, f"{path}/k", "r")


def test_registered_classes_open_alike(tmp_path):
    register("file")
    try:
        fs = fsspec.filesystem("file", skip_instance_cache=True)
        with pytest.raises(ZeroDivisionError), fs.open(f"{tmp_path}/k", "w") as file:
            file.write("half")
            raise ZeroDivisionError
        assert list(tmp_path.iterdir()) == []
    finally:
        _registry.pop("file", None)


def test_around_a_store_of_ones_own():
    fs = FsspecStore("memory", store=MemoryStore(), skip_instance_cache=True)
    with fs.transaction, fs.open("k", "w") as file:
        file.write("text")
    assert fs.cat("k") == b"text"
