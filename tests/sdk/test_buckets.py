"""Buckets: made, described, summed up, destroyed."""

import uuid

import pytest
from aistore.sdk.errors import ErrBckAlreadyExists, ErrBckNotFound
from aistore.sdk.namespace import Namespace
from conftest import fill, names, refused


def test_create_and_destroy(client, bucket):
    assert bucket.name in [found.name for found in client.cluster().list_buckets("ais")]
    with pytest.raises(ErrBckAlreadyExists):
        bucket.create()
    bucket.create(exist_ok=True)
    fill(bucket, ["a"])
    bucket.delete()
    with pytest.raises(ErrBckNotFound):
        bucket.delete()
    bucket.delete(missing_ok=True)
    bucket.create()
    assert names(bucket) == []


@pytest.mark.parametrize("name", ["*", ".", "a/b", "a b", "#", "$", "~", "x" * 65])
def test_names_that_cannot_be(client, name):
    assert refused(lambda: client.bucket(name).create()).status_code in (400, 404, 405)


def test_head(client, bucket):
    props = bucket.head()["ais-bucket-props"]
    assert '"type":"xxhash2"' in props
    missing = client.bucket("no-such-bucket-here")
    # A reply to HEAD has no text, so that the older generations have no error of their own for it.
    with pytest.raises(Exception, match="404"):
        missing.head()


def test_listing_of_a_missing_bucket(client):
    with pytest.raises(ErrBckNotFound):
        client.bucket("no-such-bucket-here").list_objects()


def test_summary(client, bucket):
    fill(bucket, ["a/1", "a/22", "b"])
    summary = bucket.summary()
    assert summary["ObjCount"]["obj_count_present"] == "3"
    sizes = [len(f"content of {name}") for name in ("a/1", "a/22", "b")]
    assert summary["TotalSize"]["size_all_present_objs"] == str(sum(sizes))
    assert summary["ObjSize"]["obj_min_size"] == min(sizes)
    assert bucket.summary(prefix="a/")["ObjCount"]["obj_count_present"] == "2"
    bucket.delete()
    with pytest.raises(ErrBckNotFound):
        bucket.summary()


def test_info(bucket):
    fill(bucket, ["a/1", "b"])
    props, summary = bucket.info()
    assert '"provider":"ais"' in props
    assert summary["ObjCount"]["obj_count_present"] == "2"
    _, summary = bucket.info(prefix="a/")
    assert summary["ObjCount"]["obj_count_present"] == "1"


def test_namespaces(client):
    name = f"two-{uuid.uuid4().hex[:8]}"
    plain = client.bucket(name)
    spaced = client.bucket(name, namespace=Namespace(name="space"))
    for bucket in (plain, spaced):
        bucket.create()
    fill(plain, ["a"])
    assert (names(plain), names(spaced)) == (["a"], [])
    for bucket in (plain, spaced):
        bucket.delete()


def test_put_files(bucket, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "deep" / "b.txt").write_text("b")
    bucket.put_files(tmp_path, prepend="p-")
    assert names(bucket) == ["p-a.txt"]
    bucket.put_files(tmp_path, recursive=True)
    assert names(bucket) == ["a.txt", "deep/b.txt", "p-a.txt"]
