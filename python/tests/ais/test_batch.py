"""Get-batch: what comes for what was asked, in every form of reply."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import Any

import pytest

from holdall.aistore import Batch, Bucket, Client
from holdall.aistore.batch import MossIn, MossOut, MossReq, MossResp, MultipartDecodeError
from holdall.aistore.batch.extractor.extractor_registry import get_extractor
from holdall.aistore.batch.multipart.multipart_decoder import MultipartDecoder
from holdall.aistore.enums import Colocation
from holdall.aistore.errors import AISError

FORMATS = [".tar", ".tgz", ".tar.gz", ".tar.lz4", ".zip"]


@pytest.fixture
def objects(bucket: Bucket) -> Bucket:
    bucket.put_many({"a": b"first", "b/c": b"x" * 70_000, "empty": b""})
    return bucket


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("streaming", [True, False])
def test_contents_come_in_the_order_of_the_request(
    client: Client, objects: Bucket, kind: str, streaming: bool
) -> None:
    # A zip holds nothing twice.
    again = [] if kind == ".zip" else ["a"]
    names = ["b/c", "a", "empty", *again]
    batch = client.batch(names, objects, output_format=kind, streaming_get=streaming)
    found = list(batch.get())
    assert [out.obj_name for out, _ in found] == names
    contents = {"a": b"first", "b/c": b"x" * 70_000, "empty": b""}
    assert [content for _, content in found] == [contents[name] for name in names]
    assert [out.size for out, _ in found] == [len(contents[name]) for name in names]
    assert {(out.bucket, out.provider, out.err_msg) for out, _ in found} == {
        (objects.name, "ais", None)
    }


def test_any_name_and_what_few_entries_have(client: Client, bucket: Bucket) -> None:
    names = ['quo"te', "back\\slash", "ü/日本", "a b", "a"]
    bucket.put_many({name: name.encode() * 3 for name in names})
    batch = client.batch(names, bucket).add("a", opaque=b"mark").add("a", start=1, length=2)
    found = list(batch.get())
    assert [out.obj_name for out, _ in found] == [*names, "a", "a"]
    assert [content for _, content in found] == [
        *(name.encode() * 3 for name in names),
        b"aaa",
        b"aa",
    ]
    assert [out.opaque for out, _ in found[-2:]] == [b"mark", None]


@pytest.mark.parametrize("only_names", [True, False])
@pytest.mark.parametrize("streaming", [True, False])
def test_what_is_missing_has_an_error_in_its_place(
    client: Client, objects: Bucket, streaming: bool, only_names: bool
) -> None:
    batch = client.batch(
        ["a", "none", "empty"], objects, streaming_get=streaming, only_obj_name=only_names
    )
    found = list(batch.get())
    assert [bool(out.err_msg) for out, _ in found] == [False, True, False]
    assert [content for _, content in found] == [b"first", b"", b""]


@pytest.mark.parametrize("streaming", [True, False])
def test_what_is_missing_ends_a_strict_batch(
    client: Client, objects: Bucket, streaming: bool
) -> None:
    batch = client.batch(["a", "none"], objects, cont_on_err=False, streaming_get=streaming)
    with pytest.raises((AISError, RuntimeError)):
        list(batch.get())


@pytest.mark.parametrize("streaming", [True, False])
def test_ranges_and_members(client: Client, objects: Bucket, streaming: bool) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("d/m.txt")
        info.size = 6
        tar.addfile(info, io.BytesIO(b"member"))
    objects.object("s.tar").get_writer().put_content(out.getvalue())
    batch = client.batch(bucket=objects, streaming_get=streaming)
    batch.add("a", start=1, length=3).add("a", start=2, length=-1)
    batch.add("s.tar", archpath="d/m.txt").add("s.tar", archpath="d/m.txt", start=3, length=3)
    found = list(batch.get())
    assert [content for _, content in found] == [b"irs", b"rst", b"member", b"ber"]
    assert [out.archpath or "" for out, _ in found] == ["", "", "d/m.txt", "d/m.txt"]


def test_entries_of_several_buckets(client: Client, objects: Bucket) -> None:
    batch = client.batch(objects.object("a"))
    batch.add("empty", bck=objects.name, provider="ais", opaque=b"\xff\xfe id")
    found = list(batch.get())
    assert [(out.obj_name, out.opaque) for out, _ in found] == [
        ("a", None),
        ("empty", b"\xff\xfe id"),
    ]


def test_a_batch_is_filled_anew_or_sent_again(client: Client, objects: Bucket) -> None:
    batch = client.batch(["a"], objects)
    first = list(batch.get(clear_batch=False))
    assert first == list(batch.get()) and len(batch) == 0
    with pytest.raises(ValueError, match="No objects added"):
        batch.get()
    assert [c for _, c in batch.add("empty").get()] == [b""]


def test_a_raw_reply_is_the_archive(client: Client, objects: Bucket) -> None:
    raw = client.batch(["a"], objects).get(raw=True)
    with tarfile.open(fileobj=io.BytesIO(raw.read())) as tar:
        assert tar.getnames() == [f"{objects.name}/a"]
    raw.close()


def test_decoding_the_parts_as_they_come(client: Client, objects: Bucket) -> None:
    batch = client.batch(["a", "b/c"], objects, streaming_get=False)
    found = batch.get(decode_as_stream=True, tar_buffer_size=700)
    assert [content for _, content in found] == [b"first", b"x" * 70_000]


async def test_a_batch_can_be_awaited(client: Client, objects: Bucket) -> None:
    batch = client.batch(["a", "empty"] * 100, objects)
    found = [content async for _, content in batch.get_async()]
    assert found == [b"first", b""] * 100


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"start": -1, "length": 2}, "must be >= 0"),
        ({"start": 3}, "requires length"),
        ({"length": -2}, "or -1"),
        ({"bck": "b"}, "set together"),
    ],
)
def test_entries_that_cannot_be(client: Client, entry: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        client.batch(bucket=client.bucket("b")).add("a", **entry)


def test_batches_that_cannot_be(client: Client) -> None:
    with pytest.raises(ValueError, match="Bucket must be provided"):
        client.batch(["a"])
    with pytest.raises(ValueError, match="Unsupported object type"):
        client.batch([1])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="Unsupported output format"):
        client.batch(output_format=".rar")
    with pytest.raises(NotImplementedError):
        client.batch(colocation=Colocation.TARGET_AND_SHARD_AWARE)
    zipped = client.batch(["a"], client.bucket("b"), output_format=".zip")
    for batch, size in [(zipped, 10), (client.batch(["a"], client.bucket("b")), 0)]:
        with pytest.raises(ValueError, match="tar_buffer_size"):
            batch.get(tar_buffer_size=size)


class Reply:
    """What an extractor and a decoder need of a reply."""

    def __init__(self, content: bytes, kind: str = "") -> None:
        self.raw = io.BytesIO(content)
        self.headers = {"Content-Type": kind}
        self.closed = False

    def close(self) -> None:
        self.closed = True


def archive(members: list[tuple[str, bytes]], kind: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=kind) as tar:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def extracted(content: bytes, names: list[str], kind: str = ".tar") -> list[tuple[MossOut, bytes]]:
    request = MossReq(mime=kind)
    request.extend([MossIn(objname=name, bucket="b", provider="ais") for name in names])
    reply = Reply(content)
    try:
        return list(get_extractor(kind).extract(reply, reply.raw, request))
    finally:
        assert reply.closed


def test_replies_that_are_not_what_was_asked_for() -> None:
    two = [("b/x", b"1"), ("b/y", b"2")]
    assert [content for _, content in extracted(archive(two), ["x", "y"])] == [b"1", b"2"]
    with pytest.raises(RuntimeError, match="1 of 3 entries did not come, from z on"):
        extracted(archive(two), ["x", "y", "z"])
    with pytest.raises(RuntimeError, match="missing batch metadata"):
        extracted(archive(two), ["x"])
    with pytest.raises(RuntimeError, match="came where"):
        extracted(archive(two[::-1]), ["x", "y"])
    with pytest.raises(RuntimeError, match="Failed to read tar"):
        extracted(archive([("b/x", b"long" * 1000)])[:2000], ["x"])
    with pytest.raises(RuntimeError, match="Failed to read zip"):
        extracted(b"no zip", ["x"], ".zip")


def test_a_range_that_is_not_of_the_length_asked_for() -> None:
    # AIStore 5.0 sends the whole object where it gets it from another node.
    for length, fits in [(4, True), (3, False), (5, False), (-1, True)]:
        request = MossReq(mime=".tar")
        entry = MossIn(objname="x", bucket="b", provider="ais", start=2, length=length)
        request.extend([entry, MossIn(objname="y", bucket="b", provider="ais")])
        reply = Reply(archive([("b/x", b"1234"), ("b/y", b"long enough")]))
        pairs = get_extractor(".tar").extract(reply, reply.raw, request)
        if fits:
            assert [len(content) for _, content in pairs] == [4, 11]
        else:
            with pytest.raises(RuntimeError, match=f"x: {length} bytes were asked for.* sent 4"):
                list(pairs)


def test_exceptions_of_the_connection_come_out_as_they_are() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError("gone")

    request = MossReq(mime=".tar").add(MossIn(objname="x", bucket="b", provider="ais"))
    with pytest.raises(ConnectionResetError, match="gone"):
        list(get_extractor(".tar").extract(Reply(b""), Broken(), request))


def test_zips_are_read_from_streams() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("b/x", b"content" * 1000)
    assert [content for _, content in extracted(out.getvalue(), ["x"], ".zip")] == [
        b"content" * 1000
    ]


@pytest.mark.parametrize("line", ["\r\n", "\n"])
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_parts_are_told_apart(line: str, streamed: bool, size: int) -> None:
    text = line.join(
        ["--XX", "A: b", "", "{}", "--XX", "C: d", "", "an\n--XY archive", "--XX--", ""]
    )

    class Slow(Reply):
        def __init__(self) -> None:
            super().__init__(text.encode(), 'multipart/mixed; boundary="XX"')
            whole = self.raw
            self.raw = io.BytesIO()
            self.raw.read = lambda n=-1: whole.read(size)  # type: ignore[method-assign]

    parts = []
    for headers, body in MultipartDecoder(parse_as_stream=streamed).decode(Slow()):
        parts.append((headers, body.read() if streamed else body))
    assert parts == [(b"A: b", b"{}"), (b"C: d", b"an\n--XY archive")]


def test_replies_without_parts_are_refused() -> None:
    for kind, content, error in [
        ("text/plain", b"", MultipartDecodeError),
        ("multipart/mixed", b"", ValueError),
        ("multipart/mixed; boundary=X", b"--X\r\n\r\n{}\r\n--X\r\n\r\ncut", MultipartDecodeError),
    ]:
        with pytest.raises(error):
            list(MultipartDecoder().decode(Reply(content, kind)))


def test_messages_have_the_names_of_the_wire() -> None:
    request = MossReq(mime=".tar", coer=True)
    request.add(MossIn(obj_name="o", bck="b", provider="ais", length=-1))
    assert request.dict() == {
        "in": [{"objname": "o", "bucket": "b", "provider": "ais", "length": -1}],
        "mime": ".tar",
        "coer": True,
    }
    described = MossResp.model_validate_json(
        '{"uuid": "u", "out": [{"objname": "o", "bucket": "b", "provider": "ais", "opaque": "aWQ=", "size": 3}]}'
    )
    assert described.out[0].opaque == b"id" and described.out[0].size == 3
    with pytest.raises(ValueError, match="frozen"):
        request.moss_in[0].obj_name = "p"


def test_a_batch_says_what_it_is(client: Client) -> None:
    batch = Batch(client.batch().request_client, "a", client.bucket("b"), ".tar.gz")
    assert repr(batch) == "Batch(objects=1, format=.tar.gz)"
