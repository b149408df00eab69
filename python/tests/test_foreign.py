"""Stores of other packages, and ours in theirs."""

from __future__ import annotations

import pytest

import holdall
from holdall.store import LocalStore, S3Store

obstore = pytest.importorskip("obstore", reason="obstore is not installed")
theirs = pytest.importorskip("obstore.store")


@pytest.fixture(autouse=True)
def _real_obstore():
    if obstore.__name__ != "obstore" or not hasattr(obstore, "_obstore"):
        pytest.skip("holdall stands in for obstore in this process")


def test_their_store_in_our_functions(tmp_path):
    foreign = theirs.LocalStore(tmp_path)
    holdall.put(foreign, "k", b"content")
    assert (tmp_path / "k").read_bytes() == b"content"
    result = holdall.get(foreign, "k")
    assert type(result) is holdall.GetResult
    assert result.bytes() == b"content"
    assert [meta["path"] for meta in holdall.list(foreign).collect()] == ["k"]


async def test_asynchronous_functions(tmp_path):
    foreign = theirs.LocalStore(tmp_path)
    await holdall.put_async(foreign, "k", b"content")
    assert await (await holdall.get_async(foreign, "k")).bytes_async() == b"content"


def test_rebuilt_once(tmp_path):
    from holdall._foreign import as_store

    foreign = theirs.LocalStore(tmp_path)
    assert as_store(foreign) is as_store(foreign)
    assert type(as_store(foreign)) is LocalStore


def test_settings_come_along():
    from holdall._foreign import as_store

    foreign = theirs.S3Store("bucket", prefix="a", region="eu-west-1", skip_signature=True)
    ours = as_store(foreign)
    assert type(ours) is S3Store
    assert ours.prefix == "a"
    assert ours.config["region"] == "eu-west-1"


def test_their_memory_cannot_be_reached():
    with pytest.raises(ValueError, match="MemoryStore"):
        holdall.get(theirs.MemoryStore(), "k")


def test_between_packages(tmp_path):
    (tmp_path / "k").write_bytes(b"content")
    target = holdall.store.MemoryStore()
    holdall.copy_between(theirs.LocalStore(tmp_path), "k", target, "k")
    assert holdall.get(target, "k").bytes() == b"content"


def test_any_class_that_follows_the_contract(tmp_path):
    other = type(
        "LocalStore",
        (),
        {"__getnewargs_ex__": lambda self: ((str(tmp_path),), {})},
    )()
    holdall.put(other, "k", b"x")
    assert (tmp_path / "k").read_bytes() == b"x"


def test_what_is_no_store():
    for thing in (None, "s3://bucket", {"bucket": "x"}, object()):
        with pytest.raises(ValueError, match="store"):
            holdall.head(thing, "k")


def test_the_same_results_in_both(tmp_path):
    """The same operations through both packages, on the same folder."""
    mine, foreign = LocalStore(tmp_path), theirs.LocalStore(tmp_path)
    holdall.put(mine, "a/k", b"0123456789")
    assert obstore.head(foreign, "a/k") == holdall.head(mine, "a/k")
    assert obstore.get_range(foreign, "a/k", start=2, end=5) == holdall.get_range(
        mine, "a/k", start=2, end=5
    )
    level = holdall.list_with_delimiter(mine)
    assert obstore.list_with_delimiter(foreign) == level
