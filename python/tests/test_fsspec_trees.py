"""Deletions, moves and copies of many objects through fsspec."""

from __future__ import annotations

import os
import threading
import time

import pytest
from conftest import s3_settings
from loopback import Reply, serving
from places import KINDS, place_of

import holdall
from holdall.exceptions import PermissionDeniedError
from holdall.fsspec import FsspecStore


@pytest.fixture(params=KINDS)
def place(request, tmp_path):
    """Return a file system of each kind in turn, a directory in it, and what writes there unseen by it."""
    fs, path = place_of(request, tmp_path)

    def elsewhere(name: str, data: bytes = b"1") -> None:
        store, key = fs._at(f"{path}/{name}")
        holdall.put(store, key, data)

    return fs, path, elsewhere


def below(fs, path):
    """Return what is there now, whatever was listed before."""
    fs.invalidate_cache()
    start = len(fs._strip_protocol(path)) + 1
    return sorted(name[start:] for name in fs.find(path))


LISTING = """<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>
<Contents><Key>d/a</Key><Size>3</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"x"</ETag></Contents>
<Contents><Key>d/b</Key><Size>3</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"x"</ETag></Contents>
</ListBucketResult>"""


def no_deletions(request):
    """Answer as a service where one may do all but delete."""
    if request.method == "DELETE" or "delete" in request.query:
        text = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
        return Reply(403, text)
    if "list-type" in request.query:
        return Reply(200, LISTING)
    if request.method == "PUT":
        copied = '<CopyObjectResult><ETag>"x"</ETag></CopyObjectResult>'
        return Reply(200, copied, {"ETag": '"x"'})
    if request.path.endswith(("/d", "/new")):
        return Reply(404)
    headers = {"Last-Modified": "Sat, 21 Nov 2026 00:00:00 GMT", "ETag": '"x"'}
    return Reply(200, b"abc", headers)


def test_deletions_that_are_refused():
    with serving(no_deletions) as service:
        config = {
            "endpoint": service.url,
            "access_key_id": "a",
            "secret_access_key": "b",
            "region": "r",
        }
        fs = FsspecStore(
            "s3", config=config, client_options={"allow_http": True}, skip_instance_cache=True
        )
        for remove in (
            lambda: fs.rm("bucket/d/a"),
            lambda: fs.rm_file("bucket/d/a"),
            lambda: fs.mv("bucket/d/a", "bucket/e"),
            lambda: fs.mv("bucket/d", "bucket/new", recursive=True),
        ):
            with pytest.raises(PermissionDeniedError, match="no"):
                remove()
        with pytest.raises(PermissionDeniedError) as refused:
            fs.rm("bucket/d", recursive=True)
        assert "could not be deleted" in refused.value.__notes__[0]
        with pytest.raises(PermissionDeniedError) as refused:
            fs.rm(["bucket/d/a", "bucket/d/b"])
        assert refused.value.__notes__ == ["1 more could not be deleted"]


