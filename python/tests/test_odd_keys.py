"""Objects whose keys nothing but a listing can name: they are in listings, and are failures of their own elsewhere."""

from __future__ import annotations

import os
import re

import pytest
from loopback import Reply, Request, serving

import holdall
from holdall.exceptions import InvalidPathError, NotFoundError, TransferError
from holdall.store import LocalStore, MemoryStore, S3Store

KEYS = ["/slash", "a", "d/../up", "d//double", "d/b", "d/tab\t", "e/tab\t"]
GOOD = ["a", "d/b"]
TIMES = {"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT", "ETag": '"e"'}


def answer(request: Request) -> Reply:
    query = {name: values[0] for name, values in request.query.items()}
    if "versions" in query:
        return Reply(body=versions())
    if "list-type" in query:
        return Reply(body=page(query.get("prefix", ""), query.get("delimiter")))
    if request.method == "POST":
        keys = re.findall("<Key>(.*?)</Key>", request.body.decode())
        deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        return Reply(body=f"<DeleteResult>{deleted}</DeleteResult>")
    return Reply(body="content", headers=TIMES)


def versions() -> str:
    body = "".join(
        f"<Version><Key>{key}</Key><VersionId>v</VersionId><IsLatest>true</IsLatest>"
        "<LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
        "<Size>7</Size></Version>"
        for key in (key.replace("\t", "&#9;") for key in KEYS)
    )
    return f"<ListVersionsResult>{body}</ListVersionsResult>"


def page(prefix: str, delimiter: str | None) -> str:
    objects, prefixes = "", {}
    for key in KEYS:
        rest = key.removeprefix(prefix)
        if not key.startswith(prefix):
            continue
        if delimiter and delimiter in rest:
            prefixes[prefix + rest.split(delimiter)[0] + delimiter] = None
            continue
        key = key.replace("\t", "&#9;")
        objects += (
            f"<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
            "<ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>"
        )
    for one in prefixes:
        objects += f"<CommonPrefixes><Prefix>{one}</Prefix></CommonPrefixes>"
    return f"<ListBucketResult>{objects}</ListBucketResult>"


@pytest.fixture
def bucket():
    with serving(answer) as service:
        yield S3Store(
            "bucket",
            endpoint=service.url,
            region="us-east-1",
            skip_signature=True,
            client_options={"allow_http": True},
        )


def test_listings_have_them(bucket):
    found = holdall.list(bucket).collect()
    assert [entry["path"] for entry in found] == KEYS
    assert {(entry["size"], entry["e_tag"]) for entry in found} == {(7, '"e"')}
    assert holdall.list(bucket, return_arrow=True).collect().num_rows == len(KEYS)
    assert [entry["path"] for entry in holdall.glob(bucket, "d/**").collect()] == KEYS[2:6]
    level = holdall.list_with_delimiter(bucket, "e")
    assert (level["common_prefixes"], level["objects"][0]["path"]) == ([], "e/tab\t")
    # Taken for prefixes, they would lead round in circles.
    with pytest.raises(InvalidPathError, match="no path can hold the prefix"):
        holdall.list_with_delimiter(bucket, "d")
    with pytest.raises(InvalidPathError):
        holdall.get(bucket, "d//double")


async def test_transfers_of_many_do_the_rest(bucket):
    target = MemoryStore()
    result = holdall.copy_prefix(bucket, None, target, None, on_error="return")
    assert [entry["path"] for entry in holdall.list(target).collect()] == GOOD
    assert sorted(outcome.source for outcome in result.failed) == sorted(set(KEYS) - set(GOOD))
    assert all(isinstance(outcome.error, InvalidPathError) for outcome in result.failed)

    holdall.put(target, "old", b"old")
    result = await holdall.sync_async(bucket, target, delete=True, on_error="return")
    assert len(result.failed) == len(KEYS) - len(GOOD) + 1
    assert holdall.exists(target, "old")
    exclude = ["//*", "**//**", "**/../**", "**/tab*"]
    result = holdall.sync(bucket, target, delete=True, exclude=exclude)
    assert not holdall.exists(target, "old")


