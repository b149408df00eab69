"""Listings."""

from __future__ import annotations

import pytest

import holdall

KEYS = ["a.txt", "b/1.txt", "b/2.txt", "b/c/3.txt", "bb/4.txt", "ü/5.txt"]


@pytest.fixture
def filled(store):
    holdall.put_many(store, {key: b"x" * i for i, key in enumerate(KEYS)})
    return store


def keys(listing):
    return [meta["path"] for meta in listing.collect()]


def test_everything_in_order(filled):
    assert keys(holdall.list(filled)) == KEYS
    assert keys(filled.list()) == KEYS
    first = next(iter(holdall.list(filled)))[0]
    assert list(first) == ["path", "last_modified", "size", "e_tag", "version"]


def test_prefix_is_whole_segments(filled):
    assert keys(holdall.list(filled, "b")) == ["b/1.txt", "b/2.txt", "b/c/3.txt"]
    assert keys(holdall.list(filled, "b/")) == ["b/1.txt", "b/2.txt", "b/c/3.txt"]
    assert keys(holdall.list(filled, "b/c/3")) == []
    assert keys(holdall.list(filled, None)) == KEYS


def test_chunks(filled):
    assert [len(chunk) for chunk in holdall.list(filled, chunk_size=4)] == [4, 2]
    listing = holdall.list(filled, chunk_size=2)
    assert [meta["path"] for meta in next(listing)] == KEYS[:2]
    assert keys(listing) == KEYS[2:]
    assert keys(listing) == []
    assert list(listing) == []


async def test_async(filled):
    chunks = [chunk async for chunk in holdall.list(filled, chunk_size=4)]
    assert [meta["path"] for chunk in chunks for meta in chunk] == KEYS
    assert [meta["path"] for meta in await filled.list_async("b").collect_async()] == KEYS[1:4]


def test_from_a_key_on(filled):
    assert keys(holdall.list(filled, offset="b/2.txt")) == KEYS[3:]
    assert keys(holdall.list(filled, offset="b/15")) == KEYS[2:]
    assert keys(holdall.list(filled, "b", offset="b/1.txt")) == ["b/2.txt", "b/c/3.txt"]


def test_limits(filled):
    assert keys(holdall.list(filled, end_before="bb")) == KEYS[:4]
    assert keys(holdall.list(filled, max_items=2)) == KEYS[:2]
    assert keys(holdall.list(filled, max_items=0)) == []
    assert keys(holdall.list(filled, offset="a.txt", end_before="b/c/3.txt")) == KEYS[1:3]


def test_text_that_keys_start_with(filled):
    assert keys(holdall.list(filled, substring_prefix="b")) == KEYS[1:5]
    assert keys(holdall.list(filled, substring_prefix="b/1")) == ["b/1.txt"]
    with pytest.raises(ValueError, match="substring_prefix"):
        holdall.list(filled, "b", substring_prefix="b")


def test_one_level(filled):
    level = holdall.list_with_delimiter(filled)
    assert level["common_prefixes"] == ["b", "bb", "ü"]
    assert [meta["path"] for meta in level["objects"]] == ["a.txt"]
    level = filled.list_with_delimiter("b")
    assert level["common_prefixes"] == ["b/c"]
    assert [meta["path"] for meta in level["objects"]] == ["b/1.txt", "b/2.txt"]
    assert holdall.list_with_delimiter(filled, "missing") == {"common_prefixes": [], "objects": []}


async def test_one_level_async(filled):
    level = await holdall.list_with_delimiter_async(filled, "b")
    assert level["common_prefixes"] == ["b/c"]


def test_glob(filled):
    assert keys(holdall.glob(filled, "*.txt")) == ["a.txt"]
    assert keys(holdall.glob(filled, "b/*.txt")) == ["b/1.txt", "b/2.txt"]
    assert keys(holdall.glob(filled, "**/*.txt"))[-1] == "ü/5.txt"
    assert keys(holdall.glob(filled, "b/{1,9}.txt")) == ["b/1.txt"]
    with pytest.raises(ValueError):
        holdall.glob(filled, "b/[")


def test_below_a_prefix(filled):
    below = filled.with_prefix("b")
    assert keys(holdall.list(below)) == ["1.txt", "2.txt", "c/3.txt"]
    assert keys(holdall.list(below, "c")) == ["c/3.txt"]
    assert keys(holdall.list(below, offset="1.txt")) == ["2.txt", "c/3.txt"]
    assert holdall.list_with_delimiter(below)["common_prefixes"] == ["c"]
    assert holdall.get(below, "1.txt").meta["path"] == "1.txt"


def test_more_than_a_page():
    store = holdall.store.MemoryStore()
    wanted = [f"{i:05}" for i in range(2500)]
    holdall.put_many(store, [(key, b"") for key in wanted])
    assert keys(holdall.list(store)) == wanted
    assert keys(holdall.list(store, offset="01999")) == wanted[2000:]


def test_more_than_a_page_on_s3(s3_store):
    wanted = [f"{i:05}" for i in range(1100)]
    holdall.put_many(s3_store, [(key, b"") for key in wanted])
    assert keys(holdall.list(s3_store)) == wanted
    holdall.delete(s3_store, holdall.list(s3_store))
    assert keys(holdall.list(s3_store)) == []


def test_error_is_raised_where_the_listing_is_read(tmp_path):
    store = holdall.store.LocalStore(tmp_path / "gone", mkdir=True)
    listing = holdall.list(store)
    (tmp_path / "gone").rmdir()
    try:
        found = listing.collect()
    except FileNotFoundError:
        return
    assert found == []