def test_deletions_in_a_bucket_that_there_is_not():
    fs = FsspecStore(
        "s3",
        config=s3_settings(),
        client_options={"allow_http": True},
        skip_instance_cache=True,
    )
    with pytest.raises(FileNotFoundError, match="NoSuchBucket"):
        fs.rm("no-such-bucket/k")
    with pytest.raises(FileNotFoundError):
        fs.rm(["no-such-bucket/k", "no-such-bucket/l"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may delete everything")
def test_local_files_that_must_not_be_deleted(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_bytes(b"1")
    (tmp_path / "d").chmod(0o500)
    fs = FsspecStore("file", skip_instance_cache=True)
    try:
        with pytest.raises(PermissionError):
            fs.rm(f"{tmp_path}/d/a")
    finally:
        (tmp_path / "d").chmod(0o700)


def test_objects_that_do_not_exist(place):
    fs, path, _ = place
    if fs.protocol == "file":
        with pytest.raises(FileNotFoundError):
            fs.rm(f"{path}/missing")
    else:
        # The services say of one that is missing that it is deleted.
        fs.rm(f"{path}/missing")
    with pytest.raises(FileNotFoundError):
        fs.rm(f"{path}/missing", recursive=True)
    with pytest.raises(FileNotFoundError):
        fs.mv(f"{path}/missing", f"{path}/other")


def test_what_others_wrote_is_deleted_with_the_tree(place):
    fs, path, elsewhere = place
    fs.pipe_file(f"{path}/d/a", b"1")
    fs.ls(path), fs.ls(f"{path}/d")
    elsewhere("d/b"), elsewhere("d/e/c")
    fs.rm(f"{path}/d", recursive=True)
    assert below(fs, path) == []
    fs.pipe_file(f"{path}/d/a", b"1")
    fs.ls(f"{path}/d")
    elsewhere("d/b")
    fs.rm(f"{path}/d/*")
    assert below(fs, path) == []


def test_what_others_wrote_is_fetched_with_the_tree(place, tmp_path):
    fs, path, elsewhere = place
    fs.pipe_file(f"{path}/d/a", b"1")
    fs.ls(path), fs.ls(f"{path}/d")
    elsewhere("d/b"), elsewhere("d/e/c"), elsewhere("d/a", b"22")
    fs.get(f"{path}/d/", f"{tmp_path}/local/", recursive=True)
    local = tmp_path / "local"
    assert sorted(p.name for p in local.rglob("*") if p.is_file()) == ["a", "b", "c"]
    assert (local / "a").read_bytes() == b"22"
    elsewhere("d/f")
    assert sorted(fs.cat(f"{path}/d/*")) == [f"{path}/d/a", f"{path}/d/b", f"{path}/d/f"]
    elsewhere("d/g")
    fs.cp(f"{path}/d/", f"{path}/copy/", recursive=True)
    assert below(fs, f"{path}/copy") == ["a", "b", "e/c", "f", "g"]


def test_what_others_wrote_is_moved_with_the_tree(place):
    fs, path, elsewhere = place
    fs.pipe_file(f"{path}/d/a", b"1")
    fs.ls(path), fs.ls(f"{path}/d")
    elsewhere("d/b"), elsewhere("d/e/c")
    fs.mv(f"{path}/d", f"{path}/moved", recursive=True)
    assert below(fs, path) == ["moved/a", "moved/b", "moved/e/c"]
    assert fs.exists(f"{path}/moved") and not fs.exists(f"{path}/d")


def test_a_move_deletes_nothing_but_what_it_copied(place, monkeypatch):
    fs, path, elsewhere = place
    fs.pipe_file(f"{path}/d/a", b"1")
    copy = fs._cp_file

    async def slow(path1, path2, **kwargs):
        await copy(path1, path2, **kwargs)
        late = threading.Thread(target=elsewhere, args=("d/late",))
        late.start()
        while late.is_alive():
            time.sleep(0.001)

    monkeypatch.setattr(fs, "_cp_file", slow)
    if fs.protocol == "file":
        # The directory cannot go: that is told.
        with pytest.raises(OSError, match="not empty"):
            fs.mv(f"{path}/d", f"{path}/moved", recursive=True)
    else:
        fs.mv(f"{path}/d", f"{path}/moved", recursive=True)
    assert below(fs, path) == ["d/late", "moved/a"]


def test_moves_where_source_and_target_overlap(place):
    fs, path, _ = place
    fs.pipe({f"{path}/d/a": b"1", f"{path}/d/d/a": b"2"})
    with pytest.raises(ValueError, match="is among"):
        fs.mv(f"{path}/d/", f"{path}/d/d/", recursive=True)
    assert below(fs, path) == ["d/a", "d/d/a"]
    fs.mv(f"{path}/d", f"{path}/d/", recursive=True)
    if fs.protocol == "s3":
        fs.mv(f"s3://{path}/d/a", f"{path}/d/a")
    assert below(fs, path) == ["d/a", "d/d/a"]
    assert fs.cat(f"{path}/d/a") == b"1"


def test_moves_of_one_of_many_and_by_pattern(place):
    fs, path, _ = place
    fs.pipe({f"{path}/d/{name}": b"1" for name in ("a", "b", "c.txt", "e/f")})
    fs.mv(f"{path}/d/a", f"{path}/one")
    fs.mkdir(f"{path}/to") if fs.protocol == "file" else None
    fs.mv(f"{path}/d/b", f"{path}/to/")
    fs.mv(f"{path}/d/*.txt", f"{path}/to/")
    fs.mv([f"{path}/one"], [f"{path}/two"])
    assert below(fs, path) == ["d/e/f", "to/b", "to/c.txt", "two"]
    with pytest.raises(IsADirectoryError):
        fs.mv(f"{path}/d", f"{path}/other")
    assert below(fs, f"{path}/d") == ["e/f"]


def test_touch(place):
    fs, path, elsewhere = place
    fs.touch(f"{path}/a")
    assert fs.cat(f"{path}/a") == b""
    fs.ls(path)
    elsewhere("late", b"content")
    # Although the listing at hand does not have it, it is not replaced.
    if fs.protocol == "file":
        os.utime(f"{path}/late", (1, 1))
        fs.touch(f"{path}/late", truncate=False)
        assert fs.modified(f"{path}/late").year > 2000
    else:
        with pytest.raises(NotImplementedError, match="late exists"):
            fs.touch(f"{path}/late", truncate=False)
    assert fs.cat(f"{path}/late") == b"content"
    fs.touch(f"{path}/new", truncate=False)
    fs.touch(f"{path}/late")
    assert fs.cat(f"{path}/late") == fs.cat(f"{path}/new") == b""


def test_times(place):
    fs, path, _ = place
    fs.pipe_file(f"{path}/d/a", b"1")
    assert fs.created(f"{path}/d/a") == fs.modified(f"{path}/d/a")
    for ask in (fs.created, fs.modified):
        with pytest.raises(IsADirectoryError):
            ask(f"{path}/d")
        with pytest.raises(FileNotFoundError):
            ask(f"{path}/missing")


def test_a_file_is_not_fetched_in_the_place_of_a_directory(place, tmp_path):
    fs, path, _ = place
    fs.pipe_file(f"{path}/a", b"1")
    (tmp_path / "local").mkdir()
    with pytest.raises(IsADirectoryError):
        fs.get_file(f"{path}/a", str(tmp_path / "local"))
    fs.get(f"{path}/a", str(tmp_path / "local") + "/")
    assert (tmp_path / "local/a").read_bytes() == b"1"


def test_presigned_urls():
    fs = FsspecStore(
        "s3",
        config=s3_settings(),
        client_options={"allow_http": True},
        skip_instance_cache=True,
    )
    assert "X-Amz-Expires=60" in fs.sign("test-bucket/k", expiration=60)
    assert fs.sign("test-bucket/k") != fs.sign("test-bucket/k", method="PUT")
    with pytest.raises(TypeError, match="client_method"):
        fs.sign("test-bucket/k", client_method="put_object")
