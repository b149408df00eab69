"""The same calls through the official SDK 2.0.0 and ours have the same results, and raise the same exceptions."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import json
import random
import re
import tarfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from holdall import aistore

sdk = pytest.importorskip("aistore.sdk", reason="the official SDK is not installed")
if getattr(sdk, "__file__", "").find("holdall") >= 0:
    pytest.skip("the official SDK is replaced in this process", allow_module_level=True)


class Face:
    """One of the two packages."""

    def __init__(self, package: str, endpoint: str) -> None:
        self.package = package
        self.endpoint = endpoint
        self.client = self.of("client.Client")(endpoint)

    def of(self, name: str) -> Any:
        module, _, member = name.rpartition(".")
        return getattr(importlib.import_module(f"{self.package}.{module}"), member)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    root = tmp_path_factory.mktemp("promote")
    with aistore.serve(promote_root=root) as server:
        yield Face("aistore.sdk", server.url), Face("holdall.aistore", server.url)


_IDS = [
    (re.compile(r"\b[tp]\[\w+\]"), "NODE"),
    (re.compile(r'"node":"[^"]*"'), '"node":""'),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"\b(?:tco|arc|evl|tcb|gbt|inv|etl|srt)-[\w-]{6,}"), "JOB"),
]


def plain_text(text: str, bucket: str) -> str:
    for pattern, by in _IDS:
        text = pattern.sub(by, text)
    return text.replace(bucket, "BUCKET")


ATTRIBUTES = [
    "size",
    "checksum_type",
    "checksum_value",
    "obj_version",
    "custom_metadata",
    "present",
    "mirror_copies",
    "ec",
    "chunks",
    "name",
    "bucket_name",
    "bucket_provider",
]


def plain(value: Any, bucket: str) -> Any:
    """A result without what differs from call to call, and without its type."""
    again: Callable[[Any], Any] = lambda inner: plain(inner, bucket)  # noqa: E731
    if isinstance(value, str):
        return plain_text(value, bucket)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, dict):
        # The disk's free space is anybody's.
        return {again(k): again(v) for k, v in value.items() if k != "total_disks_size"}
    if hasattr(value, "checksum_type"):
        return {n: again(vars_of(getattr(value, n, None))) for n in ATTRIBUTES}
    if hasattr(value, "generate_object_props"):
        fields = ("n", "cs", "v", "s", "c", "f")
        return {n: again(getattr(value, n)) for n in fields}
    if hasattr(value, "status_code"):
        return value.status_code
    if hasattr(value, "model_dump"):
        return again(value.model_dump())
    if isinstance(value, list | tuple) or inspect.isgenerator(value) or hasattr(value, "__next__"):
        return [again(item) for item in value]
    if hasattr(value, "get_semantic_url"):
        return again(value.get_semantic_url())
    return type(value).__name__


def vars_of(value: Any) -> Any:
    return vars(value) if hasattr(value, "__dataclass_fields__") else value


@dataclass(frozen=True)
class Outcome:
    """What came of a call."""

    value: Any = None
    error: str = ""
    status: int | None = None
    message: str = ""


def tell(call: Callable[[], Any], bucket: str) -> Outcome:
    try:
        return Outcome(plain(call(), bucket))
    except Exception as error:
        status = getattr(error, "status_code", None)
        message = getattr(error, "message", "") if status is not None else ""
        with contextlib.suppress(ValueError, TypeError, KeyError):
            message = json.loads(message)["message"]
        return Outcome(None, type(error).__name__, status, plain_text(str(message), bucket))


def compare(faces, steps: list[Callable[[Face, Any], Any]]) -> None:
    """Run steps on a bucket for each, and compare what comes of every one."""
    outcomes = []
    for face in faces:
        name = f"diff-{uuid.uuid4().hex[:10]}"
        bucket = face.client.bucket(name)
        bucket.create()
        try:
            outcomes.append([tell(partial(step, face, bucket), name) for step in steps])
        finally:
            face.client.bucket(bucket.name).delete(missing_ok=True)
    for at, (theirs, ours) in enumerate(zip(*outcomes, strict=True)):
        assert ours == theirs, (
            f"step {at}: {inspect.getsource(steps[at]) if steps[at].__name__ == '<lambda>' else steps[at]}"
        )


NAMES = ["a", "b", "dir/a", "dir/b", "dir/sub/c", "x y", "ü%20", "q#1?z"]


def operation(rng: random.Random) -> Callable[[Face, Any], Any]:
    """Something to do with an object, decided before it is done."""
    name, other = rng.choice(NAMES), rng.choice(NAMES)
    data = rng.randbytes(rng.choice([0, 1, 100, 5000, 70_000]))
    first = rng.randrange(0, 6000)
    last = first + rng.randrange(0, 3000)
    chunk = rng.choice([1000, 4096, 32_768])
    flag = rng.choice(["NAME_ONLY", "NAME_SIZE", "CACHED", "NO_RECURSION"])
    prefix = rng.choice(["", "d", "dir/", "dir/s", "nope"])
    size = rng.choice([0, 1, 2, 3])
    props = rng.choice(["", "name,size", "checksum", "version,custom", "copies", "chunked"])
    custom = {f"k{rng.randrange(3)}": f"v{rng.randrange(9)}"}
    replace = rng.random() < 0.5
    after = rng.choice(NAMES)

    def list_page(face: Face, bucket: Any) -> Any:
        kind = face.of("list_object_flag.ListObjectFlag")
        page = bucket.list_objects(
            prefix=prefix, props="name,size,checksum", page_size=size, flags=[kind[flag]]
        )
        return page.entries, bool(page.continuation_token)

    return rng.choice(
        [
            lambda face, b: b.object(name).get_writer().put_content(data),
            lambda face, b: b.object(name).get_writer().put_content(data),
            lambda face, b: b.object(name).get_writer().put_content(data),
            lambda face, b: b.object(name).get_reader().read_all(),
            lambda face, b: list(b.object(name).get_reader(chunk_size=chunk)),
            lambda face, b: (
                b.object(name).get_reader(byte_range=f"bytes={first}-{last}").read_all()
            ),
            lambda face, b: b.object(name).get_reader(byte_range=f"bytes={first}-").read_all(),
            lambda face, b: b.object(name).get_reader().raw().read(),
            lambda face, b: b.object(name).get_reader().as_file().read(first),
            lambda face, b: b.object(name).get_reader().head(),
            lambda face, b: b.object(name).head(props),
            lambda face, b: b.object(name).props,
            lambda face, b: b.object(name).delete(),
            lambda face, b: b.object(name).copy(b.object(other)),
            lambda face, b: b.object(name).get_writer().set_custom_props(custom, replace),
            lambda face, b: b.object(name).get_url(archpath="m/n"),
            lambda face, b: b.object(name).get_semantic_url(),
            lambda face, b: b.list_all_objects(
                prefix=prefix, props="name,size,version", page_size=size
            ),
            lambda face, b: [e.name for e in b.list_objects_iter(prefix=prefix, page_size=size)],
            lambda face, b: [o.name for o in b.list_all_objects_iter(prefix=prefix)],
            lambda face, b: [e.name for e in b.list_all_objects(start_after=after)],
            lambda face, b: list(b.list_urls(prefix=prefix)),
            list_page,
            lambda face, b: append(b.object(name), data),
            lambda face, b: in_parts(b.object(name), [data[:50], data[50:]]),
        ]
    )


def append(made: Any, data: bytes) -> Any:
    writer = made.get_writer()
    handle = writer.append_content(data)
    handle = writer.append_content(b"more", handle)
    return writer.append_content(b"", handle, flush=True)


def in_parts(made: Any, parts: list[bytes]) -> Any:
    upload = made.multipart_upload().create()
    for number, part in enumerate(parts, 1):
        upload.add_part(number).put_content(part)
    return upload.complete()


@pytest.mark.parametrize("seed", range(8))
def test_generated(faces, seed):
    rng = random.Random(seed)
    compare(faces, [operation(rng) for _ in range(60)])


def filled(face: Face, bucket: Any) -> Any:
    for i in range(6):
        bucket.object(f"obj-{i}.txt").get_writer().put_content(b"%d" % i * (i + 1))


def waited(face: Face, ids: Any, kind: str = "") -> Any:
    """Wait for jobs; whether they succeeded."""
    ids = ids if isinstance(ids, list) else [ids]
    return [bool(face.client.job(job_id=i, job_kind=kind).wait(timeout=4)) for i in ids]


def test_buckets(faces):
    def missing(face: Face) -> Any:
        return face.client.bucket("no-such-bucket-anywhere")

    def cloud(face: Face) -> Any:
        return face.client.bucket("b", provider="aws")

    def renamed(face: Face, b: Any) -> Any:
        to = f"renamed-{uuid.uuid4().hex[:8]}"
        done = waited(face, b.rename(to))
        return done, b.name == to, len(b.list_all_objects())

    compare(
        faces,
        [
            filled,
            lambda face, b: b.create(),
            lambda face, b: b.create(exist_ok=True).name,
            lambda face, b: missing(face).delete(),
            lambda face, b: missing(face).delete(missing_ok=True),
            lambda face, b: missing(face).list_objects(),
            lambda face, b: missing(face).summary(),
            lambda face, b: missing(face).info(),
            lambda face, b: missing(face).head(),
            lambda face, b: missing(face).object("o").get_reader().read_all(),
            lambda face, b: face.client.bucket("bad name").create(),
            lambda face, b: face.client.bucket("b", provider="nope"),
            lambda face, b: cloud(face).create(),
            lambda face, b: cloud(face).rename("c"),
            lambda face, b: cloud(face).delete(),
            lambda face, b: cloud(face).list_objects(start_after="a"),
            lambda face, b: b.evict(),
            lambda face, b: sorted(b.head()),
            lambda face, b: b.summary(prefix="obj-1"),
            lambda face, b: b.info(prefix="obj-1")[1],
            lambda face, b: b.info(flt_presence=99),
            lambda face, b: b.as_model(),
            lambda face, b: b.get_path(),
            lambda face, b: b.qparam,
            lambda face, b: face.client.bucket(
                "n", namespace=face.of("namespace.Namespace")(uuid="U", name="N")
            ).get_path(),
            lambda face, b: b.make_request("GET", "no-such-action").status_code,
            renamed,
        ],
    )


def test_copies(faces):
    def copied(face: Face, b: Any, **options: Any) -> Any:
        to = face.client.bucket(f"to-{uuid.uuid4().hex[:8]}")
        to.create()
        try:
            done = waited(face, b.copy(to, **options))
            return done, [(e.name, e.size) for e in to.list_all_objects(props="name,size")]
        finally:
            to.delete()

    compare(
        faces,
        [
            filled,
            copied,
            lambda face, b: copied(face, b, prefix_filter="obj-1", prepend="new/"),
            lambda face, b: copied(face, b, ext={"txt": "md"}),
            lambda face, b: copied(face, b, dry_run=True),
            lambda face, b: b.copy(b),
            lambda face, b: copied(face, b, prepend="x", sync=True),
        ],
    )


def test_groups(faces):
    def group_copy(face: Face, b: Any, **options: Any) -> Any:
        to = face.client.bucket(f"to-{uuid.uuid4().hex[:8]}")
        to.create()
        try:
            ids = b.objects(obj_template="obj-{0..3}.txt").copy(to, **options)
            return waited(face, ids, "copy-listrange"), [e.name for e in to.list_all_objects()]
        finally:
            to.delete()

    def archived(face: Face, b: Any, **options: Any) -> Any:
        ids = b.objects(obj_names=["obj-1.txt", "obj-2.txt"]).archive("all.tar", **options)
        done = waited(face, ids, "archive")
        content = b.object("all.tar").get_reader().read_all()
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            return done, sorted((m.name, m.size) for m in tar.getmembers())

    def ranged(face: Face, *arguments: Any, **named: Any) -> Any:
        return face.of("multiobj.object_range.ObjectRange")(*arguments, **named)

    compare(
        faces,
        [
            filled,
            group_copy,
            lambda face, b: group_copy(face, b, prepend="p/", num_workers=2),
            archived,
            lambda face, b: archived(face, b, include_source_name=True),
            lambda face, b: waited(
                face, b.objects(obj_names=["obj-0.txt"]).delete(), "delete-listrange"
            ),
            lambda face, b: [e.name for e in b.list_all_objects()],
            lambda face, b: b.objects(obj_names=["a"]).evict(),
            lambda face, b: b.objects(obj_names=["a"]).prefetch(),
            lambda face, b: b.objects(obj_names=["a"], obj_template="b"),
            lambda face, b: b.objects(obj_range="b").list_names(),
            lambda face, b: b.objects(obj_template="a{1..3}{x,y}-{a..c}").list_names(),
            lambda face, b: b.objects(
                obj_range=ranged(face, "p-", 1, 11, 3, 2, ".tar")
            ).list_names(),
            lambda face, b: str(
                face.of("multiobj.object_range.ObjectRange").from_string("a{01..10..3}b")
            ),
            lambda face, b: ranged(face, "p", 5, 1),
            lambda face, b: ranged(face, "p", 5),
            lambda face, b: ranged(face, "p", suffix="s"),
            lambda face, b: ranged(face, "p", 100, 200, 2),
            lambda face, b: list(
                b.objects(obj_names=["obj-1.txt", "none"]).list_all_objects_iter()
            ),
            lambda face, b: list(b.objects(obj_names=["obj-1.txt"]).list_urls()),
        ],
    )


def test_what_needs_more(faces):
    """Transformers that are not there, clouds behind no server, logs."""

    def etl(face: Face, **named: Any) -> Any:
        return face.of("etl.etl_config.ETLConfig")(**named)

    def logs(face: Face) -> Any:
        cluster = face.client.cluster()
        node = next(iter(cluster.get_info().tmap))
        severity = face.of("enums.LogSeverity").ERROR
        role = face.of("enums.NodeFilter").ALL
        return (
            type(cluster.get_node_log(node, severity)),
            type(cluster.get_node_log_archive(node)),
            len(cluster.get_cluster_logs(role=role)),
        )

    def blob(face: Face, b: Any) -> Any:
        config = face.of("blob_download_config.BlobDownloadConfig")(
            chunk_size="1mb", num_workers="2"
        )
        return b.object("obj-1.txt").get_reader(blob_download_config=config).read_all()

    compare(
        faces,
        [
            filled,
            lambda face, b: b.transform("no-such-etl", b),
            lambda face, b: b.inspect("no-such-etl"),
            lambda face, b: b.objects(obj_names=["obj-1.txt"]).transform(b, "no-such-etl"),
            lambda face, b: b.objects(obj_names=["obj-1.txt"]).inspect("no-such-etl"),
            lambda face, b: (
                b.object("obj-1.txt").get_reader(etl=etl(face, name="no-such-etl")).read_all()
            ),
            lambda face, b: b.object("obj-1.txt").get_url(etl=etl(face, name="e", args="x")),
            lambda face, b: b.object("obj-1.txt").copy(
                b.object("c"), etl=etl(face, name="no-such-etl")
            ),
            lambda face, b: b.create_inventory(),
            lambda face, b: b.show_inventory(),
            lambda face, b: b.destroy_inventory("x"),
            lambda face, b: b.list_objects(inventory_name="x"),
            lambda face, b: face.client.cluster().list_etls(),
            blob,
            lambda face, b: b.object("obj-1.txt").get_reader(latest=True).read_all(),
            lambda face, b: b.object("obj-1.txt").get_reader(num_workers=1),
            lambda face, b: b.object("obj-1.txt").get_reader(num_workers=2).read_all().tobytes(),
            lambda face, b: list(b.object("obj-1.txt").get_reader(num_workers=2, chunk_size=1)),
            lambda face, b: b.object("none").get_reader(num_workers=2),
            lambda face, b: b.object("obj-1.txt").get_reader(direct=True).read_all(),
            lambda face, b: b.object("none").get_reader(direct=True).read_all(),
            lambda face, b: logs(face),
        ],
    )


def test_jobs_and_cluster(faces):
    def job(face: Face, **named: Any) -> Any:
        return face.client.job(**named)

    def aborted(face: Face, b: Any) -> Any:
        ids = b.objects(obj_names=["obj-1.txt"]).copy(b, prepend="again/")
        done = face.client.job(ids[0])
        done.abort()
        return done.get_details().any_aborted()

    def timeframe(face: Face, b: Any) -> Any:
        began = datetime.now(UTC)
        started = face.client.job(job_kind="lru").start()
        result = face.client.job(started).wait(timeout=4)
        found = face.client.job(started, "lru").get_within_timeframe(began)
        return result.success, result.end_time is not None, [s.kind for s in found]

    def smap(face: Face, b: Any) -> Any:
        found = face.client.cluster().get_info()
        node = found.get_target_for_object("ais/@#/b/o")
        return (
            len(found.tmap),
            len(found.pmap),
            node.daemon_id,
            found.uuid,
            node.in_maint_or_decomm(),
        )

    compare(
        faces,
        [
            filled,
            timeframe,
            lambda face, b: job(face).status(),
            lambda face, b: job(face).abort(),
            lambda face, b: job(face, job_id="nope12345").status(),
            lambda face, b: job(face, job_id="nope12345").wait(timeout=1),
            lambda face, b: job(face, job_kind="no-such-kind").start(),
            lambda face, b: job(face, job_kind="copy-bck").start(),
            lambda face, b: job(face, job_id="nope12345").get_total_time(),
            lambda face, b: job(face, job_kind="lru").get_within_timeframe(
                datetime(2100, 1, 1, tzinfo=UTC)
            ),
            aborted,
            smap,
            lambda face, b: face.client.cluster().is_ready(),
            lambda face, b: face.client.cluster().get_uuid(),
            lambda face, b: face.client.cluster().get_primary_url() == face.endpoint,
            lambda face, b: b.name in [m.name for m in face.client.cluster().list_buckets()],
            lambda face, b: face.client.cluster().list_buckets(provider="nope"),
            lambda face, b: sorted(next(iter(face.client.cluster().get_performance().values()))),
            lambda face, b: face.client.cluster().list_running_jobs(job_kind="lru"),
            lambda face, b: face.client.get_object_from_url("ais://b/o/p"),
            lambda face, b: face.client.get_object_from_url("ais://b"),
            lambda face, b: face.client.get_object_from_url("nope://b/o"),
        ],
    )


def test_files(faces, tmp_path):
    root = tmp_path / "files"
    (root / "sub").mkdir(parents=True)
    for name in ("a.txt", "b.jpg", "sub/c.txt", "sub/d.jpg"):
        (root / name).write_text(name * 10)

    def put(face: Face, b: Any, **options: Any) -> Any:
        names = b.put_files(root, verbose=False, **options)
        return sorted(names), [(e.name, e.size) for e in b.list_all_objects(props="name,size")]

    compare(
        faces,
        [
            lambda face, b: put(face, b, dry_run=True),
            put,
            lambda face, b: put(face, b, prepend="pre/", pattern="*.txt"),
            lambda face, b: put(face, b, recursive=True, basename=True),
            lambda face, b: put(face, b, recursive=True, prefix_filter="d"),
            lambda face, b: b.put_files(root / "nope"),
            lambda face, b: b.put_files(root / "a.txt"),
            lambda face, b: b.object("f").get_writer().put_file(root / "a.txt"),
            lambda face, b: b.object("f").get_writer().put_file(root / "nope"),
            lambda face, b: b.object("f").get_reader().read_all(),
        ],
    )


def test_archives(faces):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("a.jpg", "a.txt", "dir/b.txt"):
            info = tarfile.TarInfo(name)
            info.size = len(name)
            tar.addfile(info, io.BytesIO(name.encode()))

    def read(face: Face, b: Any, **options: Any) -> Any:
        mode = options.pop("mode", None)
        kind = face.of("archive_config.ArchiveMode")
        config = face.of("archive_config.ArchiveConfig")
        chosen = config(mode=kind(mode) if mode else None, **options)
        content = b.object("shard.tar").get_reader(archive_config=chosen).read_all()
        if mode is None:
            return content
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            return tar.getnames()

    compare(
        faces,
        [
            lambda face, b: b.object("shard.tar").get_writer().put_content(packed.getvalue()),
            lambda face, b: b.list_archive("shard.tar"),
            lambda face, b: b.list_archive(
                "shard.tar", include_archive_obj=True, props="name,size"
            ),
            lambda face, b: read(face, b, archpath="dir/b.txt"),
            lambda face, b: read(face, b, archpath="nope"),
            lambda face, b: read(face, b, regex="a", mode="prefix"),
            lambda face, b: read(face, b, regex="txt", mode="suffix"),
            lambda face, b: read(face, b, regex="a", mode="wdskey"),
            lambda face, b: read(face, b, regex="nope", mode="substr"),
            lambda face, b: read(face, b, regex="x"),
        ],
    )


def test_writing_files(faces):
    def written(b: Any, mode: str, flush: bool) -> Any:
        with b.object("f").get_writer().as_file(mode) as file:
            count = file.write(b"abc")
            if flush:
                file.flush()
            file.write(b"def")
        return count, b.object("f").get_reader().read_all()

    compare(
        faces,
        [
            lambda face, b: written(b, "w", True),
            lambda face, b: written(b, "a", False),
            lambda face, b: written(b, "w", False),
            lambda face, b: written(b, "r", False),
            lambda face, b: b.object("f").multipart_upload().add_part(1),
            lambda face, b: b.object("f").multipart_upload().create().add_part(0),
            lambda face, b: b.object("f").multipart_upload().create().complete(),
            lambda face, b: in_parts(b.object("f"), [b"", b"x"]),
            lambda face, b: b.object("none").blob_download(),
            lambda face, b: b.object("none").promote("/no/such/file"),
        ],
    )
