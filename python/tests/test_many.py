"""Operations on many objects with one call."""

from __future__ import annotations

import pytest

import holdall
from holdall.exceptions import BaseError, NotFoundError
from holdall.store import MemoryStore

KEYS = [f"many/{i:03}" for i in range(50)]


@pytest.fixture
def filled(store):
    holdall.put_many(store, [(key, key.encode()) for key in KEYS])
    return store


def test_put(store):
    results = holdall.put_many(store, {"a": b"1", "b": bytearray(b"2"), "c": memoryview(b"3")})
    assert [set(result) for result in results] == [{"e_tag", "version"}] * 3
    assert [holdall.get(store, key).bytes() for key in "abc"] == [b"1", b"2", b"3"]
    assert holdall.put_many(store, []) == []


@pytest.mark.parametrize("max_concurrency", [1, 7, 100])
def test_get_keeps_the_order(filled, max_concurrency):
    keys = KEYS[::-1]
    found = holdall.get_many(filled, keys, max_concurrency=max_concurrency)
    assert found == [key.encode() for key in keys]
    assert holdall.get_many(filled, iter(keys[:2])) == found[:2]


def test_head(filled):
    found = holdall.head_many(filled, KEYS)
    assert [meta["path"] for meta in found] == KEYS
    assert {meta["size"] for meta in found} == {8}


def test_errors_are_raised(filled):
    with pytest.raises(NotFoundError, match="missing"):
        holdall.get_many(filled, [KEYS[0], "missing", KEYS[1]])
    with pytest.raises(NotFoundError, match="missing"):
        holdall.head_many(filled, ["missing"])


def test_errors_are_returned(filled):
    first, error, last = holdall.get_many(filled, [KEYS[0], "missing", KEYS[1]], on_error="return")
    assert (first, last) == (KEYS[0].encode(), KEYS[1].encode())
    assert isinstance(error, NotFoundError)
    assert error.target.endswith("missing")
    found = holdall.head_many(filled, ["missing", KEYS[0]], on_error="return")
    assert isinstance(found[0], BaseError)
    assert found[1]["size"] == 8


def test_delete(filled):
    # A missing object is as good as a deleted one.
    assert holdall.delete_many(filled, [*KEYS[:10], "missing"]) == [None] * 11
    assert len(holdall.list(filled).collect()) == 40


async def test_async(store):
    await holdall.put_many_async(store, [(key, b"x") for key in KEYS])
    assert await holdall.get_many_async(store, KEYS[:3]) == [b"x"] * 3
    assert [meta["size"] for meta in await store.head_many_async(KEYS[:3])] == [1, 1, 1]
    with pytest.raises(NotFoundError):
        await holdall.get_many_async(store, ["missing"])
    outcome = await holdall.get_many_async(store, ["missing"], on_error="return")
    assert isinstance(outcome[0], NotFoundError)
    assert await holdall.delete_many_async(store, KEYS) == [None] * len(KEYS)
    assert holdall.list(store).collect() == []


def test_arguments(store):
    with pytest.raises(ValueError, match="on_error"):
        holdall.get_many(store, [], on_error="ignore")
    with pytest.raises(ValueError, match="Could not parse path"):
        holdall.get_many(store, ["a//b"])
    with pytest.raises(TypeError):
        holdall.get_many(store, [1])
    with pytest.raises((TypeError, BufferError, ValueError)):
        holdall.put_many(store, {"a": "text"})


def test_what_stands_for_keys_and_pairs():
    store = MemoryStore()
    holdall.put_many(store, [("a", b"1"), ["b", b"2"]])
    listed = holdall.list(store).collect()
    assert holdall.get_many(store, listed) == [b"1", b"2"]
    assert holdall.get_many(store, iter(["a", "a"])) == [b"1", b"1"]
    for function in (holdall.get_many, holdall.head_many, holdall.delete_many):
        with pytest.raises(TypeError, match="several keys"):
            function(store, "ab")
    for pairs in (["ab"], [("a",)], [("a", b"1", b"2")]):
        with pytest.raises(TypeError, match="pairs of key and content"):
            holdall.put_many(store, pairs)
