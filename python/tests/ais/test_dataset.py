"""Data sets written into shards."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from holdall.aistore import Bucket
from holdall.aistore.dataset import DataAttribute, DatasetConfig, LabelAttribute


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five images, of which the second has no caption."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(5):
        (folder / f"i{number}.jpg").write_bytes(b"image %d" % number)
        if number != 1:
            (folder / f"i{number}.txt").write_bytes(b"caption %d" % number)
    # Shards are made in the present directory.
    monkeypatch.chdir(tmp_path)
    return folder


def config(folder: Path) -> DatasetConfig:
    return DatasetConfig(
        DataAttribute(folder, "image", "jpg"),
        [DataAttribute(folder, "text", "txt"), LabelAttribute("cls", lambda name: int(name[1]))],
    )


def contents(bucket: Bucket, name: str) -> dict[str, bytes]:
    data = bucket.object(name).get_reader().read_all()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_samples_become_shards(bucket: Bucket, images: Path) -> None:
    posted: list[str] = []
    bucket.write_dataset(config(images), pattern="set", maxcount=3, post=posted.append)
    assert posted == ["set-0.tar", "set-1.tar"]
    assert not list(images.parent.glob("*.tar"))
    assert contents(bucket, "set-0.tar") == {
        "sample_0.cls": b"0",
        "sample_0.image.jpg": b"image 0",
        "sample_0.text.txt": b"caption 0",
        "sample_2.cls": b"2",
        "sample_2.image.jpg": b"image 2",
        "sample_2.text.txt": b"caption 2",
        "sample_3.cls": b"3",
        "sample_3.image.jpg": b"image 3",
        "sample_3.text.txt": b"caption 3",
    }
    assert len(contents(bucket, "set-1.tar")) == 3


async def test_shards_can_be_awaited(bucket: Bucket, images: Path) -> None:
    await bucket.write_dataset_async(config(images), pattern="set", maxcount=9)
    assert contents(bucket, "set-0.tar")["sample_0.cls"] == b"0"


def test_samples_that_lack_a_part_may_stay(bucket: Bucket, images: Path) -> None:
    bucket.write_dataset(config(images), skip_missing=False)
    found = contents(bucket, "dataset-000000.tar")
    assert "sample_000001.image.jpg" in found and "sample_000001.text.txt" not in found


def test_nothing_half_is_left_when_it_fails(bucket: Bucket, images: Path) -> None:
    def label(name: str) -> object:
        if name == "i3":
            return object()
        return 1

    odd = DatasetConfig(DataAttribute(images, "image", "jpg"), [LabelAttribute("odd", label)])
    with pytest.raises(TypeError, match="odd"):
        bucket.write_dataset(odd)
    assert not list(images.parent.glob("*.tar"))
    assert bucket.list_all_objects() == []


def test_shards_are_cut_by_size_too(bucket: Bucket, images: Path) -> None:
    bucket.write_dataset(config(images), pattern="z", maxcount=9, maxsize=1, mtime=0, mode=0o600)
    assert [obj.name for obj in bucket.list_all_objects_iter()] == [f"z-{n}.tar" for n in range(4)]


def test_unknown_options_are_refused(bucket: Bucket, images: Path) -> None:
    with pytest.raises(TypeError, match="shard_size"):
        bucket.write_dataset(config(images), shard_size=3)
