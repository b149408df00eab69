"""Settings of stores, of their clients, and credentials from Python."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from conftest import s3_settings

import holdall
from holdall.exceptions import BaseError, UnauthenticatedError, UnknownConfigurationKeyError
from holdall.store import AzureStore, GCSStore, HTTPStore, S3Store

S3 = {"access_key_id": "a", "secret_access_key": "b", "region": "us-east-1"}


@pytest.mark.parametrize("spelling", ["region", "REGION", "aws_region", "AWS_REGION", "Region"])
def test_spellings(spelling):
    settings = {key: value for key, value in S3.items() if key != "region"}
    store = S3Store("bucket", config={**settings, spelling: "eu-west-3"})
    assert store.config["region"] == "eu-west-3"
    store = S3Store("bucket", **settings, **{spelling: "eu-west-3"})
    assert store.config["region"] == "eu-west-3"


@pytest.mark.parametrize(
    ("config", "kwargs"),
    [
        ({"region": "a", "aws_region": "b"}, {}),
        ({"region": "a"}, {"region": "b"}),
        ({"region": "a"}, {"AWS_REGION": "b"}),
        ({"bucket": "other"}, {}),
    ],
)
def test_the_same_key_twice(config, kwargs):
    with pytest.raises(BaseError, match="Duplicate key"):
        S3Store("bucket", config=config, **kwargs)


@pytest.mark.parametrize(
    ("store", "key", "near"),
    [
        (S3Store, "acces_key_id", "access_key_id"),
        (GCSStore, "service_accounts", "service_account"),
        (AzureStore, "account_names", "account_name"),
    ],
)
def test_unknown_keys(store, key, near):
    with pytest.raises(UnknownConfigurationKeyError, match=near):
        store("name", config={key: "x"})
    with pytest.raises(UnknownConfigurationKeyError, match=near):
        store("name", **{key: "x"})


def test_kinds_of_values():
    store = S3Store(
        "bucket",
        config={**S3, "skip_signature": True, "virtual_hosted_style_request": "false"},
        client_options={
            "pool_max_idle_per_host": 8,
            "timeout": timedelta(seconds=12.5),
            "connect_timeout": "3 seconds",
            "default_headers": {"x-test": "1", "x-bytes": b"2"},
            "user_agent": "test",
            "allow_http": True,
        },
        retry_config={
            "max_retries": 2,
            "retry_timeout": timedelta(seconds=30),
            "backoff": {"init_backoff": "100ms", "max_backoff": timedelta(seconds=1), "base": 2},
        },
    )
    assert store.config["skip_signature"] is True
    assert store.client_options["pool_max_idle_per_host"] == 8
    assert store.retry_config["max_retries"] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"client_options": {"timeouts": "1s"}},
        {"client_options": {"timeout": "soon"}},
        {"client_options": {"allow_http": "perhaps"}},
        {"retry_config": {"retries": 1}},
        {"retry_config": {"backoff": {"initial": "1s"}}},
        {"client_options": {"proxy_url": "::"}},
    ],
)
def test_bad_options(arguments):
    with pytest.raises(BaseError):
        HTTPStore("https://example.com", **arguments)


def test_values_of_a_wrong_type():
    with pytest.raises(TypeError, match="region"):
        S3Store("bucket", region=["us-east-1"])


def test_the_environment_is_used_and_beaten(monkeypatch):
    monkeypatch.setenv("AWS_BUCKET", "from-env")
    monkeypatch.setenv("AWS_REGION", "eu-south-1")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    store = S3Store()
    assert repr(store) == 'S3Store(bucket="from-env")'
    # What the environment says stays there.
    assert "bucket" not in store.config
    assert repr(S3Store("given")) == 'S3Store(bucket="given")'
    assert repr(AzureStore("container")).startswith("AzureStore(container_name=")


def test_a_bucket_is_needed(monkeypatch):
    monkeypatch.delenv("AWS_BUCKET", raising=False)
    with pytest.raises(BaseError, match="bucket"):
        S3Store(**S3)


def in_an_hour():
    return datetime.now(UTC) + timedelta(hours=1)


def credential(**more):
    settings = {"access_key_id": "holdall", "secret_access_key": "holdall-secret"}
    return {**settings, "expires_at": in_an_hour(), **more}


def signed(provider):
    """Use a provider without any server: make a presigned URL."""
    store = S3Store("bucket", region="us-east-1", credential_provider=provider)
    return holdall.sign(store, "GET", "k", timedelta(minutes=1))


def test_provider_is_called_when_needed_and_once():
    calls = []

    def provider():
        calls.append(1)
        return credential(access_key_id="FROMPROVIDER")

    store = S3Store("bucket", region="us-east-1", credential_provider=provider)
    assert not calls
    for _ in range(3):
        assert "FROMPROVIDER" in holdall.sign(store, "GET", "k", timedelta(minutes=1))
    assert len(calls) == 1
    assert store.credential_provider is provider


def test_credentials_without_an_end():
    calls = []

    def provider():
        calls.append(1)
        return credential(expires_at=None)

    store = S3Store("bucket", region="us-east-1", credential_provider=provider)
    for _ in range(2):
        holdall.sign(store, "GET", "k", timedelta(minutes=1))
    assert len(calls) == 1


def test_credentials_about_to_expire_are_renewed():
    class Provider:
        refresh_threshold = timedelta(hours=2)

        def __init__(self):
            self.calls = 0

        def __call__(self):
            self.calls += 1
            return credential()

    provider = Provider()
    store = S3Store("bucket", region="us-east-1", credential_provider=provider)
    for _ in range(3):
        holdall.sign(store, "GET", "k", timedelta(minutes=1))
    assert provider.calls == 3


def test_one_call_for_many_threads():
    calls, barrier = [], threading.Barrier(8)

    def provider():
        calls.append(1)
        return credential()

    store = S3Store("bucket", region="us-east-1", credential_provider=provider)

    def work():
        barrier.wait()
        holdall.sign(store, "GET", "k", timedelta(minutes=1))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_asynchronous_provider_from_a_synchronous_call():
    async def provider():
        return credential(access_key_id="ASYNCPROVIDER")

    assert "ASYNCPROVIDER" in signed(provider)


async def test_asynchronous_provider():
    async def provider():
        return credential(access_key_id="ASYNCPROVIDER")

    store = S3Store("bucket", region="us-east-1", credential_provider=provider)
    assert "ASYNCPROVIDER" in await holdall.sign_async(store, "GET", "k", timedelta(minutes=1))


def failing():
    raise RuntimeError("the vault is closed")


@pytest.mark.parametrize(
    ("provider", "text"),
    [
        (failing, "the vault is closed"),
        (lambda: {"access_key_id": "a", "secret_access_key": "b"}, "expires_at"),
        (lambda: {"access_key_id": "a", "expires_at": None}, "secret_access_key"),
        (lambda: None, "dict"),
    ],
)
def test_providers_that_fail(provider, text):
    with pytest.raises(UnauthenticatedError, match=text):
        signed(provider)


def test_a_provider_is_callable():
    with pytest.raises(TypeError, match="callable"):
        S3Store("bucket", credential_provider={"access_key_id": "a"})


def test_settings_of_a_provider_fill_gaps():
    class Provider:
        config: ClassVar = {"region": "ap-south-1", "bucket": "ignored"}

        def __call__(self):
            return credential()

    store = S3Store("bucket", credential_provider=Provider())
    assert store.config["region"] == "ap-south-1"
    assert store.config["bucket"] == "bucket"
    store = S3Store("bucket", region="eu-west-1", credential_provider=Provider())
    assert store.config["region"] == "eu-west-1"


def test_provider_against_a_server():
    settings = s3_settings()
    store = S3Store(
        "test-bucket",
        prefix="provider",
        endpoint=settings["endpoint"],
        region=settings["region"],
        client_options={"allow_http": True},
        credential_provider=credential,
    )
    holdall.put(store, "k", b"x")
    assert holdall.get(store, "k").bytes() == b"x"
    holdall.delete(store, "k")


def test_wrong_secret_against_a_server():
    settings = {**s3_settings(), "secret_access_key": "wrong"}
    store = S3Store("test-bucket", config=settings, client_options={"allow_http": True})
    with pytest.raises(holdall.exceptions.PermissionDeniedError) as caught:
        holdall.get(store, "k")
    assert caught.value.status == 403
    assert "wrong" not in str(caught.value)
