"""dSort: jobs, and what describes them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from holdall.aistore import Bucket, Client
from holdall.aistore.dsort import (
    DsortAlgorithm,
    DsortFramework,
    DsortShardsGroup,
    ExternalKeyMap,
)
from holdall.aistore.multiobj import ObjectNames, ObjectRange


def shard(names: list[str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(name)
            tar.addfile(info, io.BytesIO(name.encode()))
    return out.getvalue()


@pytest.fixture
def shards(bucket: Bucket) -> Bucket:
    names = [f"{n:02d}.txt" for n in (5, 1, 4, 0, 3, 2)]
    bucket.put_many({"in-0.tar": shard(names[:3]), "in-1.tar": shard(names[3:])})
    return bucket


def job(bucket: Bucket, output: Any, **more: Any) -> DsortFramework:
    model = bucket.as_model()
    return DsortFramework(
        DsortShardsGroup(model, "input", ObjectRange("in-", 0, 1), ".tar"),
        DsortShardsGroup(model, "output", output, ".tar"),
        output_shard_size="10MB",
        **more,
    )


def members(bucket: Bucket, name: str) -> list[str]:
    content = bucket.object(name).get_reader().read_all()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return tar.getnames()


def test_records_are_put_in_order(client: Client, shards: Bucket) -> None:
    dsort = client.dsort()
    started = dsort.start(job(shards, ObjectRange("out-", 0, 9), description="in order"))
    assert started == dsort.dsort_id != ""
    result = dsort.wait()
    assert result and result.job_id == started and result.end_time is not None
    assert members(shards, "out-0.tar") == [f"{n:02d}.txt" for n in range(6)]
    for info in dsort.get_job_info().values():
        assert info.metrics.shard_creation.finished and not info.aborted
        assert info.src_bck.name == shards.name


async def test_jobs_can_be_awaited(client: Client, shards: Bucket) -> None:
    dsort = client.dsort()
    algorithm = DsortAlgorithm(decreasing=True)
    await dsort.start_async(job(shards, ObjectRange("out-", 0, 9), algorithm=algorithm))
    assert await dsort.wait_async()
    assert members(shards, "out-0.tar")[0] == "05.txt"


def test_records_go_where_a_map_says(client: Client, shards: Bucket) -> None:
    keys = ExternalKeyMap()
    keys["even-%d"] = ObjectNames(["00", "02", "04"])
    keys["odd-%d"] = ObjectNames(["01", "03", "05"])
    dsort = client.dsort()
    dsort.start(job(shards, keys))
    assert dsort.wait()
    found = {obj.name: members(shards, obj.name) for obj in shards.list_all_objects_iter("odd")}
    assert sorted(name for names in found.values() for name in names) == [
        "01.txt",
        "03.txt",
        "05.txt",
    ]
    with pytest.raises(TypeError):
        keys["x"] = ["00"]  # type: ignore[assignment]


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_files_are_sent_as_they_are(
    client: Client, shards: Bucket, tmp_path: Path, kind: str
) -> None:
    spec = {
        "input_bck": shards.as_model().as_dict(),
        "input_format": {"template": "in-{0..1}"},
        "input_extension": ".tar",
        "output_format": "new-{0..9}",
        "output_shard_size": "10MB",
        "description": "from a file",
    }
    # All JSON is YAML.
    file = tmp_path / f"spec.{kind}"
    file.write_text(json.dumps(spec))
    if kind == "yaml":
        pytest.importorskip("yaml", reason="PyYAML is not installed")
    dsort = client.dsort()
    dsort.start(file)
    assert dsort.wait()
    assert len(members(shards, "new-0.tar")) == 6


def test_specifications_that_cannot_be(client: Client, shards: Bucket, tmp_path: Path) -> None:
    for name, text in [("s.txt", "{}"), ("s.json", "[1]")]:
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match="Specification must"):
            client.dsort().start(tmp_path / name)
    with pytest.raises(ValueError, match="does not exist"):
        client.dsort().start(tmp_path / "none.json")
    with pytest.raises(ValueError, match="DsortFramework"):
        client.dsort().start({})  # type: ignore[arg-type]
    model = shards.as_model()
    for role, names, text in [
        ("in", ObjectRange("a", 0, 1), "role must be"),
        ("input", ExternalKeyMap(), "format of input"),
        ("output", ObjectNames(["a"]), "format of output"),
    ]:
        with pytest.raises(ValueError, match=text):
            DsortShardsGroup(model, role, names, ".tar")  # type: ignore[arg-type]
    for algorithm, text in [
        ({"kind": "content"}, "extension"),
        ({"kind": "content", "extension": ".cls"}, "content_key_type"),
        ({"extension": ".cls"}, "only allowed"),
        ({"kind": "reversed"}, "one of"),
    ]:
        with pytest.raises(ValueError, match=text):
            DsortAlgorithm(**algorithm)


def test_a_framework_comes_from_a_file_and_becomes_a_specification(tmp_path: Path) -> None:
    spec = {
        "input_bck": {"name": "a", "provider": "ais"},
        "input_format": {"objnames": ["s0", "s1"]},
        "input_extension": ".tar",
        "output_bck": {"name": "b", "provider": "ais"},
        "output_format": "out-{000..010}",
        "output_extension": ".tgz",
        "output_shard_size": "1KB",
        "algorithm": {"kind": "shuffle", "seed": "7"},
    }
    (tmp_path / "s.json").write_text(json.dumps(spec))
    made = DsortFramework.from_file(tmp_path / "s.json").to_spec()
    assert made["input_format"] == {"objnames": ["s0", "s1"]}
    assert made["output_format"] == "out-{000..010..1}"
    assert made["output_bck"]["name"] == "b" and made["output_extension"] == ".tgz"
    assert made["algorithm"] == {"kind": "shuffle", "decreasing": False, "seed": "7"}
