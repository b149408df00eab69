"""Jobs on lists, ranges and templates of objects."""

import pytest
from aistore.sdk.errors import AISError, InvalidBckProvider
from aistore.sdk.multiobj import ObjectRange, ObjectTemplate
from conftest import REAL, fill, get, names, put, refused, unpack, wait

NAMES = [f"obj-{number:02}.txt" for number in range(10)]


@pytest.fixture
def contents(bucket):
    return fill(bucket, NAMES)


GROUPS = [
    {"obj_names": NAMES[2:6]},
    {"obj_range": ObjectRange("obj-", 2, 5, pad_width=2, suffix=".txt")},
    {"obj_template": "obj-{02..05}.txt"},
]


@pytest.mark.parametrize("group", GROUPS, ids=["list", "range", "template"])
def test_delete(client, bucket, contents, group):
    group = bucket.objects(**group)
    assert group.list_names() == NAMES[2:6]
    status = wait(client, group.delete())
    assert not status.err
    assert names(bucket) == NAMES[:2] + NAMES[6:]


@pytest.mark.parametrize("group", GROUPS, ids=["list", "range", "template"])
def test_copy(client, bucket, new_bucket, contents, group):
    to = new_bucket()
    status = wait(client, bucket.objects(**group).copy(to, prepend="new/"))
    assert not status.err
    assert names(to) == [f"new/{name}" for name in NAMES[2:6]]
    assert get(to, f"new/{NAMES[2]}") == contents[NAMES[2]]
    assert to.object(f"new/{NAMES[2]}").head() is not None


def test_copy_counts_only(client, bucket, new_bucket, contents):
    to = new_bucket()
    wait(client, bucket.objects(obj_names=NAMES).copy(to, dry_run=True))
    assert names(to) == []


def test_copy_makes_the_bucket(client, bucket, contents):
    to = client.bucket(f"{bucket.name}-new")
    wait(client, bucket.objects(obj_names=NAMES[:2]).copy(to))
    try:
        assert names(to) == NAMES[:2]
    finally:
        to.delete()


@pytest.mark.parametrize("group", GROUPS, ids=["list", "range", "template"])
@pytest.mark.parametrize("extension", [".tar", ".tgz", ".tar.gz"])
def test_archive(client, bucket, new_bucket, contents, group, extension):
    to, name = new_bucket(), f"all{extension}"
    status = wait(client, bucket.objects(**group).archive(name, to_bck=to))
    assert not status.err
    assert unpack(get(to, name)) == {n: contents[n] for n in NAMES[2:6]}


def test_archive_options(client, bucket, contents):
    group = bucket.objects(obj_names=NAMES[:2])
    wait(client, group.archive("own.tar", include_source_name=True))
    assert list(unpack(get(bucket, "own.tar"))) == [f"{bucket.name}/{n}" for n in NAMES[:2]]
    wait(client, bucket.objects(obj_names=NAMES[2:3]).archive("own.tar", allow_append=True))
    assert len(unpack(get(bucket, "own.tar"))) == 3
    missing = bucket.objects(obj_names=["none", NAMES[0]])
    wait(client, missing.archive("some.tar", continue_on_err=True))
    assert list(unpack(get(bucket, "some.tar"))) == [NAMES[0]]
    status = wait(client, missing.archive("failed.tar"))
    assert "does not exist" in status.err
    assert "failed.tar" not in names(bucket)
    assert refused(lambda: group.archive("a.nope")).status_code == 400


def test_what_is_missing(client, bucket, new_bucket, contents):
    status = wait(client, bucket.objects(obj_names=["none", NAMES[0]]).delete())
    assert "none does not exist" in status.err
    assert NAMES[0] not in names(bucket)
    beyond = bucket.objects(obj_range=ObjectRange("obj-", 8, 12, pad_width=2, suffix=".txt"))
    assert not wait(client, beyond.delete()).err
    assert names(bucket) == NAMES[1:8]
    assert refused(lambda: bucket.objects(obj_template="{5..3}").delete()).status_code == 400


def test_remote_buckets_only(bucket, contents):
    group = bucket.objects(obj_names=NAMES)
    with pytest.raises(InvalidBckProvider):
        group.evict()
    with pytest.raises(InvalidBckProvider):
        group.prefetch()


def test_transforming_is_refused(client, bucket, new_bucket, contents):
    with pytest.raises(AISError):
        bucket.objects(obj_names=NAMES).transform(new_bucket(), etl_name="none-such")


def test_names_and_urls(bucket, contents):
    group = bucket.objects(obj_template="obj-{00..02}.txt")
    assert list(group.list_urls()) == [bucket.object(name).get_url() for name in NAMES[:3]]
    assert [entry.name for entry in group.list_all_objects_iter()] == NAMES[:3]
    assert ObjectTemplate("p{1..3}s") is not None


def test_a_list_of_thousands(client, bucket):
    many = [f"n{number}" for number in range(1500)]
    for name in many[::100]:
        put(bucket, name, b"x")
    status = wait(client, bucket.objects(obj_names=many).delete())
    # Each target of a cluster counts its own.
    assert ("more errors)" if REAL else "(and 1484 more errors)") in status.err
    assert names(bucket) == []
