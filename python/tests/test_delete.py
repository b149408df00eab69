"""Deleting objects."""

from __future__ import annotations

import pytest
from conftest import s3_settings

import holdall
from holdall.exceptions import NotFoundError
from holdall.store import LocalStore, MemoryStore, S3Store

KEYS = ["a", "b/1", "b/2", "c"]


@pytest.fixture
def filled(store):
    holdall.put_many(store, {key: b"x" for key in KEYS})
    return store


def left(store):
    return [meta["path"] for meta in holdall.list(store).collect()]


@pytest.mark.parametrize(
    "paths",
    [
        ["a", "c"],
        ("a", "c"),
        {"a", "c"},
        iter(["a", "c"]),
        (key for key in "ac"),
        [{"path": "a"}, {"path": "c"}],
    ],
    ids=["list", "tuple", "set", "iterator", "generator", "entries"],
)
def test_several(paths):
    store = MemoryStore()
    holdall.put_many(store, {key: b"x" for key in KEYS})
    assert holdall.delete(store, paths) is None
    assert left(store) == ["b/1", "b/2"]


def test_one(filled):
    holdall.delete(filled, "a")
    assert left(filled) == KEYS[1:]


async def test_async(filled):
    assert await holdall.delete_async(filled, "a") is None
    assert await filled.delete_async(["b/1", "c"]) is None
    assert left(filled) == ["b/2"]


def test_a_listing(filled):
    holdall.delete(filled, holdall.list(filled, "b"))
    assert left(filled) == ["a", "c"]


def test_missing_object(filled):
    if isinstance(filled, LocalStore):
        with pytest.raises(FileNotFoundError):
            holdall.delete(filled, "missing")
        with pytest.raises(FileNotFoundError):
            holdall.delete(filled, ["a", "missing"])
    else:
        holdall.delete(filled, ["a", "missing"])
    assert "a" not in left(filled)


def test_nothing(filled):
    holdall.delete(filled, [])
    assert left(filled) == KEYS


def test_prefix(filled):
    assert holdall.delete_prefix(filled, "b") == {"deleted": 2, "failed": {}}
    assert left(filled) == ["a", "c"]
    assert holdall.delete_prefix(filled)["deleted"] == 2
    assert left(filled) == []


async def test_prefix_async(filled):
    assert (await holdall.delete_prefix_async(filled, "b"))["deleted"] == 2


def test_below_a_prefix(filled):
    holdall.delete(filled.with_prefix("b"), "1")
    assert left(filled) == ["a", "b/2", "c"]
    holdall.delete_prefix(filled.with_prefix("b"))
    assert left(filled) == ["a", "c"]


def test_a_prefix_of_what_is_missing(s3_store, tmp_path):
    nothing = {"deleted": 0, "failed": {}}
    assert holdall.delete_prefix(s3_store, "nothing/here") == nothing
    assert holdall.delete_prefix(LocalStore(tmp_path), "nothing/here") == nothing
    other = S3Store("no-such-bucket", config=s3_settings(), client_options={"allow_http": True})
    with pytest.raises(NotFoundError, match="no-such-bucket"):
        holdall.delete_prefix(other, "a")
