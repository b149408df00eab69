"""Backends of the AIS server in this process: how they are named, and another cluster behind this one."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from holdall import aistore
from holdall.aistore.namespace import Namespace


@pytest.mark.parametrize(
    ("backends", "says"),
    [
        ({"aws": {"no_such": "http://h:1"}}, "backend aws: .*no_such"),
        ({"aws": {"endpoint": "http://h:1"}, "ht": {"no_such": "x"}}, "backend ht: .*no_such"),
        ({"nowhere": {}}, 'unknown backend "nowhere"'),
        ({"oci": {}}, "S3 endpoint"),
        ({"ais": {"alias": "west"}}, "needs a name and a URL"),
        (["aws,no_such=http://h:1"], "backend aws: .*no_such"),
        (["aws,endpoint"], "no KEY=VALUE"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(backends: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        aistore.serve(backends=backends)


@pytest.mark.parametrize(
    ("backends", "says"),
    [
        ("aws", r"write \['aws'\]"),
        ([{"aws": {}}], "settings are a mapping by name"),
        ({"aws": "endpoint=http://h:1"}, "the settings of 'aws' must be a mapping"),
        ({"aws": None}, "the settings of 'aws' must be a mapping"),
        ({"aws": ["endpoint"]}, "the settings of 'aws' must be a mapping"),
        ({"aws": {"secret_access_key": b"hush"}}, "'secret_access_key' of 'aws' must be a text"),
    ],
)
def test_other_kinds_are_refused(backends: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says) as caught:
        aistore.serve(backends=backends)
    assert "hush" not in str(caught.value)


def test_values_keep_what_separates_others_in_texts() -> None:
    # In a text, a comma would end the value.
    settings: dict[str, str | bool] = {
        "access_key_id": "a",
        "secret_access_key": "a,b=c",
        "skip_signature": True,
    }
    with aistore.serve(backends={"aws": settings, "gcp": {}}) as server:
        assert aistore.Client(server.url).cluster().is_ready()


def test_a_port_that_is_taken_is_told_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: ") as caught:
            aistore.serve(listen=f"127.0.0.1:{port}")
    assert str(caught.value).count("in use") == 1


@pytest.fixture
def far() -> Iterator[aistore.Server]:
    with aistore.serve() as server:
        bucket = aistore.Client(server.url).bucket("b").create()
        for name in ("a/1", "a/2", "z"):
            bucket.object(name).get_writer().put_content(b"there " + name.encode())
        yield server


def west(near: aistore.Server) -> aistore.Bucket:
    return aistore.Client(near.url).bucket("b", namespace=Namespace(uuid="west"))


def test_another_cluster_behind_this_one(far: aistore.Server) -> None:
    theirs = aistore.Client(far.url).bucket("b")
    clusters = {"ais": [{"alias": "west", "endpoint": far.url}]}
    with aistore.serve(backends=clusters) as near:
        bucket = west(near)
        listed = bucket.list_all_objects(props="name,size,cached")
        assert [(entry.name, entry.size) for entry in listed] == [("a/1", 9), ("a/2", 9), ("z", 7)]
        assert not any(entry.is_cached() for entry in listed)

        # Read: from there, and then from here.
        assert bucket.object("a/1").get_reader().read_all() == b"there a/1"
        assert [entry.name for entry in bucket.list_all_objects() if entry.is_cached()] == ["a/1"]
        # Written: there first.
        bucket.object("new").get_writer().put_content(b"from here")
        assert theirs.object("new").get_reader().read_all() == b"from here"
        # Changed there: the latest is read when it is asked for.
        theirs.object("a/1").get_writer().put_content(b"changed there")
        assert bucket.object("a/1").get_reader().read_all() == b"there a/1"
        assert bucket.object("a/1").get_reader(latest=True).read_all() == b"changed there"
        # Deleted: there, too.
        bucket.object("new").delete()
        assert [entry.name for entry in theirs.list_all_objects()] == ["a/1", "a/2", "z"]
        # Missing: told as such.
        with pytest.raises(aistore.errors.ErrObjNotFound):
            bucket.object("none").get_reader().read_all()

        # The pages show it as well.
        query = "bucket=b&provider=ais&namespace=@west&prefix="
        with urllib.request.urlopen(f"{near.url}/ui/api/objects?{query}") as reply:
            names = [item["name"] for item in json.load(reply)["items"]]
        assert names == ["a/", "z"]

        far.close()
        assert bucket.object("a/1").get_reader().read_all() == b"changed there"
        with pytest.raises(aistore.errors.AISError):
            bucket.object("a/2").get_reader().read_all()


def test_a_cluster_is_attached_and_detached(far: aistore.Server) -> None:
    def cluster(method: str, query: str) -> bytes:
        request = urllib.request.Request(f"{near.url}/v1/cluster{query}", method=method)
        with urllib.request.urlopen(request) as reply:
            return reply.read()

    with aistore.serve(backends={"aws": {"region": "us-east-1"}}) as near:
        cluster("PUT", f"/attach?what=remote&west={far.url}")
        known = json.loads(cluster("GET", "?what=remote"))["a"]
        assert [(one["alias"], one["url"]) for one in known] == [("west", far.url)]
        assert west(near).object("z").get_reader().read_all() == b"there z"
        # By its id, it is the same bucket.
        by_id = Namespace(uuid=known[0]["uuid"])
        same = aistore.Client(near.url).bucket("b", namespace=by_id)
        assert [entry.name for entry in same.list_all_objects() if entry.is_cached()] == ["z"]
        cluster("PUT", "/detach?what=remote&west=")
        with pytest.raises(aistore.errors.AISError):
            west(near).object("a/1").get_reader().read_all()
