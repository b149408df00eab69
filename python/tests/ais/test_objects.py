"""Objects: written, read, described, in parts and as files."""

from __future__ import annotations

import asyncio
import io
import os
import pickle
import tarfile

import pytest

from holdall.aistore.archive_config import ArchiveConfig, ArchiveMode
from holdall.aistore.errors import AISError, ErrBckNotFound, ErrObjNotFound
from holdall.aistore.obj.content_iterator import ParallelBuffer

NAMES = [
    "plain",
    "dir/in dir",
    "a%20b",
    "a%b",
    "a#b?c=d&e",
    "a+b",
    "ü/日本",
    "back\\slash",
    "a:b;c,d",
]


@pytest.fixture(scope="module")
def data() -> bytes:
    return os.urandom(3_000_001)


@pytest.mark.parametrize("name", NAMES)
def test_any_name(bucket, name):
    made = bucket.object(name)
    assert made.get_writer().put_content(b"content").status_code == 200
    assert made.get_reader().read_all() == b"content"
    assert made.head().size == 7
    assert [entry.name for entry in bucket.list_all_objects(prefix=name)] == [name]
    made.delete()
    with pytest.raises(ErrObjNotFound):
        made.get_reader().read_all()


@pytest.mark.parametrize("content", [b"", b"x", bytearray(b"abc"), memoryview(b"abc"), "text"])
def test_any_content(bucket, content):
    made = bucket.object("a")
    made.get_writer().put_content(content)
    expected = content.encode() if isinstance(content, str) else bytes(content)
    assert made.get_reader().read_all() == expected


def test_missing(client, bucket):
    missing = bucket.object("missing")
    with pytest.raises(ErrObjNotFound) as caught:
        missing.get_reader().read_all()
    error = caught.value
    assert (error.status_code, error.kind, error.operation) == (404, "object_not_found", "get")
    assert error.target == f"ais://{bucket.name}/missing"
    assert not error.retryable
    with pytest.raises(AISError) as head:
        missing.head()
    assert head.value.status_code == 404
    with pytest.raises(ErrBckNotFound):
        client.bucket("no-such-bucket").object("a").get_writer().put_content(b"")
    with pytest.raises(ErrObjNotFound):
        list(missing.get_reader())
    with pytest.raises(ErrObjNotFound):
        missing.delete()


def test_ways_of_reading(bucket, data):
    made = bucket.object("a")
    made.get_writer().put_content(data)
    assert made.get_reader().read_all() == data
    assert type(made.get_reader().read_all()) is bytes
    pieces = list(made.get_reader())
    assert {len(piece) for piece in pieces[:-1]} == {32 * 1024}
    assert b"".join(pieces) == data
    assert [len(p) for p in made.get_reader(chunk_size=1_000_000)] == [1_000_000] * 3 + [1]
    raw = made.get_reader().raw()
    assert raw.read(10) + raw.read(0) + raw.read() == data
    assert b"".join(made.get_reader().raw()) == data
    assert memoryview(made.get_reader().read_buffer()) == data
    room = bytearray(len(data) + 5)
    assert made.get_reader().readinto(room) == len(data)
    assert room[: len(data)] == data
    with pytest.raises(ValueError, match="longer than the buffer"):
        made.get_reader().readinto(bytearray(10))
    written = io.BytesIO()
    made.get_reader(writer=written)
    assert written.getvalue() == data
    assert made.get_reader(direct=True).read_all() == data


@pytest.mark.parametrize("direct", [False, True])
async def test_ways_of_reading_that_are_awaited(bucket, data, direct):
    made = bucket.object("a")
    await made.get_writer().put_content_async(data)
    assert await made.get_reader(direct=direct).read_all_async() == data
    assert memoryview(await made.get_reader(direct=direct).read_buffer_async()) == data
    room = bytearray(len(data) + 5)
    assert await made.get_reader(direct=direct).readinto_async(room) == len(data)
    assert room[: len(data)] == data
    with pytest.raises(ValueError, match="longer than the buffer of 10"):
        await made.get_reader().readinto_async(bytearray(10))
    with pytest.raises(ErrObjNotFound):
        await bucket.object("none").get_reader(direct=direct).read_buffer_async()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("bytes=5-9", slice(5, 10)), ("bytes=100-", slice(100, None)), ("bytes=-7", slice(-7, None))],
)
def test_ranges(bucket, data, text, expected):
    made = bucket.object("a")
    made.get_writer().put_content(data[:5000])
    assert made.get_reader(byte_range=text).read_all() == data[:5000][expected]


