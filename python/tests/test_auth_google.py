"""`holdall.auth.google`, against a stand-in for the service of tokens."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from loopback import Reply, an_object, serving

from holdall.auth.google import GoogleAsyncCredentialProvider, GoogleCredentialProvider
from holdall.exceptions import UnauthenticatedError
from holdall.store import GCSStore

pytest.importorskip("google.auth")


def tokens(request):
    assert b"refresh_token=refresh" in request.body
    token = {"access_token": "fresh", "expires_in": 3600, "token_type": "Bearer"}
    return Reply(200, json.dumps(token), {"Content-Type": "application/json"})


def bucket(service, provider) -> GCSStore:
    options = {"allow_http": True}
    return GCSStore(
        "bucket", base_url=service.url, client_options=options, credential_provider=provider
    )


def credentials(service):
    from google.oauth2.credentials import Credentials

    return Credentials(
        None,
        refresh_token="refresh",
        token_uri=f"{service.url}/token",
        client_id="id",
        client_secret="secret",
    )


def test_tokens_are_refreshed_and_sent():
    with serving(tokens) as auth, serving(an_object) as service:
        provider = GoogleCredentialProvider(credentials(auth))
        store = bucket(service, provider)
        assert store.get("a").bytes() == store.get("b").bytes() == b"content"
    assert {r.headers["authorization"] for r in service.requests} == {"Bearer fresh"}
    assert len(auth.requests) == 1
    assert provider.refresh_threshold == timedelta(minutes=3, seconds=45)


def test_times_are_utc():
    with serving(tokens) as auth:
        left = GoogleCredentialProvider(credentials(auth))()["expires_at"] - datetime.now(UTC)
    assert timedelta(minutes=50) < left <= timedelta(hours=1)


def test_asynchronous_credentials():
    class Credentials:
        token, expiry = None, None

        async def refresh(self, request):
            assert request == "transport"
            self.token, self.expiry = "asynchronous", datetime(2099, 1, 1)

    provider = GoogleAsyncCredentialProvider(Credentials(), request="transport")
    with serving(an_object) as service:

        async def main():
            return await (await bucket(service, provider).get_async("k")).bytes_async()

        assert asyncio.run(main()) == b"content"
    assert service.requests[0].headers["authorization"] == "Bearer asynchronous"


def test_a_refusal_says_why():
    refused = json.dumps({"error": "invalid_grant", "error_description": "revoked"})
    with serving(lambda _: Reply(400, refused)) as auth, serving(an_object) as service:
        store = bucket(service, GoogleCredentialProvider(credentials(auth)))
        with pytest.raises(UnauthenticatedError, match="invalid_grant"):
            store.get("k")


def test_default_credentials(monkeypatch, tmp_path):
    with serving(tokens) as auth:
        file = tmp_path / "credentials.json"
        facts = {"type": "authorized_user", "client_id": "i", "client_secret": "s"}
        file.write_text(json.dumps(facts | {"refresh_token": "refresh"}))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        provider = GoogleCredentialProvider()
        provider.credentials._token_uri = f"{auth.url}/token"
        assert provider()["token"] == "fresh"
