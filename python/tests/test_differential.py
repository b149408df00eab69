"""The same operations on obstore and on holdall have the same results.

Where they differ on purpose (reading with ``head=True``, versions that a store does not have) the sequences do not go.
"""

from __future__ import annotations

import tempfile
import uuid

import obstore
import obstore.store
import pytest
from conftest import s3_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import holdall
import holdall.store

KEYS = st.sampled_from(["a", "b/c", "b/d", "b.e/f", "ü/x y", "b/%20"])
DATA = st.binary(max_size=30)
STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, DATA),
    st.tuples(st.just("create"), KEYS, DATA),
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("head"), KEYS),
    st.tuples(st.just("get_range"), KEYS, st.integers(0, 35), st.integers(0, 35)),
    st.tuples(st.just("suffix"), KEYS, st.integers(1, 40)),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("copy"), KEYS, KEYS),
    st.tuples(st.just("rename"), KEYS, KEYS),
    st.tuples(st.just("list"), st.sampled_from([None, "b", "ü", "nothing"])),
    st.tuples(st.just("level"), st.sampled_from([None, "b"])),
    st.tuples(st.just("offset"), KEYS),
)


def described(meta):
    return meta["path"], meta["size"]


def step(package, store, action, *args):
    """Do one step and return what a user sees of it."""
    match action:
        case "put":
            package.put(store, args[0], args[1])
        case "create":
            package.put(store, args[0], args[1], mode="create")
        case "get":
            got = package.get(store, args[0])
            return bytes(got.bytes()), got.range, described(got.meta)
        case "head":
            return described(package.head(store, args[0]))
        case "get_range":
            return bytes(package.get_range(store, args[0], start=args[1], end=args[2]))
        case "suffix":
            return bytes(
                package.get(store, args[0], options={"range": {"suffix": args[1]}}).bytes()
            )
        case "delete":
            package.delete(store, args[0])
        case "copy":
            package.copy(store, *args)
        case "rename":
            package.rename(store, *args)
        case "list":
            return sorted(map(described, package.list(store, args[0]).collect()))
        case "offset":
            return sorted(map(described, package.list(store, offset=args[0]).collect()))
        case "level":
            level = package.list_with_delimiter(store, args[0])
            # obstore shows directories without files, which are no objects, as prefixes; holdall does not.
            prefixes = [p for p in level["common_prefixes"] if package.list(store, p).collect()]
            return sorted(prefixes), sorted(map(described, level["objects"]))


def outcome(package, store, *action):
    try:
        return step(package, store, *action)
    except Exception as error:
        base = package.exceptions.BaseError
        for builtin in (FileNotFoundError, FileExistsError, NotImplementedError):
            if isinstance(error, builtin):
                return builtin.__name__
        if type(error).__name__ == "AlreadyExistsError":
            return "FileExistsError"
        if isinstance(error, ValueError) and not isinstance(error, base):
            return "ValueError"
        return "BaseError" if isinstance(error, base) else type(error).__name__


def compare(theirs, ours, steps):
    for action in steps:
        expected = outcome(obstore, theirs, *action)
        assert outcome(holdall, ours, *action) == expected, action


@given(st.lists(STEPS, max_size=40))
@settings(max_examples=60, deadline=None)
def test_memory(steps):
    # obstore's rename of an object onto itself deletes it.
    steps = [s for s in steps if s[0] != "rename" or s[1] != s[2]]
    compare(obstore.store.MemoryStore(), holdall.store.MemoryStore(), steps)


@given(st.lists(STEPS, max_size=40))
@settings(max_examples=40, deadline=None)
def test_local(steps):
    # A copy of an object onto itself: obstore's fails on files, ours does nothing.
    steps = [s for s in steps if s[0] not in ("copy", "rename") or s[1] != s[2]]
    # Its copies are second names of one file, and renaming one of these to the other does nothing.
    if any(step[0] == "copy" for step in steps):
        steps = [step for step in steps if step[0] != "rename"]
    with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
        compare(obstore.store.LocalStore(a), holdall.store.LocalStore(b), steps)


@given(st.lists(STEPS, max_size=15))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_s3(steps):
    config, options = s3_settings(), {"allow_http": True}
    # S3 has no copy of an object onto itself.
    steps = [s for s in steps if s[0] not in ("copy", "rename") or s[1] != s[2]]
    prefix = f"differential-{uuid.uuid4().hex}"
    theirs = obstore.store.S3Store(
        "test-bucket", prefix=f"{prefix}/a", config=config, client_options=options
    )
    ours = holdall.store.S3Store(
        "test-bucket", prefix=f"{prefix}/b", config=config, client_options=options
    )
    compare(theirs, ours, steps)
    holdall.delete_prefix(ours)


def test_every_public_name_exists():
    missing = [name for name in obstore.__all__ if not hasattr(holdall, name)]
    assert not missing
    names = [n for n in dir(obstore.store) if n.endswith(("Store", "Config", "Provider"))]
    assert not [n for n in names if not hasattr(holdall.store, n)]
    exceptions = [n for n in dir(obstore.exceptions) if n.endswith("Error")]
    assert not [n for n in exceptions if not hasattr(holdall.exceptions, n)]


@pytest.mark.parametrize(
    "name", ["get", "put", "list", "copy", "sign", "open_reader", "open_writer"]
)
def test_signatures_take_what_obstore_s_take(name):
    import inspect

    ours = inspect.signature(getattr(holdall, name)).parameters
    theirs = inspect.signature(getattr(obstore, name)).parameters
    assert list(theirs) == [p for p in ours if p in theirs]