def test_side_by_side(bucket, data):
    made = bucket.object("a")
    made.get_writer().put_content(data)
    with made.get_reader(num_workers=4, chunk_size=100_000).read_all() as buffer:
        assert isinstance(buffer, ParallelBuffer)
        assert (len(buffer), buffer.tobytes()) == (len(data), data)
    with pytest.raises(ValueError):
        buffer.buf[0]
    reader = made.get_reader(num_workers=3, chunk_size=100_000)
    assert b"".join(reader) == data
    assert b"".join(reader._content_provider.create_iter(offset=1234)) == data[1234:]
    assert made.get_reader(num_workers=2).as_file().read() == data
    bucket.object("empty").get_writer().put_content(b"")
    with pytest.raises(ValueError, match="non-empty"):
        bucket.object("empty").get_reader(num_workers=2)


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_workers": 1},
        {"num_workers": 2, "byte_range": "bytes=0-1"},
        {"num_workers": 2, "etl": object()},
    ],
)
def test_what_excludes_each_other(bucket, arguments):
    with pytest.raises(ValueError):
        bucket.object("a").get_reader(**arguments)


def test_as_a_file(bucket, data):
    made = bucket.object("a")
    made.get_writer().put_content(data)
    with made.get_reader().as_file() as file:
        assert file.read(10) == data[:10]
        assert file.read(0) == b""
        assert file.tell() == 10
        assert file.read(40_000) == data[10:40_010]
        assert file.read(-1) == data[40_010:]
        assert file.read() == b""
    assert file.closed
    with pytest.raises(ValueError):
        file.read()
    assert len(io.BufferedReader(made.get_reader().as_file()).read()) == len(data)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        made.get_reader().as_file(max_resume=-1)


@pytest.mark.parametrize("is_there", [True, False])
def test_files_that_are_written(bucket, is_there):
    made = bucket.object("a")
    if is_there:
        made.get_writer().put_content(b"old")
    with made.get_writer().as_file("a") as file:
        assert file.write(b"1") == 1
        file.write(memoryview(b"23"))
        if is_there:
            assert made.get_reader().read_all() == b"old"
        else:
            with pytest.raises(ErrObjNotFound):
                made.get_reader().read_all()
        file.flush()
        file.write(b"4")
    assert made.get_reader().read_all() == (b"old" if is_there else b"") + b"1234"
    with pytest.raises(ValueError):
        file.write(b"5")
    truncated = made.get_writer().as_file("w")
    assert made.get_reader().read_all() == b""
    truncated.write(b"new")
    truncated.close()
    assert made.get_reader().read_all() == b"new"
    with pytest.raises(ValueError, match="Invalid mode"):
        made.get_writer().as_file("r")


def test_appends(bucket):
    writer = bucket.object("a").get_writer()
    handle = writer.append_content(b"one ")
    handle = writer.append_content(b"two ", handle)
    # What comes with the flush is not lost.
    assert writer.append_content(b"three", handle, flush=True) == ""
    assert bucket.object("a").get_reader().read_all() == b"one two three"


def test_parts(bucket):
    made = bucket.object("a")
    upload = made.multipart_upload()
    with pytest.raises(ValueError, match="not created"):
        upload.add_part(1)
    upload.create()
    with pytest.raises(ValueError, match="positive integer"):
        upload.add_part(0)
    upload.add_part(2).put_content(b"world")
    upload.add_part(1).put_content(b"hello ")
    assert upload.complete().status_code == 200
    assert made.get_reader().read_all() == b"hello world"
    assert made.head("chunked").chunks.chunk_count == 2
    other = made.multipart_upload().create()
    other.add_part(1).put_content(b"x")
    assert other.abort().status_code == 200
    with pytest.raises(AISError):
        other.complete()


def test_files(bucket, tmp_path, data):
    file = tmp_path / "a file"
    file.write_bytes(data)
    made = bucket.object("a")
    assert made.get_writer().put_file(file).status_code == 200
    assert made.download(tmp_path / "back") == len(data)
    assert (tmp_path / "back").read_bytes() == data
    with pytest.raises(ValueError, match="does not exist"):
        made.get_writer().put_file(tmp_path / "none")
    with pytest.raises(ValueError, match="directory"):
        made.get_writer().put_file(tmp_path)
    with pytest.raises(ErrObjNotFound) as caught:
        bucket.object("none").download(tmp_path / "none")
    assert (caught.value.status_code, caught.value.kind) == (404, "object_not_found")


def test_long_files_go_in_parts(bucket, tmp_path):
    file = tmp_path / "long"
    piece = os.urandom(1024 * 1024)
    with file.open("wb") as out:
        for _ in range(70):
            out.write(piece)
    response = bucket.object("long").get_writer().put_file(file)
    assert response.status_code == 200
    assert bucket.object("long").head("chunked").chunks.chunk_count > 1
    assert bucket.object("long").get_reader().read_all() == piece * 70


