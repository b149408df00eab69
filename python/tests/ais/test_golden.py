"""Replies that were recorded from AIStore 1.5.0 mean to us what they mean to the official SDK."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from loopback import Reply, serving

from holdall.aistore import Client
from holdall.aistore.errors import BrokenStream, ErrBckNotFound
from holdall.aistore.request_client import RequestClient
from holdall.aistore.types import JobStatus, Smap

sdk = pytest.importorskip("aistore.sdk", reason="the official SDK is not installed")
FOLDER = Path(__file__).parents[3] / "crates/ais-server/tests/golden"

# These are repeated by the official client, for a minute and a half.
REPEATED = {429, 500, 502, 503, 504}


def all_recorded() -> list[dict]:
    if not FOLDER.is_dir():
        pytest.skip(f"no recorded exchanges in {FOLDER}")
    found = []
    for file in sorted(FOLDER.glob("recorded*.jsonl")):
        found += [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    return found


def recorded() -> list[dict]:
    found = all_recorded()
    return [one for one in found if one.get("error") and one.get("status") not in REPEATED]


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return recorded()


def error_of(client, method: str, path: str, query) -> tuple:
    try:
        client.request(method, path=path, params=dict(query))
    except Exception as error:
        return (
            type(error).__name__,
            getattr(error, "status_code", None),
            getattr(error, "message", None),
        )
    return ("no error",)


def test_refusals(rows):
    """Every recorded refusal raises the same exception, with the same status and message."""
    from aistore.sdk.request_client import RequestClient as Theirs
    from aistore.sdk.session_manager import SessionManager

    present: dict = {}

    def answer(request) -> Reply:
        body = json.dumps({**present["error"], "status": present["status"]})
        headers = {"Content-Type": "application/json"}
        if request.method == "HEAD":
            return Reply(present["status"], b"", {**headers, "Hdr-Error": body})
        return Reply(present["status"], body, headers)

    with serving(answer) as service:
        ours = RequestClient(service.url)
        theirs = Theirs(service.url, SessionManager())
        compared = 0
        for row in rows:
            method, _, url = row["request"].partition(" ")
            parts = urlsplit(url)
            if not parts.path.startswith("/v1/"):
                continue
            present = row
            arguments = (method.lower(), parts.path.removeprefix("/v1/"), parse_qsl(parts.query))
            mine = error_of(ours, *arguments)
            assert mine == error_of(theirs, *arguments), row["request"]
            assert mine != ("no error",)
            compared += 1
    assert compared > 20


ATTRIBUTES = (
    "size",
    "checksum_type",
    "checksum_value",
    "access_time",
    "obj_version",
    "custom_metadata",
    "present",
    "location",
    "mirror_paths",
    "mirror_copies",
    "last_modified",
    "etag",
)


def test_replies():
    """What recorded replies state of objects, and their JSON, is read as the official SDK reads it."""
    from aistore.sdk.obj.object_attributes import ObjectAttributes as TheirAttributes
    from aistore.sdk.request_client import RequestClient as Theirs
    from aistore.sdk.session_manager import SessionManager

    from holdall.aistore.obj.object_attributes import ObjectAttributes

    good = [one for one in all_recorded() if one.get("reply_headers") and not one.get("error")]
    present: dict = {}

    def answer(request) -> Reply:
        # The map is asked for by our transport alone.
        if request.path.endswith("/daemon") and "/daemon" not in present["request"]:
            return Reply(404)
        headers = dict(present["reply_headers"])
        if "json" in present:
            return Reply(present["status"], json.dumps(present["json"]), headers)
        headers["Ais-Checksum-Type"] = headers.pop("ais-checksum-type", "none")
        content = "" if present["request"].startswith("HEAD") else "content"
        return Reply(present["status"], content, headers)

    with serving(answer) as service:
        ours, theirs = RequestClient(service.url), Theirs(service.url, SessionManager())
        compared = 0
        for row in good:
            method, _, url = row["request"].partition(" ")
            parts = urlsplit(url)
            is_content = method == "GET" and "json" not in row
            if not parts.path.startswith("/v1/") or is_content or row["status"] >= 300:
                continue
            present = row
            path, query = parts.path.removeprefix("/v1/"), dict(parse_qsl(parts.query))
            mine = ours.request(method.lower(), path, params=query)
            other = theirs.request(method.lower(), path, params=query)
            assert mine.status_code == other.status_code
            if "json" in row:
                assert mine.json() == other.json() == row["json"]
            for name in ATTRIBUTES:
                read = getattr(ObjectAttributes(mine.headers), name)
                assert read == getattr(TheirAttributes(other.headers), name), (row["request"], name)
            compared += 1
    assert compared > 50


SMAP = {
    "tmap": {},
    "pmap": {},
    "proxy_si": {"daemon_id": "p1", "daemon_type": "proxy", "public_net": None},
    "version": "7",
    "uuid": "U",
    "creation_time": "",
    "ext": None,
}


def test_numbers_are_texts():
    """Versions and counters are decimal texts on the wire; what is unknown is passed over."""
    node = {
        "daemon_id": "Wytt8081",
        "daemon_type": "target",
        "public_net": {"node_hostname": "h", "daemon_port": "1", "direct_url": "http://h:1"},
        "flags": "0",
        "id_digest": 9609583472054543896,
        "new": 1,
    }
    smap = Smap.model_validate({**SMAP, "tmap": {"Wytt8081": node}})
    assert (smap.version, smap.tmap["Wytt8081"].flags) == (7, 0)
    assert smap.get_target_for_object("ais/@#/b/o").daemon_id == "Wytt8081"
    status = {
        "kind": "lru",
        "uuid": "u",
        "err": "",
        "end_time": 5,
        "aborted": False,
        "is_idle": True,
    }
    assert JobStatus.model_validate(status) == JobStatus(uuid="u", end_time=5)


@pytest.mark.parametrize("later", ["refused", "damaged"])
def test_a_listing_whose_later_page_does_not_come(later):
    msgpack = pytest.importorskip("msgspec").msgpack
    first = {"UUID": "u", "ContinuationToken": "a", "Entries": [{"n": "a"}], "Flags": 0}
    pages = [(200, msgpack.encode(first), "application/msgpack")]
    if later == "refused":
        refusal = {"status": 404, "message": 'bucket "ais://b" does not exist', "tcode": ""}
        pages.append((404, json.dumps(refusal).encode(), "application/json"))
    else:
        pages.append((200, msgpack.encode(first)[:-2], "application/msgpack"))
    left = []

    def answer(request) -> Reply:
        if request.path.endswith("/daemon"):
            return Reply(200, json.dumps(SMAP))
        status, body, kind = left.pop(0)
        return Reply(status, body, {"Content-Type": kind})

    with serving(answer) as service:
        bucket = Client(service.url).bucket("b")
        expected = ErrBckNotFound if later == "refused" else BrokenStream
        for list_all in (bucket.list_all_objects, bucket.list_arrow):
            left[:] = pages
            with pytest.raises(expected):
                list_all()


def test_pages_without_entries():
    """A page may have none, or null; the next one is asked for with its token."""
    pages = [
        {
            "UUID": "u",
            "ContinuationToken": "a",
            "Entries": [{"n": "a", "s": 1, "new": True}],
            "Flags": 0,
        },
        {"UUID": "u", "ContinuationToken": "b", "Entries": None, "Flags": 0},
        {"UUID": "u", "ContinuationToken": "", "Flags": 3},
    ]
    msgpack = pytest.importorskip("msgspec").msgpack
    asked = []

    def answer(request) -> Reply:
        if request.path.endswith("/daemon"):
            return Reply(200, json.dumps(SMAP))
        asked.append(json.loads(request.body)["value"])
        assert request.headers["accept"] == "application/msgpack"
        page = msgpack.encode(pages[len(asked) - 1])
        return Reply(200, page, {"Content-Type": "application/msgpack"})

    with serving(answer) as service:
        bucket = Client(service.url).bucket("b")
        assert [e.name for e in bucket.list_all_objects(start_after="0")] == ["a"]
        assert [one.get("start_after") for one in asked] == ["0", None, None]
        assert [one["continuation_token"] for one in asked] == ["", "a", "b"]
        asked.clear()
        assert [e.name for e in bucket.list_objects_iter()] == ["a"]
        assert len(asked) == 3
