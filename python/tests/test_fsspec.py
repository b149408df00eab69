"""What fsspec's own suites do not look at."""

from __future__ import annotations

import pickle

import fsspec
import pytest
from conftest import s3_settings
from fsspec.registry import _registry

import holdall
from holdall.fsspec import AsyncFsspecStore, FsspecStore, register
from holdall.store import MemoryStore


def test_entry_points_open_without_registration(tmp_path):
    with fsspec.open(f"holdall-file://{tmp_path}/a/b", "wb") as file:
        file.write(b"1")
    assert (tmp_path / "a/b").read_bytes() == b"1"
    fs = fsspec.filesystem("holdall-file")
    assert fs.ls(f"holdall-file://{tmp_path}/a", detail=False) == [f"{tmp_path}/a/b"]


def test_entry_point_of_s3():
    options = {"config": s3_settings(), "client_options": {"allow_http": True}}
    with fsspec.open("holdall-s3://test-bucket/entry point", "wb", **options) as file:
        file.write(b"1")
    fs = fsspec.filesystem("holdall-s3", **options)
    assert fs.cat("holdall-s3://test-bucket/entry point") == b"1"
    fs.rm("test-bucket/entry point")


def test_register_and_modes(tmp_path):
    register("file")
    fs = fsspec.filesystem("file", skip_instance_cache=True)
    try:
        path = f"{tmp_path}/k"
        for mode, text in (("w", "one"), ("a", " two")):
            with fs.open(path, mode) as file:
                file.write(text)
        assert fs.open(path, "r").read() == "one two"
        with pytest.raises(FileExistsError):
            fs.open(path, "xb")
        with pytest.raises(ValueError, match="mode"):
            fs.open(path, "r+b")
        assert fs.modified(path).tzinfo is not None
        assert pickle.loads(pickle.dumps(fs)).cat(path) == b"one two"
        with pytest.raises(FileExistsError):
            fs.pipe_file(path, b"", mode="create")
    finally:
        _registry.pop("file", None)


def test_ranges_of_every_form():
    fs = FsspecStore("memory", skip_instance_cache=True)
    data = bytes(range(200))
    fs.pipe("k", data)
    for start, end in [
        (None, None),
        (5, None),
        (None, 7),
        (-5, None),
        (None, -7),
        (3, -3),
        (-9, -2),
        (9, 3),
    ]:
        assert fs.cat_file("k", start, end) == data[start:end], (start, end)
    got = fs.cat_ranges(["k", "k", "missing"], [1, -4, 0], [3, None, 1])
    assert got[:2] == [data[1:3], data[-4:]]
    assert isinstance(got[2], FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges(["missing"], [0], [1], on_error="raise")


def test_listings_are_kept_and_forgotten():
    fs = FsspecStore("memory", skip_instance_cache=True)
    fs.pipe("dir/a", b"1")
    assert fs.ls("dir", detail=False) == ["dir/a"]
    # Another writer is seen when the listing is taken anew.
    holdall.put(fs._construct_store(""), "dir/b", b"2")
    assert fs.ls("dir", detail=False) == ["dir/a"]
    assert fs.ls("dir", detail=False, refresh=True) == ["dir/a", "dir/b"]
    fs.pipe("dir/c", b"3")
    assert fs.ls("dir", detail=False) == ["dir/a", "dir/b", "dir/c"]
    fs.rm("dir/a")
    assert not fs.exists("dir/a")


def test_a_failed_download_leaves_nothing(tmp_path):
    fs = FsspecStore("memory", skip_instance_cache=True)
    with pytest.raises(FileNotFoundError):
        fs.get("missing", str(tmp_path / "x"))
    assert list(tmp_path.iterdir()) == []


def test_around_a_store():
    store = MemoryStore()
    store.put("a/b", b"1")
    fs = AsyncFsspecStore(store)
    assert fs.cat("a/b") == b"1"
    assert fs.find("") == ["a/b"]
