"""Copying and moving objects, within a store and between stores."""

from __future__ import annotations

import pytest

import holdall
from holdall.exceptions import AlreadyExistsError, NotFoundError
from holdall.store import LocalStore, MemoryStore


@pytest.fixture
def filled(store):
    holdall.put(store, "föö/from", b"content")
    return store


def read(store, key):
    return holdall.get(store, key).bytes()


def test_copy(filled):
    assert holdall.copy(filled, "föö/from", "to/here") is None
    assert read(filled, "to/here") == b"content"
    assert read(filled, "föö/from") == b"content"
    holdall.put(filled, "föö/from", b"changed")
    assert read(filled, "to/here") == b"content"


def test_rename(filled):
    assert holdall.rename(filled, "föö/from", "to/here") is None
    assert read(filled, "to/here") == b"content"
    assert not holdall.exists(filled, "föö/from")


async def test_async(filled):
    await holdall.copy_async(filled, "föö/from", "second")
    await holdall.rename_async(filled, "second", "third")
    assert [meta["path"] for meta in holdall.list(filled).collect()] == ["föö/from", "third"]


@pytest.mark.parametrize("operation", [holdall.copy, holdall.rename])
def test_without_overwriting(tmp_path, operation):
    for store in (MemoryStore(), LocalStore(tmp_path)):
        holdall.put(store, "a", b"a")
        holdall.put(store, "b", b"b")
        with pytest.raises(AlreadyExistsError):
            operation(store, "a", "b", overwrite=False)
        assert read(store, "b") == b"b"
        assert read(store, "a") == b"a"
        operation(store, "a", "c", overwrite=False)
        assert read(store, "c") == b"a"


@pytest.mark.parametrize("operation", [holdall.copy, holdall.rename])
def test_missing_object(filled, operation):
    with pytest.raises(NotFoundError):
        operation(filled, "missing", "to")


def test_between_stores(filled):
    other = MemoryStore()
    report = holdall.copy_between(filled, "föö/from", other, "there")
    assert set(report) == {"bytes", "server_side"}
    assert read(other, "there") == b"content"
    with pytest.raises(AlreadyExistsError):
        holdall.copy_between(filled, "föö/from", other, "there", overwrite=False)


async def test_between_stores_async(filled):
    other = MemoryStore()
    await holdall.copy_between_async(filled, "föö/from", other, "there")
    assert read(other, "there") == b"content"
    with pytest.raises(NotFoundError):
        await holdall.copy_between_async(other, "missing", filled, "x")


def test_below_a_prefix(filled):
    below = filled.with_prefix("föö")
    holdall.copy(below, "from", "to")
    assert read(filled, "föö/to") == b"content"


def test_the_service_copies_between_its_prefixes(s3_store):
    holdall.put(s3_store, "a/k", b"content")
    report = holdall.copy_between(s3_store.with_prefix("a"), "k", s3_store.with_prefix("b"), "k")
    assert report["server_side"] is True
    assert read(s3_store, "b/k") == b"content"