@pytest.mark.parametrize("kind", ["100%", "a%20b", "a?b=c", "a#b", "a b#c", "a b"])
def test_copies_have_the_names_that_they_were_given(bucket, kind):
    # Several, so that some belong to another target of a cluster than what they are copied of.
    for n in range(6):
        made, copy, awaited = (bucket.object(f"{at}/{n}{kind}") for at in ("a", "b", "c"))
        made.get_writer().put_content(made.name.encode())
        made.get_writer().set_custom_props({"k": "v"})
        assert made.copy(copy).status_code == 200
        assert asyncio.run(made.copy_async(awaited)).status_code == 200
        for arrived in (copy, awaited):
            assert arrived.get_reader().read_all() == made.name.encode()
            assert arrived.props.custom_metadata == {"k": "v"}
    with pytest.raises(ErrObjNotFound):
        bucket.object("none").copy(bucket.object(kind))


def test_properties(bucket):
    made = bucket.object("a")
    made.get_writer().put_content(b"abc")
    made.get_writer().set_custom_props({"k": "v", "x": "y"})
    props = made.props
    assert props.custom_metadata == {"k": "v", "x": "y"}
    assert (props.size, props.obj_version, props.checksum_type) == (3, "1", "xxhash2")
    assert (props.name, props.bucket_name, props.bucket_provider) == ("a", bucket.name, "ais")
    assert props.present
    made.get_writer().set_custom_props({"z": "1"}, replace_existing=True)
    assert made.head("custom").custom_metadata == {"z": "1"}
    assert made.props_cached.custom_metadata == {"z": "1"}
    few = made.head()
    assert (few.size, few.checksum_type, few.last_modified) == (3, "", "")
    assert made.head("last-modified,etag").etag


def test_members_of_archives(bucket):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("a.jpg", "a.txt", "b/c.txt"):
            info = tarfile.TarInfo(name)
            info.size = len(name)
            tar.addfile(info, io.BytesIO(name.encode()))
    made = bucket.object("shard.tar")
    made.get_writer().put_content(packed.getvalue())
    assert made.get_reader(archive_config=ArchiveConfig("b/c.txt")).read_all() == b"b/c.txt"
    suffix = ArchiveConfig(regex=".txt", mode=ArchiveMode.SUFFIX)
    with tarfile.open(fileobj=io.BytesIO(made.get_reader(suffix).read_all())) as tar:
        assert tar.getnames() == ["a.txt", "b/c.txt"]
    assert [e.name for e in bucket.list_archive("shard.tar")] == [
        "shard.tar/a.jpg",
        "shard.tar/a.txt",
        "shard.tar/b/c.txt",
    ]
    assert len(bucket.list_archive("shard.tar", include_archive_obj=True)) == 4
    with pytest.raises(ValueError):
        ArchiveConfig(regex="x")


def test_copies(client, bucket):
    made = bucket.object("a")
    made.get_writer().put_content(b"abc")
    assert made.copy(bucket.object("b")).status_code == 200
    assert bucket.object("b").get_reader().read_all() == b"abc"
    with pytest.raises(AISError, match="does not exist"):
        made.copy(client.bucket("no-such-bucket").object("b"))


def test_awaited(bucket, data):
    made = bucket.object("a")

    async def main() -> None:
        await made.get_writer().put_content_async(data)
        assert await made.get_reader().read_all_async() == data
        assert b"".join([piece async for piece in made.get_reader()]) == data
        assert b"".join([p async for p in made.get_reader(num_workers=2)]) == data
        assert (await made.head_async("version")).obj_version == "1"
        assert (await made.props_async()).size == len(data)
        with pytest.raises(ErrObjNotFound):
            await bucket.object("none").get_reader().read_all_async()
        upload = await bucket.object("m").multipart_upload().create_async()
        await upload.add_part(1).put_content_async(b"1")
        await upload.complete_async()
        many = [bucket.object(f"n{i}").get_writer().put_content_async(b"%d" % i) for i in range(50)]
        await asyncio.gather(*many)
        got = await bucket.get_many_async([f"n{i}" for i in range(50)])
        assert [bytes(g) for g in got] == [b"%d" % i for i in range(50)]
        await made.delete_async()

    asyncio.run(main())


def test_pickled_and_forked(bucket):
    made = bucket.object("a")
    made.get_writer().put_content(b"abc")
    again = pickle.loads(pickle.dumps(made))
    assert again.get_reader().read_all() == b"abc"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, made.get_reader().read_all())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"abc"


def test_what_cannot_be_sent_or_read_is_named(bucket):
    writer = bucket.object("o").get_writer()
    with pytest.raises(TypeError, match="int cannot be sent"):
        writer.put_content(5)
    writer.put_content([b"pieces ", b"of bytes"])
    with pytest.raises(ValueError, match="bytes=0-499"):
        bucket.object("o").get_reader(byte_range="bytes=a-b")
    with pytest.raises(ValueError, match="chunk_size"):
        bucket.object("o").get_reader(chunk_size=-1)
    assert bucket.object("o").get_reader().read_all() == b"pieces of bytes"
