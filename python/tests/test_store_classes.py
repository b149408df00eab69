"""Store classes, their URLs, prefixes and representations."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

import holdall
import holdall.store
from holdall.exceptions import (
    BaseError,
    ConfigError,
    GenericError,
    InvalidUrlError,
    UnknownConfigurationKeyError,
)
from holdall.store import (
    AzureStore,
    GCSStore,
    HTTPStore,
    LocalStore,
    MemoryStore,
    ObjectStoreMethods,
    S3Store,
    from_url,
)

KEYS = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "very-secret", "region": "eu-north-1"}
AZURE = {"account_name": "account", "account_key": "c2VjcmV0LWtleQ=="}


def make_all(tmp_path):
    return [
        S3Store("bucket", **KEYS),
        GCSStore("bucket", skip_signature=True),
        AzureStore("container", config=AZURE),
        HTTPStore("https://example.com/data"),
        LocalStore(tmp_path),
        MemoryStore(),
    ]


def test_common_base(tmp_path):
    for store in make_all(tmp_path):
        assert isinstance(store, ObjectStoreMethods)
        assert isinstance(store, holdall.store.ObjectStore)
        assert type(store).__module__ == "holdall.store"


@pytest.mark.parametrize(
    ("url", "kind", "text"),
    [
        ("s3://bucket/a/b", S3Store, 'S3Store(bucket="bucket", prefix="a/b")'),
        ("s3a://bucket", S3Store, 'S3Store(bucket="bucket")'),
        ("gs://bucket/a", GCSStore, 'GCSStore(bucket="bucket", prefix="a")'),
        ("gcs://bucket/a", GCSStore, 'GCSStore(bucket="bucket", prefix="a")'),
        ("https://example.com/a", HTTPStore, 'HTTPStore("https://example.com/a")'),
        ("memory:///", MemoryStore, "MemoryStore"),
        ("https://bucket.s3.eu-north-1.amazonaws.com/a", S3Store, None),
        ("https://account.blob.core.windows.net/container/a", AzureStore, None),
    ],
)
def test_from_url(url, kind, text):
    store = from_url(url)
    assert type(store) is kind
    if text is not None:
        assert repr(store) == text


def test_from_url_of_folders(tmp_path):
    (tmp_path / "a b").mkdir()
    for url in [f"file://{tmp_path}/a%20b", str(tmp_path / "a b"), tmp_path / "a b"]:
        store = from_url(url)
        assert type(store) is LocalStore
        assert store.prefix == tmp_path / "a b"


def test_settings_of_a_url():
    store = S3Store.from_url("s3://bucket/a/b", region="eu-west-1")
    assert store.prefix == "a/b"
    assert store.config["bucket"] == "bucket"
    assert store.config["region"] == "eu-west-1"


@pytest.mark.parametrize("url", ["ftp://host/x", "s3:bucket", "://", "s3://"])
def test_urls_that_are_none(url):
    with pytest.raises(BaseError) as caught:
        from_url(url)
    assert isinstance(caught.value, ValueError)


def test_url_of_another_kind_of_store():
    with pytest.raises(InvalidUrlError):
        S3Store.from_url("gs://bucket")


@pytest.mark.parametrize("url", ["memory:///", "file:///tmp", "https://example.com"])
def test_stores_without_settings_refuse_them(url):
    with pytest.raises(UnknownConfigurationKeyError, match="region"):
        from_url(url, region="x")
    with pytest.raises(UnknownConfigurationKeyError):
        from_url(url, config={"bucket": "x"})


def test_parse_scheme():
    found = {
        url: holdall.parse_scheme(url)
        for url in [
            "s3://b",
            "gcs://b",
            "gs://b",
            "az://c",
            "https://example.com",
            "file:///x",
            "memory:///",
        ]
    }
    assert list(found.values()) == ["s3", "gcs", "gcs", "azure", "http", "local", "memory"]


def test_secrets_are_not_shown(tmp_path):
    stores = [
        S3Store("bucket", **KEYS, session_token="very-secret"),
        AzureStore("container", config=AZURE),
        HTTPStore("https://user:very-secret@example.com/data?token=very-secret"),
    ]
    for store in stores:
        assert "secret" not in repr(store)
        assert "c2VjcmV0" not in repr(store)
    # What was given can be read back.
    assert stores[0].config["secret_access_key"] == "very-secret"


def test_equality(tmp_path):
    for one, two in zip(make_all(tmp_path), make_all(tmp_path), strict=True):
        assert one == one
        assert hash(one) == hash(one)
        if isinstance(one, MemoryStore):
            assert one != two
        else:
            assert one == two
            assert hash(one) == hash(two)
    assert S3Store("bucket", **KEYS) != S3Store("bucket", prefix="x", **KEYS)
    assert S3Store("bucket", **KEYS) != S3Store("bucket", **{**KEYS, "region": "x"})
    assert S3Store("bucket", **KEYS) == S3Store(config={"aws_bucket": "bucket", **KEYS})
    assert S3Store("bucket", **KEYS) != "S3Store"


def test_prefixes(tmp_path):
    for store in make_all(tmp_path):
        if isinstance(store, HTTPStore):
            continue
        below = store.with_prefix("a").with_prefix("b/c")
        assert isinstance(below, type(store))
        assert below != store
    store = MemoryStore()
    below = holdall.store.PrefixStore(store, "a/b")
    holdall.put(below, "k", b"x")
    assert holdall.get(store, "a/b/k").bytes() == b"x"
    assert S3Store("bucket", prefix="a", **KEYS).with_prefix("b").prefix == "a/b"
    assert S3Store("bucket", **KEYS).prefix is None


def test_subclasses(tmp_path):
    class Mine(LocalStore):
        """A subclass with an attribute of its own."""

        colour = "blue"

    store = Mine(tmp_path)
    holdall.put(store, "k", b"x")
    assert store.get("k").bytes() == b"x"
    assert isinstance(store, LocalStore)
    assert repr(store).startswith("Mine(")
    assert store == copy.copy(store)


def test_local_folder_must_exist(tmp_path):
    with pytest.raises(GenericError) as caught:
        LocalStore(tmp_path / "missing")
    assert isinstance(caught.value, FileNotFoundError)
    store = LocalStore(tmp_path / "missing" / "deep", mkdir=True)
    assert store.prefix == tmp_path / "missing" / "deep"
    assert isinstance(store.prefix, Path)


def test_local_store_of_everything(tmp_path):
    store = LocalStore()
    assert store.prefix is None
    (tmp_path / "k").write_bytes(b"x")
    assert holdall.get(store, str(tmp_path / "k")).bytes() == b"x"


def test_local_cleans_up(tmp_path):
    store = LocalStore(tmp_path, automatic_cleanup=True)
    holdall.put(store, "a/b/k", b"x")
    holdall.delete(store, "a/b/k")
    assert not (tmp_path / "a").exists()
    assert tmp_path.exists()


def test_http_properties():
    store = HTTPStore.from_url("https://example.com/data", client_options={"timeout": "10s"})
    assert store.url.rstrip("/") == "https://example.com/data"
    assert store.client_options == {"timeout": "10s"}
    assert store.retry_config is None


def test_http_refuses_other_schemes():
    with pytest.raises((InvalidUrlError, ConfigError)):
        HTTPStore("ftp://example.com")


def test_star_import():
    names: dict[str, object] = {}
    exec("from holdall.store import *", names)
    assert names["S3Store"] is S3Store
    exec("from holdall import *", names)
    assert names["get"] is holdall.get


@pytest.mark.parametrize("module", [holdall, holdall.store, holdall.exceptions])
def test_every_public_name_exists(module):
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_functions_take_stores_only():
    with pytest.raises((ValueError, TypeError), match="store"):
        holdall.get("s3://bucket", "k")
