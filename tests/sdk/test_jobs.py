"""Jobs: bucket copy and rename, waiting, listing, stopping."""

from datetime import UTC, datetime, timedelta

import pytest
from aistore.sdk.job import Job
from conftest import SDK, fill, get, names, put, refused, wait

NAMES = ["a/0", "a/1.jpg", "b/0", "c"]


def test_copy_a_bucket(client, bucket, new_bucket):
    contents = fill(bucket, NAMES)
    to = new_bucket()
    assert not wait(client, bucket.copy(to)).err
    assert names(to) == NAMES
    assert get(to, "c") == contents["c"]
    other = new_bucket()
    wait(client, bucket.copy(other, prefix_filter="a/", prepend="x-"))
    assert names(other) == ["x-a/0", "x-a/1.jpg"]
    dry = new_bucket()
    wait(client, bucket.copy(dry, dry_run=True))
    assert names(dry) == []


@pytest.mark.skipif(SDK < (1, 13), reason="this generation of the SDK renames no extensions")
def test_copy_with_new_extensions(client, bucket, new_bucket):
    fill(bucket, NAMES)
    to = new_bucket()
    wait(client, bucket.copy(to, ext={"jpg": "txt"}, num_workers=2))
    assert names(to) == ["a/0", "a/1.txt", "b/0", "c"]


def test_synchronize(client, bucket, new_bucket):
    fill(bucket, NAMES)
    to = new_bucket()
    fill(to, ["a/0", "stray"])
    wait(client, bucket.copy(to, sync=True))
    assert names(to) == NAMES
    assert refused(lambda: bucket.copy(to, sync=True, prepend="x")).status_code == 400
    assert "onto itself" in str(refused(lambda: bucket.copy(bucket)))


def test_rename_a_bucket(client, bucket):
    fill(bucket, NAMES)
    old, new = bucket.name, f"{bucket.name}-new"
    wait(client, bucket.rename(new))
    try:
        assert bucket.name == new
        assert names(bucket) == NAMES
        assert old not in [b.name for b in client.cluster().list_buckets()]
    finally:
        client.bucket(new).delete()


def test_every_way_to_wait(client, bucket, new_bucket):
    fill(bucket, NAMES)
    to = new_bucket()
    for job_id in [bucket.copy(to), client.job(job_kind="lru").start()]:
        for way in ["wait", "wait_for_idle", "wait_single_node"]:
            result = getattr(client.job(job_id), way)(timeout=30)
            if SDK >= (1, 18):
                assert result.success and result.job_id == job_id and not result.error
    started = bucket.objects(obj_names=NAMES).copy(to)
    for job_id in started if isinstance(started, list) else [started]:
        job = client.job(job_id, "copy-listrange")
        job.wait(timeout=30)
        job.wait_for_idle(timeout=30)
        job.wait_single_node(timeout=30)


def test_jobs_are_listed(client, bucket, new_bucket):
    fill(bucket, NAMES)
    lru, cleanup = (client.job(job_kind=kind).start() for kind in ["lru", "cleanup"])
    for job_id in [lru, cleanup]:
        wait(client, job_id)
    assert {lru, cleanup} <= {job.uuid for job in client.cluster().list_jobs_status()}
    some = [job.uuid for job in client.cluster().list_jobs_status(job_kind="lru")]
    assert lru in some and cleanup not in some
    started = bucket.objects(obj_names=["c"]).copy(new_bucket())
    job_id = started[0] if isinstance(started, list) else started
    wait(client, job_id)
    # A kind that idles counts as running for a while.
    text = f"copy-listrange[{job_id}]"
    assert text in client.cluster().list_running_jobs()
    assert text in client.cluster().list_running_jobs(job_kind="copy-listrange")
    assert text not in client.cluster().list_running_jobs(job_kind="lru")


def test_jobs_within_a_time(client):
    begin = datetime.now(UTC) - timedelta(seconds=1)
    job_id = client.job(job_kind="lru").start()
    wait(client, job_id)
    end = datetime.now(UTC) + timedelta(seconds=1)
    found = client.job(job_id=job_id).get_within_timeframe(start_time=begin, end_time=end)
    assert [snap.id for snap in found] == [job_id]


@pytest.mark.skipif(SDK < (1, 18), reason="this generation of the SDK has no get_details")
def test_details(client, bucket, new_bucket):
    contents = fill(bucket, NAMES)
    job = client.job(bucket.copy(new_bucket(), num_workers=3))
    job.wait(timeout=30)
    (snap,) = job.get_details().list_snapshots()
    assert snap.kind == "copy-bck"
    assert (snap.stats.objects, snap.stats.bytes) == (
        len(contents),
        sum(len(content) for content in contents.values()),
    )
    assert snap.source_bck.name == bucket.name
    assert job.get_details().get_num_workers() == 3
    assert job.get_total_time() < timedelta(seconds=30)


@pytest.mark.skipif(not hasattr(Job, "abort"), reason="this generation of the SDK stops no jobs")
def test_abort(client, bucket, new_bucket):
    put(bucket, "o", b"x")
    (job_id,) = bucket.objects(obj_names=["o"]).copy(new_bucket())
    wait(client, job_id)
    job = client.job(job_id, "copy-listrange")
    job.abort()
    result = job.wait(timeout=30)
    assert not result.success and result.error


def test_unknown_jobs(client):
    assert refused(lambda: client.job("Ab3456789").status()).status_code == 404
    assert refused(lambda: client.job(job_kind="nope").start()).status_code == 400
    assert refused(lambda: client.job(job_kind="resilver").start()).status_code == 501
