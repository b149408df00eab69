"""Get-batch."""

import io

import pytest
from conftest import SDK, fill, pack, put, refused, since_batch, unpack

pytestmark = since_batch

NAMES = ["a", "d/b", "c"]
FORMATS = [".tar", ".tgz", ".tar.gz"]


@pytest.fixture
def contents(bucket):
    contents = fill(bucket, NAMES)
    put(bucket, "shard.tar", pack({"m/1": b"member one", "m/2": b"member two"}))
    return contents


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming", "multipart"])
@pytest.mark.parametrize("output", FORMATS)
def test_objects_in_order(client, bucket, contents, streaming, output):
    wanted = ["c", "a", "d/b", "a"]
    batch = client.batch(wanted, bucket=bucket, output_format=output, streaming_get=streaming)
    results = list(batch.get())
    assert [info.obj_name for info, _ in results] == wanted
    for info, content in results:
        assert content == contents[info.obj_name]
        assert (info.size, info.bucket, info.err_msg or None) == (len(content), bucket.name, None)


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming", "multipart"])
def test_members_and_what_goes_with_them(client, bucket, contents, streaming):
    batch = client.batch(bucket=bucket, streaming_get=streaming)
    shard = bucket.object("shard.tar")
    batch.add(shard, archpath="m/2").add(shard, archpath="m/1", opaque=b"my own")
    batch.add(bucket.object("a"))
    results = list(batch.get())
    assert [content for _, content in results] == [b"member two", b"member one", contents["a"]]
    assert [info.archpath or "" for info, _ in results] == ["m/2", "m/1", ""]
    if not streaming:
        assert results[1][0].opaque == b"my own"


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming", "multipart"])
def test_what_is_missing(client, bucket, contents, streaming):
    wanted = ["none", "a"]
    batch = client.batch(wanted, bucket=bucket, cont_on_err=True, streaming_get=streaming)
    (missing, nothing), (_, content) = batch.get()
    assert (missing.size, nothing, content) == (0, b"", contents["a"])
    if not streaming or SDK >= (2,):
        assert missing.err_msg
    batch = client.batch(wanted, bucket=bucket, cont_on_err=False, streaming_get=streaming)
    assert refused(lambda: list(batch.get())).status_code == 404


def test_two_buckets(client, bucket, new_bucket, contents):
    other = new_bucket()
    put(other, "o", b"of the other")
    batch = client.batch(streaming_get=False)
    batch.add(bucket.object("a")).add(other.object("o"))
    results = list(batch.get())
    assert [info.bucket for info, _ in results] == [bucket.name, other.name]
    assert [content for _, content in results] == [contents["a"], b"of the other"]
    missing = client.batch(["o"], bucket=client.bucket("no-such-bucket"))
    assert "does not exist" in str(refused(lambda: list(missing.get())))


def test_the_archive_itself(client, bucket, contents):
    raw = client.batch(["a", "c"], bucket=bucket).get(raw=True)
    found = unpack(io.BytesIO(raw.read()).getvalue())
    assert found == {f"{bucket.name}/{name}": contents[name] for name in ["a", "c"]}


def test_large_and_many(client, bucket):
    contents = {f"o{number}": bytes([number % 251]) * (number * 997) for number in range(300)}
    for name, content in contents.items():
        put(bucket, name, content)
    results = list(client.batch(list(contents), bucket=bucket).get())
    assert {info.obj_name: content for info, content in results} == contents
