"""Presigned URLs."""

from __future__ import annotations

import urllib.request
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

import holdall
from holdall.exceptions import NotSupportedError
from holdall.store import AzureStore, MemoryStore, S3Store

MINUTE = timedelta(minutes=1)


@pytest.fixture
def store():
    keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "very-secret"}
    return S3Store("bucket", prefix="a b", region="eu-west-1", **keys)


def test_one(store):
    url = holdall.sign(store, "GET", "k/ü", MINUTE)
    assert isinstance(url, str)
    parts = urlsplit(url)
    assert parts.path.endswith("/a%20b/k/%C3%BC")
    assert parse_qs(parts.query)["X-Amz-Expires"] == ["60"]
    assert "very-secret" not in url


def test_several(store):
    urls = holdall.sign(store, "PUT", ["x", "y"], MINUTE)
    assert [urlsplit(url).path[-1] for url in urls] == ["x", "y"]
    assert holdall.sign(store, "PUT", [], MINUTE) == []
    assert len(store.sign("PUT", (key for key in "xyz"), MINUTE)) == 3


async def test_async(store):
    assert (await holdall.sign_async(store, "GET", "k", MINUTE)).startswith("https://")
    assert len(await store.sign_async("GET", ["a", "b"], MINUTE)) == 2


def test_azure():
    store = AzureStore("container", account_name="account", account_key="c2VjcmV0LWtleQ==")
    url = holdall.sign(store, "GET", "k", MINUTE)
    assert "sig=" in url
    assert "c2VjcmV0" not in url


@pytest.mark.parametrize("method", ["get", "FETCH", ""])
def test_methods(store, method):
    with pytest.raises(ValueError, match="method"):
        holdall.sign(store, method, "k", MINUTE)


def test_stores_that_cannot():
    with pytest.raises(NotSupportedError):
        holdall.sign(MemoryStore(), "GET", "k", MINUTE)


def test_the_service_takes_them(s3_store):
    url = holdall.sign(s3_store, "PUT", "k", MINUTE)
    request = urllib.request.Request(url, data=b"content", method="PUT")
    urllib.request.urlopen(request).close()
    with urllib.request.urlopen(holdall.sign(s3_store, "GET", "k", MINUTE)) as reply:
        assert reply.read() == b"content"
