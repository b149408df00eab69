"""Writing objects."""

from __future__ import annotations

import io
import itertools
import os

import pytest

import holdall
from holdall.exceptions import AlreadyExistsError, PreconditionError

BODY = bytes(range(256)) * 100


def read(store, key="k"):
    return holdall.get(store, key).bytes().to_bytes()


@pytest.mark.parametrize(
    "make",
    [
        lambda: BODY,
        lambda: bytearray(BODY),
        lambda: memoryview(BODY),
        lambda: holdall.Bytes(BODY),
        lambda: io.BytesIO(BODY),
        lambda: iter([BODY[:100], bytearray(BODY[100:200]), memoryview(BODY)[200:]]),
        lambda: [BODY[:100], BODY[100:]],
        lambda: (BODY[i : i + 1000] for i in range(0, len(BODY), 1000)),
    ],
    ids=["bytes", "bytearray", "memoryview", "Bytes", "file", "iterator", "list", "generator"],
)
@pytest.mark.parametrize("use_multipart", [None, True, False])
def test_kinds_of_input(store, make, use_multipart):
    result = holdall.put(store, "k", make(), use_multipart=use_multipart)
    assert set(result) == {"e_tag", "version"}
    assert read(store) == BODY


@pytest.mark.parametrize("as_text", [True, False])
def test_files_by_path(store, tmp_path, as_text):
    source = tmp_path / "source"
    source.write_bytes(BODY)
    holdall.put(store, "k", str(source) if as_text else source)
    assert read(store) == BODY
    with open(source, "rb") as file:
        file.seek(1000)
        holdall.put(store, "rest", file)
    assert read(store, "rest") == BODY[1000:]


def test_missing_file(store, tmp_path):
    with pytest.raises(FileNotFoundError):
        holdall.put(store, "k", tmp_path / "missing")
    assert not holdall.exists(store, "k")


async def test_inputs_async(store, tmp_path):
    async def pieces():
        for i in range(0, len(BODY), 1000):
            yield BODY[i : i + 1000]

    source = tmp_path / "source"
    source.write_bytes(BODY)
    inputs = [BODY, bytearray(BODY), io.BytesIO(BODY), iter([BODY[:9], BODY[9:]]), source, pieces()]
    for i, given in enumerate(inputs):
        await holdall.put_async(store, f"k{i}", given)
        assert read(store, f"k{i}") == BODY


async def test_asynchronous_input_needs_put_async(store):
    async def pieces():
        yield b"x"

    with pytest.raises(ValueError, match="put_async"):
        holdall.put(store, "k", pieces())


async def test_stream_of_another_object(store):
    holdall.put(store, "from", BODY)
    holdall.put(store, "k", holdall.get(store, "from").stream(1000))
    assert read(store) == BODY
    await holdall.put_async(store, "k2", await holdall.get_async(store, "from"))
    assert read(store, "k2") == BODY


def test_neither_bytes_nor_anything_else(store):
    with pytest.raises(TypeError, match="int"):
        holdall.put(store, "k", 5)
    with pytest.raises((TypeError, BufferError, ValueError)):
        holdall.put(store, "k", iter(["text"]))
    assert not holdall.exists(store, "k")


def test_long_content_goes_in_parts(store):
    body = bytes(range(251)) * 60_000
    holdall.put(store, "k", body, chunk_size=5 * 1024 * 1024, max_concurrency=3)
    assert read(store) == body


def test_many_small_pieces(store):
    holdall.put(store, "k", itertools.repeat(b"0123456789", 50_000))
    assert holdall.head(store, "k")["size"] == 500_000
    assert holdall.get_range(store, "k", start=499_990, length=10) == b"0123456789"


def test_error_of_the_input_goes_through_and_writes_nothing(store):
    class OddError(Exception):
        pass

    def pieces():
        yield bytes(6 * 1024 * 1024)
        raise OddError("broken")

    with pytest.raises(OddError, match="broken"):
        holdall.put(store, "k", pieces())
    assert not holdall.exists(store, "k")


async def test_error_of_an_asynchronous_input(store):
    async def pieces():
        yield b"x"
        raise KeyError("broken")

    with pytest.raises(KeyError):
        await holdall.put_async(store, "k", pieces())
    assert not holdall.exists(store, "k")


@pytest.mark.parametrize("mode", ["create", "CREATE"])
def test_mode_create(store, mode):
    holdall.put(store, "k", b"old", mode=mode)
    with pytest.raises(AlreadyExistsError) as caught:
        holdall.put(store, "k", b"new", mode=mode)
    assert isinstance(caught.value, FileExistsError)
    assert read(store) == b"old"
    holdall.put(store, "k", b"new", mode="overwrite")
    assert read(store) == b"new"


def test_mode_of_a_version():
    store = holdall.store.MemoryStore()
    first = holdall.put(store, "k", b"1")
    second = holdall.put(store, "k", b"2", mode=first)
    with pytest.raises(PreconditionError):
        holdall.put(store, "k", b"3", mode=first)
    holdall.put(store, "k", b"3", mode={"e_tag": second["e_tag"]})
    assert read(store) == b"3"


def test_mode_of_a_version_on_s3(s3_store):
    first = holdall.put(s3_store, "k", b"1")
    holdall.put(s3_store, "k", b"2", mode=first)
    with pytest.raises(PreconditionError):
        holdall.put(s3_store, "k", b"3", mode=first)
    assert read(s3_store) == b"2"


def test_unknown_mode(store):
    with pytest.raises(ValueError, match="replace"):
        holdall.put(store, "k", b"", mode="replace")


def test_sizes_that_make_no_sense(store):
    with pytest.raises(ValueError, match="chunk_size"):
        holdall.put(store, "k", b"x", chunk_size=0)


def test_attributes(store):
    given = {"content-type": "text/plain", "Cache-Control": "no-store", "colour": "blue"}
    try:
        holdall.put(store, "k", b"x", attributes=given)
    except holdall.exceptions.NotSupportedError as error:
        pytest.skip(f"this file system keeps no attributes: {error}")
    found = holdall.get(store, "k").attributes
    assert found["Content-Type"] == "text/plain"
    assert found["Cache-Control"] == "no-store"
    assert found["colour"] == "blue"


def test_tags(store):
    holdall.put(store, "k", b"x", tags={"a": "1", "b c": "d/e"})
    assert holdall.get_tags(store, "k") == {"a": "1", "b c": "d/e"}
    holdall.put_tags(store, "k", {"z": "26"})
    assert holdall.get_tags(store, "k") == {"z": "26"}


@pytest.mark.skipif(not os.path.exists("/proc/version"), reason="the system has no /proc")
async def test_files_that_are_made_while_they_are_read(store):
    # They say that they are empty.
    with open("/proc/version", "rb") as file:
        content = file.read()
    holdall.put(store, "k", "/proc/version")
    assert read(store) == content
    await holdall.put_async(store, "k", "/proc/version")
    assert read(store) == content
    holdall.upload(store, "k", "/proc/version")
    assert read(store) == content
