"""Stores, results and errors that go to other processes."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from datetime import timedelta

import pytest

import holdall
from holdall.exceptions import NotFoundError
from holdall.store import AzureStore, GCSStore, HTTPStore, LocalStore, MemoryStore, S3Store

KEYS = {"access_key_id": "a", "secret_access_key": "b"}


def provider():
    """Return credentials; at the top of the module, so that it can be pickled."""
    return {**KEYS, "expires_at": None}


def stores(tmp_path):
    return [
        S3Store("bucket", prefix="a/b", region="eu-west-1", **KEYS),
        S3Store(
            "bucket",
            config={"aws_endpoint_url_s3": "http://localhost:1", "allow_http": True, **KEYS},
        ),
        S3Store(
            "bucket",
            region="eu-west-1",
            client_options={"timeout": timedelta(seconds=3), "default_headers": {"a": "b"}},
            retry_config={"max_retries": 3},
            credential_provider=provider,
        ),
        S3Store.from_url("s3://bucket/a", region="eu-west-1"),
        GCSStore("bucket", skip_signature=True),
        AzureStore("container", account_name="account", skip_signature=True),
        HTTPStore("https://example.com/data", client_options={"timeout": "3s"}),
        LocalStore(tmp_path, automatic_cleanup=True),
        LocalStore(tmp_path, mkdir=True).with_prefix("below"),
    ]


def test_round_trip(tmp_path):
    for store in stores(tmp_path):
        again = pickle.loads(pickle.dumps(store))
        assert type(again) is type(store)
        assert again == store
        assert repr(again) == repr(store)
        assert copy.deepcopy(store) == store


def test_prefix_survives():
    store = S3Store("bucket", prefix="a", region="eu-west-1", **KEYS).with_prefix("b")
    assert pickle.loads(pickle.dumps(store)).prefix == "a/b"


def test_the_environment_is_read_where_the_store_arrives(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-env")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "from-env")
    store = S3Store("bucket", region="eu-west-1")
    assert b"from-env" not in pickle.dumps(store)


def test_memory_stays_where_it_is():
    with pytest.raises(TypeError, match="MemoryStore"):
        pickle.dumps(MemoryStore())


def test_contract_of_other_packages():
    args, kwargs = S3Store("bucket", prefix="a", region="eu-west-1", **KEYS).__getnewargs_ex__()
    assert kwargs["prefix"] == "a"
    assert S3Store(*args, **kwargs).config["region"] == "eu-west-1"


def _read(store):
    return holdall.get(store, "k").bytes().to_bytes()


def test_another_process(tmp_path):
    store = LocalStore(tmp_path)
    holdall.put(store, "k", b"content")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_read, (store,)) == b"content"


def test_bytes():
    data = holdall.Bytes(b"abc")
    again = pickle.loads(pickle.dumps(data))
    assert again == data
    assert type(again) is holdall.Bytes


def test_errors():
    with pytest.raises(NotFoundError) as caught:
        holdall.head(MemoryStore(), "missing")
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is NotFoundError
    assert str(again) == str(caught.value)
    assert again.target == caught.value.target
    assert again.operation == "head"