async def test_a_plan_says_what_cannot_be_done(bucket):
    target = MemoryStore()
    holdall.put(target, "old", b"old")
    plan = holdall.plan_sync(bucket, target, delete=True)
    assert [action.path for action in plan.actions] == ["a", "d/b", "old"]
    refused = sorted((action.action, action.path, action.reason) for action in plan.refused)
    assert refused == sorted(("copy", key, "odd_key") for key in set(KEYS) - set(GOOD))
    assert "cannot copy 7 bytes, no path can hold the key 'd/tab\\t'" in str(plan)
    assert str(plan).endswith("1 to delete, 0 unchanged, 5 that cannot be done")
    again = holdall.SyncPlan.from_json(plan.to_json())
    assert again == plan == await holdall.plan_sync_async(bucket, target, delete=True)

    result = holdall.sync(bucket, target, plan=again, on_error="return")
    assert sorted(outcome.source for outcome in result.done) == GOOD
    assert len(result.failed) == len(plan.refused) + 1
    assert holdall.exists(target, "old"), "nothing is deleted when something was not copied"
    with pytest.raises(TransferError, match="6 of 8 objects failed"):
        holdall.sync(bucket, target, plan=again)
    # Who takes them out of the plan takes the failures out, too.
    again.refused.clear()
    holdall.sync(bucket, target, plan=again)
    assert not holdall.exists(target, "old")


def test_files_with_such_names_are_not_left_out_in_silence(tmp_path):
    for name in (b"good", b"two\nlines", b"latin-\xe9"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"1")
    with pytest.raises(TransferError, match="2 of 3 objects failed") as raised:
        holdall.upload_dir(MemoryStore(), None, tmp_path)
    failed = sorted(outcome.source for outcome in raised.value.result.failed)
    assert failed == ["latin-\ufffd", "two\nlines"]
    store = LocalStore(tmp_path)
    keys = ["good", "latin-\ufffd", "two\nlines"]
    assert [entry["path"] for entry in holdall.list(store).collect()] == keys
    assert [entry["path"] for entry in holdall.list(store, offset="good").collect()] == keys[1:]
    level = holdall.list_with_delimiter(store)
    assert [entry["path"] for entry in level["objects"]] == keys


def test_links_that_lead_nowhere_are_failures_of_those_who_copy_everything(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "good").write_bytes(b"1")
    (tmp_path / "d" / "broken").symlink_to("nowhere")
    assert [entry["path"] for entry in holdall.list(LocalStore(tmp_path)).collect()] == ["d/good"]
    target = MemoryStore()
    with pytest.raises(TransferError, match=r"1 of 2 objects failed.*link leads nowhere") as raised:
        holdall.upload_dir(target, None, tmp_path)
    (failed,) = raised.value.result.failed
    assert (failed.source, type(failed.error)) == ("d/broken", NotFoundError)

    holdall.put(target, "old", b"old")
    plan = holdall.plan_sync(tmp_path, target, delete=True)
    assert [(one.path, one.reason) for one in plan.refused] == [("d/broken", "broken_link")]
    assert "cannot copy 0 bytes, the symbolic link 'd/broken' leads nowhere" in str(plan)
    again = holdall.SyncPlan.from_json(plan.to_json())
    with pytest.raises(TransferError, match=r"2 of 2 objects failed.*link leads nowhere"):
        holdall.sync(tmp_path, target, plan=again)
    assert holdall.exists(target, "old")


def test_versions_have_them(bucket):
    found = holdall.list_versions(bucket).collect()
    assert [(entry["path"], entry["version"]) for entry in found] == [(key, "v") for key in KEYS]
    assert all(entry["is_latest"] and not entry["is_delete_marker"] for entry in found)
    assert {(entry["size"], entry["e_tag"]) for entry in found} == {(7, '"e"')}


def test_deleting_a_prefix_tells_of_them(bucket):
    report = holdall.delete_prefix(bucket)
    assert report["deleted"] == len(GOOD)
    assert sorted(report["failed"]) == sorted(set(KEYS) - set(GOOD))
