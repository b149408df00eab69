"""`holdall.auth.azure` and `holdall.auth.planetary_computer`, against stand-ins for the services they ask."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from loopback import Reply, an_object, serving

from holdall.auth.azure import AzureAsyncCredentialProvider, AzureCredentialProvider
from holdall.auth.planetary_computer import (
    PlanetaryComputerAsyncCredentialProvider,
    PlanetaryComputerCredentialProvider,
)
from holdall.exceptions import UnauthenticatedError
from holdall.store import AzureStore

LATER = int(datetime(2099, 1, 1, tzinfo=UTC).timestamp())


class Credential:
    """What azure-identity calls a token credential."""

    def __init__(self):
        self.asked = []

    def get_token(self, *scopes, tenant_id=None):
        self.asked.append((scopes, tenant_id))
        return SimpleNamespace(token=f"token-{len(self.asked)}", expires_on=LATER)


class AsyncCredential(Credential):
    async def get_token(self, *scopes, tenant_id=None):
        return super().get_token(*scopes, tenant_id=tenant_id)


def container(service, provider, **more) -> AzureStore:
    return AzureStore(
        endpoint=f"{service.url}/account",
        client_options={"allow_http": True},
        credential_provider=provider,
        **more,
    )


def a_container(service, provider):
    return container(service, provider, container_name="c", account_name="account")


def test_tokens_of_a_credential():
    credential = Credential()
    provider = AzureCredentialProvider(credential, tenant_id="tenant")
    with serving(an_object) as service:
        store = a_container(service, provider)
        assert store.get("a").bytes() == store.get("b").bytes() == b"content"
    assert {r.headers["authorization"] for r in service.requests} == {"Bearer token-1"}
    assert credential.asked == [(("https://storage.azure.com/.default",), "tenant")]


def test_tokens_of_an_asynchronous_credential():
    credential = AsyncCredential()
    provider = AzureAsyncCredentialProvider(credential, scopes=["a", "b"])
    with serving(an_object) as service:
        store = a_container(service, provider)

        async def main():
            await asyncio.gather(*[store.get_async(f"k{i}") for i in range(10)])

        asyncio.run(main())
        # Also where no event loop runs.
        store.get("sync")
    assert len(service.requests) == 11
    assert credential.asked == [(("a", "b"), None)]


def test_a_credential_that_fails_is_an_error_that_says_why():
    class Refused(Credential):
        def get_token(self, *scopes, tenant_id=None):
            raise RuntimeError("no such tenant")

    with serving(an_object) as service:
        store = a_container(service, AzureCredentialProvider(Refused()))
        with pytest.raises(UnauthenticatedError, match="no such tenant"):
            store.get("k")
    assert service.requests == []


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.delenv("PC_SDK_SUBSCRIPTION_KEY", raising=False)
    monkeypatch.delenv("PC_SDK_SAS_URL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def signatures(request):
    number = len(request.path)
    token = {"msft:expiry": "2099-01-01T00:00:00Z", "token": f"sv=2024&sig=s{number}%3D&se=x"}
    return Reply(200, json.dumps(token), {"Content-Type": "application/json"})


@pytest.fixture
def planetary():
    with serving(signatures) as service:
        yield service


BLOB_URL = "https://daymeteuwest.blob.core.windows.net/daymet-zarr/daily/hi.zarr/"


def test_signatures_are_asked_for_and_sent(planetary):
    provider = PlanetaryComputerCredentialProvider(
        BLOB_URL, sas_url=f"{planetary.url}/token/", subscription_key="key"
    )
    with serving(an_object) as service:
        store = container(service, provider)
        assert store.prefix == "daily/hi.zarr"
        assert store.get("zarr.json").bytes() == b"content"
    (asked,) = planetary.requests
    assert asked.path == "/token/daymeteuwest/daymet-zarr"
    assert asked.headers["ocp-apim-subscription-key"] == "key"
    (request,) = service.requests
    assert request.path.endswith("/daymet-zarr/daily/hi.zarr/zarr.json")
    assert request.query["sv"] == ["2024"] and request.query["sig"][0].endswith("=")
    assert "key" not in repr(provider)


def test_signatures_asked_for_asynchronously(planetary):
    provider = PlanetaryComputerAsyncCredentialProvider(
        account_name="a", container_name="c", sas_url=planetary.url
    )
    with serving(an_object) as service:

        async def main():
            return await (await container(service, provider).get_async("k")).bytes_async()

        # Each run has an event loop of its own.
        assert asyncio.run(main()) == b"content"
        assert asyncio.run(main()) == b"content"
    assert {request.path for request in planetary.requests} == {"/a/c"}


def test_a_service_of_signatures_that_refuses(planetary):
    with serving(lambda _: Reply(404, "no such container")) as refusing, serving(an_object) as s:
        provider = PlanetaryComputerCredentialProvider(
            account_name="a", container_name="c", sas_url=refusing.url
        )
        with pytest.raises(UnauthenticatedError, match="404"):
            container(s, provider).get("k")


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"url": BLOB_URL}, ("daymeteuwest", "daymet-zarr", "daily/hi.zarr")),
        ({"url": "https://a.blob.core.windows.net/c"}, ("a", "c", None)),
        ({"url": "abfs://c/some/where", "account_name": "a"}, ("a", "c", "some/where")),
        ({"account_name": "a", "container_name": "c"}, ("a", "c", None)),
    ],
)
def test_places(arguments, place):
    provider = PlanetaryComputerCredentialProvider(**arguments)
    config = provider.config
    assert (config["account_name"], config["container_name"], provider.prefix) == place


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"account_name": "a"},
        {"url": BLOB_URL, "container_name": "c"},
        {"url": BLOB_URL, "account_name": "a"},
        {"url": "abfs://c/x"},
        {"url": "https://example.com/c"},
        {"url": "https://a.blob.core.windows.net/"},
    ],
)
def test_places_that_are_none(arguments):
    with pytest.raises(ValueError):
        PlanetaryComputerCredentialProvider(**arguments)


def test_assets():
    asset = {
        "href": "abfs://c/some/where",
        "xarray:storage_options": {"account_name": "a"},
    }
    provider = PlanetaryComputerCredentialProvider.from_asset(asset)
    assert provider.config == {"account_name": "a", "container_name": "c"}
    like_pystac = SimpleNamespace(
        href=asset["href"], extra_fields={"table:storage_options": {"account_name": "b"}}
    )
    provider = PlanetaryComputerAsyncCredentialProvider.from_asset(like_pystac)
    assert provider.config == {"account_name": "b", "container_name": "c"}


def test_settings_of_the_environment(planetary, monkeypatch):
    monkeypatch.setenv("PC_SDK_SAS_URL", planetary.url)
    monkeypatch.setenv("PC_SDK_SUBSCRIPTION_KEY", "of the environment")
    PlanetaryComputerCredentialProvider(account_name="a", container_name="c")()
    assert planetary.requests[0].headers["ocp-apim-subscription-key"] == "of the environment"
