"""Listings: pages, prefixes, properties, levels."""

import pytest
from aistore.sdk.list_object_flag import ListObjectFlag
from conftest import REAL, SDK, fill, names

# None sorts between a folder and what is in it ("a-" before "a/1"): a cluster loses such names at the end of a page.
NAMES = ["a/1", "a/2", "a/b/3", "b", "c d", "e", "é"]


def test_everything_in_order(bucket):
    fill(bucket, NAMES)
    assert names(bucket) == NAMES
    assert names(bucket, "a/") == ["a/1", "a/2", "a/b/3"]
    assert names(bucket, "none") == []


@pytest.mark.skipif(
    REAL,
    reason="targets of AIStore keep objects as files and list them folder by folder",
)
@pytest.mark.parametrize("page_size", [1, 2, 20])
def test_names_beside_and_below_names(bucket, page_size):
    close = ["a", "a-", "a.x", "a/1", "a/1-", "a/1/b", "a0"]
    fill(bucket, close)
    assert [entry.name for entry in bucket.list_all_objects(page_size=page_size)] == close


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 20])
def test_pages(bucket, page_size):
    fill(bucket, NAMES)
    first = bucket.list_objects(page_size=page_size)
    assert [entry.name for entry in first.entries] == NAMES[:page_size]
    entries = bucket.list_all_objects(page_size=page_size)
    assert [entry.name for entry in entries] == NAMES
    assert [entry.name for entry in bucket.list_objects_iter(page_size=page_size)] == NAMES


def test_properties(bucket):
    contents = fill(bucket, NAMES)
    entries = bucket.list_all_objects(props="name,size,version,checksum,atime,copies,location")
    for entry in entries:
        assert entry.size == len(contents[entry.name])
        assert entry.version == "1" and len(entry.checksum) == 16
        assert entry.atime and entry.copies == 1 and entry.location
        assert entry.is_cached() and entry.is_ok()


def test_flags(bucket):
    contents = fill(bucket, NAMES)
    sizes = bucket.list_all_objects(flags=[ListObjectFlag.NAME_SIZE])
    assert [entry.size for entry in sizes] == [len(contents[name]) for name in NAMES]
    only_names = bucket.list_all_objects(flags=[ListObjectFlag.NAME_ONLY])
    assert {entry.size for entry in only_names} == {0}


@pytest.mark.skipif(SDK < (1, 17), reason="this generation of the SDK lists all levels only")
def test_one_level(bucket):
    fill(bucket, NAMES)
    flags = [ListObjectFlag.NO_RECURSION]
    top = [entry.name for entry in bucket.list_all_objects(flags=flags)]
    assert top == ["a/", "b", "c d", "e", "é"]
    below = [entry.name for entry in bucket.list_all_objects(prefix="a/", flags=flags, page_size=1)]
    assert below == ["a/1", "a/2", "a/b/"]


@pytest.mark.skipif(SDK < (2,), reason="this generation of the SDK starts at the beginning only")
def test_start_after(bucket):
    fill(bucket, NAMES)
    entries = bucket.list_all_objects(start_after="a/2", page_size=2)
    assert [entry.name for entry in entries] == NAMES[2:]


def test_urls(bucket):
    fill(bucket, ["a", "b"])
    first, second = bucket.list_urls()
    assert f"/v1/objects/{bucket.name}/a?" in first and f"/v1/objects/{bucket.name}/b?" in second
