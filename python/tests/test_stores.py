"""Opening, comparing, printing and rebuilding stores."""

from __future__ import annotations

import pickle
from datetime import timedelta

import obstore.store
import pytest

import holdall
from holdall.exceptions import BaseError, UnknownConfigurationKeyError
from holdall.store import (
    AzureStore,
    GCSStore,
    HTTPStore,
    LocalStore,
    MemoryStore,
    PrefixStore,
    S3Store,
    from_url,
)


@pytest.mark.parametrize(
    ("url", "kind", "text"),
    [
        ("s3://b/p/q", S3Store, 'S3Store(bucket="b", prefix="p/q")'),
        ("s3a://b", S3Store, 'S3Store(bucket="b")'),
        (
            "https://b.s3.dualstack.eu-west-1.amazonaws.com/p",
            S3Store,
            'S3Store(bucket="b", prefix="p")',
        ),
        ("https://acc.eu.r2.cloudflarestorage.com/b/p", S3Store, 'S3Store(bucket="b", prefix="p")'),
        ("gs://b/p", GCSStore, 'GCSStore(bucket="b", prefix="p")'),
        ("gcs://b", GCSStore, 'GCSStore(bucket="b")'),
        (
            "abfs://c@acc.dfs.core.windows.net/p",
            AzureStore,
            'AzureStore(container_name="c", prefix="p")',
        ),
        ("https://h/p", HTTPStore, 'HTTPStore("https://h/p")'),
        ("memory:///", MemoryStore, "MemoryStore"),
    ],
)
def test_urls(url, kind, text):
    store = from_url(url)
    assert type(store) is kind
    assert repr(store) == text


def test_plain_paths(tmp_path):
    for place in (tmp_path, str(tmp_path), f"file://{tmp_path}"):
        assert from_url(place).prefix == tmp_path


@pytest.mark.parametrize("url", ["ftp://h/x", "s3:///key", "relative", "az://a.b/c"])
def test_wrong_urls_are_value_errors_that_say_why(url):
    with pytest.raises(ValueError, match=r"scheme|missing|base|dot"):
        from_url(url)


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(UnknownConfigurationKeyError, match="'access_key_id'"):
        S3Store("b", acces_key_id="x")


def test_values_of_all_kinds():
    options = {"timeout": timedelta(seconds=3), "pool_max_idle_per_host": 8, "read_timeout": "5s"}
    store = S3Store("b", region="r", skip_signature=True, allow_http=True, client_options=options)
    assert store.client_options == options
    assert pickle.loads(pickle.dumps(store)) == store


def test_explicit_beats_url_beats_environment(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "of-the-environment")
    monkeypatch.setenv("AWS_BUCKET", "of-the-environment")
    url = "https://b.s3.eu-west-1.amazonaws.com/p"
    assert S3Store.from_url(url).config["region"] == "eu-west-1"
    assert S3Store.from_url(url, region="x").config["region"] == "x"
    assert repr(S3Store()) == 'S3Store(bucket="of-the-environment")'
    assert "region" not in S3Store("b").config


def test_nothing_prints_secrets():
    store = S3Store("b", access_key_id="AK", secret_access_key="hunter2", region="r")
    assert "hunter2" not in repr(store) + str(store)


@pytest.mark.parametrize(
    "store",
    [
        S3Store("b", prefix="p", endpoint_url_s3="http://h", region="r"),
        GCSStore("b", prefix="p"),
        AzureStore("c", account_name="a"),
        HTTPStore("https://h/p"),
    ],
)
def test_equality_hash_and_pickle(store):
    again = pickle.loads(pickle.dumps(store))
    assert again == store
    assert hash(again) == hash(store)
    assert again != MemoryStore()


def test_a_memory_store_says_why_it_is_not_pickled():
    with pytest.raises(TypeError, match="lives in this process"):
        pickle.dumps(MemoryStore())


def test_prefixes_share_the_store(store):
    store.put("a/b/c", b"1")
    below = store.with_prefix("a/b")
    assert below.get("c").bytes() == b"1"
    assert PrefixStore(store, "a").get("b/c").bytes() == b"1"
    assert [m["path"] for m in below.list().collect()] == ["c"]


def test_stores_of_obstore_are_taken(tmp_path):
    theirs = obstore.store.LocalStore(tmp_path)
    holdall.put(theirs, "a", b"1")
    assert theirs.get("a").bytes() == b"1"
    with pytest.raises(ValueError, match="MemoryStore of another package"):
        holdall.get(obstore.store.MemoryStore(), "a")
    with pytest.raises(ValueError, match="expected a store"):
        holdall.get(object(), "a")


def test_star_import():
    names: dict[str, object] = {}
    exec("from holdall.store import *\nfrom holdall import *", names)
    assert {"S3Store", "S3Config", "from_url", "get", "ObjectMeta"} <= names.keys()


def test_subclasses():
    class Mine(MemoryStore):
        pass

    store = Mine()
    holdall.put(store, "a", b"1")
    assert store.exists("a")


def test_errors_of_opening_are_ours():
    with pytest.raises(BaseError, match="mkdir"):
        LocalStore("/nonexistent/holdall")
    with pytest.raises(BaseError, match="Duplicate key"):
        S3Store("b", bucket_name="b")
