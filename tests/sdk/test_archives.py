"""Members of archives."""

import io
import zipfile

import pytest
from aistore.sdk.archive_config import ArchiveConfig, ArchiveMode
from aistore.sdk.list_object_flag import ListObjectFlag
from conftest import SDK, names, pack, put, refused, unpack

FILES = {"in/one.txt": b"1", "in/two.txt": b"22", "in/two.cls": b"c", "big": b"x" * 300_000}


@pytest.fixture(params=["s.tar", "s.tgz", "s.tar.gz", "s.zip"])
def shard(request, bucket):
    if request.param.endswith(".zip"):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in FILES.items():
                archive.writestr(name, content)
        content = out.getvalue()
    else:
        content = pack(FILES, "w" if request.param == "s.tar" else "w:gz")
    put(bucket, request.param, content)
    return bucket.object(request.param)


def test_one_member(shard):
    for name, content in FILES.items():
        assert shard.get_reader(archive_config=ArchiveConfig(archpath=name)).read_all() == content
    refused(lambda: shard.get_reader(archive_config=ArchiveConfig(archpath="none")).read_all())


@pytest.mark.parametrize(
    ("mode", "pattern", "expected"),
    [
        (ArchiveMode.REGEXP, r"t.o\.", ["in/two.txt", "in/two.cls"]),
        (ArchiveMode.PREFIX, "in/o", ["in/one.txt"]),
        (ArchiveMode.SUFFIX, ".txt", ["in/one.txt", "in/two.txt"]),
        (ArchiveMode.SUBSTR, "wo", ["in/two.txt", "in/two.cls"]),
        (ArchiveMode.WDSKEY, "in/two", ["in/two.txt", "in/two.cls"]),
    ],
)
def test_selections(shard, mode, pattern, expected):
    config = ArchiveConfig(regex=pattern, mode=mode)
    found = unpack(shard.get_reader(archive_config=config).read_all())
    assert list(found) == expected
    assert all(FILES[name] == content for name, content in found.items())


def test_what_selects_nothing(shard):
    for pattern in ["none", "("]:
        config = ArchiveConfig(regex=pattern, mode=ArchiveMode.REGEXP)
        refused(lambda config=config: shard.get_reader(archive_config=config).read_all())


def test_listing(bucket, shard):
    entries = bucket.list_all_objects(flags=[ListObjectFlag.ARCH_DIR])
    inside = sorted(f"{shard.name}/{name}" for name in FILES)
    assert [entry.name for entry in entries] == [shard.name, *inside]
    assert names(bucket) == [shard.name]
    sizes = {entry.name: entry.size for entry in entries}
    assert all(sizes[f"{shard.name}/{name}"] == len(content) for name, content in FILES.items())


@pytest.mark.skipif(SDK < (1, 13), reason="this generation of the SDK has no list_archive")
def test_list_archive(bucket, shard):
    inside = sorted(f"{shard.name}/{name}" for name in FILES)
    assert [entry.name for entry in bucket.list_archive(shard.name)] == inside
    both = bucket.list_archive(shard.name, include_archive_obj=True)
    assert [entry.name for entry in both] == [shard.name, *inside]


def test_not_an_archive(bucket):
    put(bucket, "plain", b"not an archive")
    error = refused(
        lambda: (
            bucket.object("plain").get_reader(archive_config=ArchiveConfig(archpath="x")).read_all()
        )
    )
    assert error.status_code == 400
    assert "unrecognized or unsupported file format" in str(error)
