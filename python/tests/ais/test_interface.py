"""Names of earlier generations of the official SDK, and names that it has none of.

That every name of each generation is here, ``tests/sdk/test_interface.py`` shows.
"""

from __future__ import annotations

import importlib
import inspect
import warnings

import pytest


def test_earlier_names_warn(bucket):
    """The names of 1.10 and 1.25 work, and say what took their place."""
    from holdall.aistore.list_object_flag import ListObjectFlag

    made = bucket.object("a")
    old = [
        (lambda: made.put_content(b"abc"), "get_writer"),
        (lambda: made.get().read_all(), "get_reader"),
        (lambda: made.set_custom_props({"k": "v"}), "get_writer"),
        (lambda: made.append_content(b"d"), "get_writer"),
        (lambda: b"".join(made.get_reader().iter_from_position(1)), "byte_range"),
        (lambda: made.head()["ais-version"], "obj_version"),
        (lambda: made.head_v2("checksum").checksum_type, "Object.head"),
        (lambda: ListObjectFlag.ALL, "MISSING"),
    ]
    results = []
    for call, successor in old:
        with pytest.warns(DeprecationWarning, match=successor):
            results.append(call())
    assert results[1] == b"abc"
    assert results[4] == b"bc"
    assert results[5] == "1"
    assert results[7] is ListObjectFlag.MISSING


def test_earlier_arguments(endpoint):
    from holdall.aistore import Client
    from holdall.aistore.retry_config import HTTPRetry

    with pytest.warns(DeprecationWarning, match="retry_config"):
        client = Client(endpoint, retry=HTTPRetry(total=1))
    assert client.retry_config.http_retry.total == 1
    with pytest.warns(DeprecationWarning, match="get_object_from_url"):
        assert client.fetch_object_by_url("ais://b/d/o").name == "d/o"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert client.get_object_from_url("ais://b/o").bucket_name == "b"


def test_earlier_messages_warn():
    from holdall.aistore import types

    with pytest.warns(DeprecationWarning, match="NodeStats"):
        capacity = types.NodeCapacity
    read = capacity.model_validate(
        {
            "MountPaths": {"/m": {"fs": "ext4", "disks": ["sda"], "mountpath_label": "l"}},
            "pct_max": 7,
        }
    )
    assert (read.mountpaths["/m"].disks, read.pct_max) == (["sda"], 7.0)
    with pytest.warns(DeprecationWarning, match="ETLSpecMsg"):
        spec = types.InitSpecETLArgs
    given = {"etl_name": "e", "communication_type": "hpush", "timeout": "5m", "spec": "c3BlYw=="}
    earlier = spec(**given)
    later = spec(name="e", comm_type="hpush", init_timeout="5m", spec="c3BlYw==")
    assert earlier == later
    assert earlier.as_dict()["communication"] == "hpush://"
    assert (earlier.etl_name, earlier.timeout) == ("e", "5m")
    with pytest.raises(AttributeError, match="NoSuchMessage"):
        types.NoSuchMessage  # noqa: B018


def test_earlier_ways_to_read_refusals():
    from holdall.aistore import errors, utils
    from holdall.aistore.authn import errors as of_authn
    from holdall.aistore.authn.utils import raise_authn_error

    gone = '{"status": 404, "message": "bucket \\"ais://b\\" does not exist", "method": "HEAD"}'
    with pytest.warns(DeprecationWarning), pytest.raises(errors.ErrBckNotFound) as caught:
        utils.raise_ais_error(gone)
    assert caught.value.status_code == 404
    with pytest.warns(DeprecationWarning), pytest.raises(of_authn.ErrUserNotFound):
        raise_authn_error('{"status": 404, "message": "user u does not exist"}')
    with pytest.warns(DeprecationWarning), pytest.raises(errors.AISError, match="no JSON"):
        utils.raise_ais_error("no JSON")


def test_twins():
    """Whatever asks the server can be awaited."""
    for name in (
        "cluster.Cluster",
        "bucket.Bucket",
        "job.Job",
        "obj.object.Object",
        "multiobj.object_group.ObjectGroup",
    ):
        module, _, class_name = name.rpartition(".")
        cls = getattr(importlib.import_module(f"holdall.aistore.{module}"), class_name)
        twins = [n for n, f in vars(cls).items() if hasattr(f, "steps")]
        assert twins
        for twin in twins:
            assert inspect.iscoroutinefunction(getattr(cls, f"{twin}_async"))
