"""dSort."""

import json

import pytest
import yaml
from aistore.sdk.dsort import DsortAlgorithm, DsortFramework, DsortShardsGroup, ExternalKeyMap
from aistore.sdk.multiobj import ObjectNames, ObjectRange
from conftest import SDK, get, names, pack, put, refused, unpack


@pytest.fixture
def shards(bucket):
    """Three shards of four records of two files, in no order."""
    files = {}
    for shard in range(3):
        members = {}
        for number in range(4):
            stem = f"{7 * (4 * shard + number) % 12:02}"
            members[f"{stem}.txt"] = f"text {stem}".encode()
            members[f"{stem}.key"] = str(100 - int(stem)).encode()
        put(bucket, f"in-{shard}.tar", pack(members))
        files |= members
    return files


def spec(bucket, to, **more):
    return {
        "input_bck": {"name": bucket.name, "provider": "ais"},
        "output_bck": {"name": to.name, "provider": "ais"},
        "input_format": {"template": "in-{0..9}"},
        "input_extension": ".tar",
        "output_format": "out-{00..99}",
        "output_extension": ".tar",
        "output_shard_size": "1MB",
        "algorithm": {},
        "description": "a test",
        **more,
    }


def framework(bucket, to, algorithm, output=None, size="1MiB"):
    return DsortFramework(
        input_shards=DsortShardsGroup(bucket.as_model(), "input", ObjectRange("in-", 0, 2), ".tar"),
        output_shards=DsortShardsGroup(
            to.as_model(), "output", output or ObjectRange("out-", 0, 99, pad_width=2), ".tar"
        ),
        algorithm=algorithm,
        output_shard_size=size,
    )


def run(client, what):
    dsort = client.dsort()
    dsort.start(what)
    result = dsort.wait(timeout=60)
    if SDK >= (1, 18):
        assert result.success, result.error
    (info,) = dsort.get_job_info().values()
    assert not info.aborted
    return info


def members(bucket):
    """The members of all shards, in the order of the shards."""
    return {name: c for shard in names(bucket) for name, c in unpack(get(bucket, shard)).items()}


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_from_a_file(client, bucket, new_bucket, shards, tmp_path, suffix):
    to = new_bucket()
    path = tmp_path / f"spec{suffix}"
    write = json.dumps if suffix == ".json" else yaml.dump
    # Older generations want the step of a range, too.
    path.write_text(write(spec(bucket, to, input_format={"template": "in-{0..9..1}"})))
    info = run(client, path)
    assert members(to) == shards
    assert list(members(to)) == [
        n for s in sorted(n[:2] for n in shards)[::2] for n in (f"{s}.txt", f"{s}.key")
    ]
    assert info.metrics.shard_creation.finished
    assert int(info.metrics.local_extraction.extracted_count) == 3


def test_alphanumeric_in_small_shards(client, bucket, new_bucket, shards):
    to = new_bucket()
    run(client, framework(bucket, to, DsortAlgorithm(kind="alphanumeric"), size="20B"))
    assert len(names(to)) > 3
    assert members(to) == shards
    assert [name for name in members(to) if name.endswith(".txt")] == sorted(
        n for n in shards if n.endswith(".txt")
    )


def test_by_content(client, bucket, new_bucket, shards):
    to = new_bucket()
    algorithm = DsortAlgorithm(kind="content", extension=".key", content_key_type="int")
    run(client, framework(bucket, to, algorithm))
    keys = [int(content) for name, content in members(to).items() if name.endswith(".key")]
    assert keys == sorted(keys) and members(to) == shards


def test_shuffle(client, bucket, new_bucket, shards):
    orders = []
    for seed in ["1", "1", "2"]:
        to = new_bucket()
        run(client, framework(bucket, to, DsortAlgorithm(kind="shuffle", seed=seed)))
        assert members(to) == shards
        orders.append(list(members(to)))
    assert orders[0] == orders[1] != orders[2]


def test_external_key_map(client, bucket, new_bucket, shards):
    to = new_bucket()
    keys = ExternalKeyMap()
    low = [n for n in shards if n < "06"]
    keys["low-%d.tar"] = ObjectNames(low)
    keys["high-%d.tar"] = ObjectNames([n for n in shards if n >= "06"])
    what = framework(bucket, to, DsortAlgorithm(), output=keys)
    run(client, what)
    assert names(to) == ["high-0.tar", "low-0.tar"]
    assert sorted(unpack(get(to, "low-0.tar"))) == sorted(low)


def test_abort(client, bucket, new_bucket, shards):
    to = new_bucket()
    put(bucket, "in-1.tar", pack({f"{n:05}.txt": b"x" * 50 for n in range(20_000)}))
    dsort = client.dsort()
    dsort.start(framework(bucket, to, DsortAlgorithm(kind="shuffle"), size="10KiB"))
    dsort.abort()
    result = dsort.wait(timeout=60)
    if SDK >= (1, 18):
        assert not result.success
    (info,) = dsort.get_job_info().values()
    assert info.aborted
    assert names(to) == []


def test_what_is_refused(client, bucket, new_bucket, tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec(bucket, new_bucket(), output_shard_size="-1")))
    assert refused(lambda: client.dsort().start(str(path))).status_code == 400
    assert refused(lambda: client.dsort("srt-none-such").abort()).status_code == 404
