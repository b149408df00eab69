"""Objects whose keys nothing but a listing can name: they are in listings, and are failures of their own elsewhere."""

from __future__ import annotations

import re

import pytest
from loopback import Reply, Request, serving

import holdall
from holdall.exceptions import InvalidPathError
from holdall.store import MemoryStore, S3Store

KEYS = ["/slash", "a", "d/../up", "d//double", "d/b", "d/tab\t", "e/tab\t"]
GOOD = ["a", "d/b"]
TIMES = {"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT", "ETag": '"e"'}


def answer(request: Request) -> Reply:
    query = {name: values[0] for name, values in request.query.items()}
    if "list-type" in query:
        return Reply(body=page(query.get("prefix", ""), query.get("delimiter")))
    if request.method == "POST":
        keys = re.findall("<Key>(.*?)</Key>", request.body.decode())
        deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        return Reply(body=f"<DeleteResult>{deleted}</DeleteResult>")
    return Reply(body="content", headers=TIMES)


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
    with pytest.raises(InvalidPathError, match="exclude it"):
        holdall.plan_sync(bucket, target)

    exclude = ["/*", "**//**", "**/../**", "**/tab*"]
    result = holdall.sync(bucket, target, delete=True, exclude=exclude)
    assert not holdall.exists(target, "old")


def test_deleting_a_prefix_tells_of_them(bucket):
    report = holdall.delete_prefix(bucket)
    assert report["deleted"] == len(GOOD)
    assert sorted(report["failed"]) == sorted(set(KEYS) - set(GOOD))
