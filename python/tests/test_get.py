"""Reading objects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

import pytest

import holdall
from holdall.exceptions import (
    GenericError,
    NotFoundError,
    NotModifiedError,
    PreconditionError,
)

BODY = bytes(range(256)) * 8


@pytest.fixture
def stored(store):
    holdall.put(store, "folder/object.bin", BODY)
    return store


KEY = "folder/object.bin"


def test_body_and_description(stored):
    result = holdall.get(stored, KEY)
    assert result.range == (0, len(BODY))
    assert result.meta["path"] == KEY
    assert result.meta["size"] == len(BODY)
    assert list(result.meta) == ["path", "last_modified", "size", "e_tag", "version"]
    modified = result.meta["last_modified"]
    assert modified.tzinfo is UTC
    assert abs(datetime.now(UTC) - modified) < timedelta(minutes=5)
    assert result.bytes() == BODY
    # The description outlives the body.
    assert result.meta["size"] == len(BODY)


async def test_body_and_description_async(stored):
    result = await holdall.get_async(stored, KEY)
    assert result.meta["path"] == KEY
    assert await result.bytes_async() == BODY


def test_body_is_read_once(stored):
    result = stored.get(KEY)
    result.bytes()
    with pytest.raises(ValueError, match="already been disposed"):
        result.bytes()
    with pytest.raises(ValueError, match="already been disposed"):
        result.stream()


def test_path_objects(stored):
    assert holdall.get(stored, PurePosixPath("folder") / "object.bin").bytes() == BODY
    assert holdall.head(stored, PurePosixPath(KEY))["size"] == len(BODY)


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ((0, 10), 0, 10),
        ([5, 15], 5, 15),
        ({"offset": 2000}, 2000, 2048),
        ({"suffix": 7}, 2041, 2048),
        ((2040, 5000), 2040, 2048),
    ],
)
def test_range_option(stored, wanted, start, end):
    result = holdall.get(stored, KEY, options={"range": wanted})
    assert result.range == (start, end)
    assert result.meta["size"] == len(BODY)
    assert result.bytes() == BODY[start:end]


@pytest.mark.parametrize("wanted", [(5, 5), (10, 2), {"start": 1}, (1,), "0-5"])
def test_range_option_that_makes_no_sense(stored, wanted):
    with pytest.raises((ValueError, TypeError)):
        holdall.get(stored, KEY, options={"range": wanted})


def test_options_may_be_none(stored):
    options = dict.fromkeys(
        [
            "if_match",
            "if_none_match",
            "if_modified_since",
            "if_unmodified_since",
            "range",
            "version",
        ]
    )
    assert holdall.get(stored, KEY, options={**options, "head": False}).bytes() == BODY


def test_unknown_option(stored):
    with pytest.raises(ValueError, match="if_matches"):
        holdall.get(stored, KEY, options={"if_matches": "x"})


def test_head_option_has_no_body(stored):
    result = holdall.get(stored, KEY, options={"head": True})
    assert result.meta["size"] == len(BODY)
    assert result.bytes() == b""


def test_conditions(stored):
    e_tag = holdall.head(stored, KEY)["e_tag"]
    assert holdall.get(stored, KEY, options={"if_match": e_tag}).bytes() == BODY
    with pytest.raises(PreconditionError):
        holdall.get(stored, KEY, options={"if_match": '"another"'})
    with pytest.raises(NotModifiedError):
        holdall.get(stored, KEY, options={"if_none_match": e_tag})
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert holdall.get(stored, KEY, options={"if_unmodified_since": tomorrow}).bytes() == BODY


def test_missing_object(stored):
    with pytest.raises(FileNotFoundError) as caught:
        holdall.get(stored, "missing")
    error = caught.value
    assert isinstance(error, NotFoundError)
    assert error.kind == "not_found"
    assert error.operation == "get"
    assert error.target.endswith("/missing")
    assert "missing" in str(error)
    assert "\n" not in str(error)


async def test_missing_object_async(stored):
    with pytest.raises(NotFoundError):
        await holdall.get_async(stored, "missing")
    with pytest.raises(NotFoundError):
        await stored.head_async("missing")


@pytest.mark.parametrize("path", ["a//b", "a/../b", "./a"])
def test_keys_that_no_store_can_hold(stored, path):
    with pytest.raises(ValueError, match="Could not parse path"):
        holdall.get(stored, path)


def test_get_range(stored):
    assert holdall.get_range(stored, KEY, start=3, end=9) == BODY[3:9]
    assert holdall.get_range(stored, KEY, start=3, length=9) == BODY[3:12]
    assert holdall.get_range(stored, KEY, offset=3, length=9) == BODY[3:12]
    assert holdall.get_range(stored, KEY, start=2000, length=1000) == BODY[2000:]


async def test_get_range_async(stored):
    assert await holdall.get_range_async(stored, KEY, start=3, end=9) == BODY[3:9]
    assert await stored.get_range_async(KEY, start=3, length=9) == BODY[3:12]


def test_get_range_outside_of_the_object(stored):
    with pytest.raises(GenericError):
        holdall.get_range(stored, KEY, start=5000, length=10)


@pytest.mark.parametrize(
    "arguments",
    [
        {"start": 5, "end": 5},
        {"start": 5, "end": 3},
        {"start": 5, "length": 0},
        {"start": 5},
        {"start": 5, "end": 6, "length": 1},
        {"length": 4},
        {"start": 1, "offset": 1, "length": 4},
    ],
)
def test_get_range_refuses(stored, arguments):
    with pytest.raises(ValueError):
        holdall.get_range(stored, KEY, **arguments)


@pytest.mark.parametrize("coalesce", [0, 1, 100, 1 << 20])
@pytest.mark.parametrize("max_concurrency", [1, 10])
def test_get_ranges(stored, coalesce, max_concurrency):
    # Out of order, overlapping, one twice, one past the end.
    starts, ends = [1000, 5, 0, 5, 2040], [1100, 10, 600, 10, 9999]
    found = holdall.get_ranges(
        stored,
        KEY,
        starts=starts,
        ends=ends,
        coalesce=coalesce,
        max_concurrency=max_concurrency,
    )
    assert found == [BODY[start:end] for start, end in zip(starts, ends, strict=True)]
    lengths = [end - start for start, end in zip(starts, ends, strict=True)]
    assert holdall.get_ranges(stored, KEY, offsets=starts, lengths=lengths) == found


async def test_get_ranges_async(stored):
    found = await holdall.get_ranges_async(stored, KEY, starts=[0, 100], lengths=[3, 4])
    assert found == [BODY[:3], BODY[100:104]]
    assert holdall.get_ranges(stored, KEY, starts=[], ends=[]) == []


@pytest.mark.parametrize("min_chunk_size", [0, 100, 1 << 20])
def test_stream(stored, min_chunk_size):
    chunks = list(holdall.get(stored, KEY).stream(min_chunk_size))
    assert b"".join(chunks) == BODY
    assert all(type(chunk) is bytes for chunk in chunks)
    assert all(len(chunk) >= min_chunk_size for chunk in chunks[:-1])


async def test_stream_async(stored):
    chunks = [chunk async for chunk in (await holdall.get_async(stored, KEY)).stream(100)]
    assert b"".join(chunks) == BODY
    assert all(type(chunk) is bytes for chunk in chunks)
    # Both ways to iterate, without stream().
    assert b"".join(holdall.get(stored, KEY)) == BODY
    assert b"".join([chunk async for chunk in await stored.get_async(KEY)]) == BODY


async def test_result_of_a_synchronous_call_read_asynchronously(stored):
    assert await holdall.get(stored, KEY).bytes_async() == BODY
    result = await holdall.get_async(stored, KEY)
    assert result.bytes() == BODY


def test_long_object(store):
    body = bytes(range(251)) * 50_000
    holdall.put(store, "long", body)
    assert holdall.get(store, "long").bytes() == body
    assert b"".join(holdall.get(store, "long").stream(1 << 20)) == body
    middle = holdall.get(store, "long", options={"range": (1_000_000, 9_000_001)})
    assert b"".join(middle.stream(1 << 20)) == body[1_000_000:9_000_001]


def test_empty_object(store):
    holdall.put(store, "empty", b"")
    result = holdall.get(store, "empty")
    assert result.range == (0, 0)
    assert result.bytes() == b""
    assert list(holdall.get(store, "empty").stream()) == []


def test_head(stored):
    meta = holdall.head(stored, KEY)
    assert (meta["path"], meta["size"]) == (KEY, len(BODY))
    assert meta["e_tag"].startswith('"')


@pytest.mark.parametrize(
    "key", ["ümlaut.txt", "with space", "100%25.txt", "a+b&c=d?e#f", "emoji-🎒", "日本/語"]
)
def test_keys_are_kept_as_they_are(store, key):
    holdall.put(store, key, b"x")
    assert holdall.head(store, key)["path"] == key
    assert [meta["path"] for meta in holdall.list(store).collect()] == [key]
    assert holdall.get(store, key).bytes() == b"x"


def test_exists(stored):
    assert holdall.exists(stored, KEY) is True
    assert holdall.exists(stored, "folder") is False
    assert stored.exists("missing") is False


async def test_exists_async(stored):
    assert await holdall.exists_async(stored, KEY) is True
    assert await stored.exists_async("missing") is False
