"""`holdall.auth.boto3` and `holdall.auth.earthdata`, against stand-ins for the services they ask."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from loopback import Reply, an_object, serving

from holdall.auth.boto3 import Boto3CredentialProvider, StsCredentialProvider
from holdall.auth.earthdata import (
    NasaEarthdataAsyncCredentialProvider,
    NasaEarthdataCredentialProvider,
)
from holdall.exceptions import UnauthenticatedError
from holdall.store import S3Store

boto3 = pytest.importorskip("boto3")


def bucket(service, provider) -> S3Store:
    options = {"allow_http": True}
    return S3Store(
        "bucket", endpoint=service.url, client_options=options, credential_provider=provider
    )


def signer(request) -> str:
    """Return the key that signed a request."""
    return re.search(r"Credential=([^/]+)/\d+/([^/]+)/", request.headers["authorization"])[1]


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    for name in ("TOKEN", "USERNAME", "PASSWORD", "HOST"):
        monkeypatch.delenv(f"EARTHDATA_{name}", raising=False)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def a_session(**more):
    return boto3.Session(
        aws_access_key_id="AKBOTO", aws_secret_access_key="secret", region_name="eu-west-3", **more
    )


def test_credentials_and_region_of_a_session():
    provider = Boto3CredentialProvider(a_session(aws_session_token="token"))
    with serving(an_object) as service:
        assert bucket(service, provider).get("k").bytes() == b"content"
    (request,) = service.requests
    assert signer(request) == "AKBOTO"
    assert "/eu-west-3/s3/" in request.headers["authorization"]
    assert request.headers["x-amz-security-token"] == "token"


def test_sessions_of_botocore(monkeypatch):
    import botocore.session

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    session = botocore.session.Session()
    session.set_credentials("AKCORE", "secret")
    provider = Boto3CredentialProvider(session, ttl=timedelta(hours=1))
    assert provider.config == {"region": "eu-north-1"}
    credential = provider()
    assert (credential["access_key_id"], credential["token"]) == ("AKCORE", None)
    left = credential["expires_at"] - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


def test_a_session_is_asked_again_when_its_credentials_end():
    session, asked = a_session(), []
    provider = Boto3CredentialProvider(session, ttl=timedelta(minutes=1))

    def counted():
        asked.append(1)
        return provider()

    with serving(an_object) as service:
        store = bucket(service, counted)
        store.get("k")
        store.get("k")
    # A minute is within the threshold for refreshing, which is five.
    assert len(asked) == 2


def test_a_session_without_credentials_is_refused():
    with pytest.raises(ValueError, match="no credentials"):
        Boto3CredentialProvider(boto3.Session())


GRANTED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>AKROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>role-token</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


def test_a_role_is_assumed_once(monkeypatch):
    with serving(lambda _: Reply(200, GRANTED)) as sts, serving(an_object) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        provider = StsCredentialProvider(
            a_session(), RoleArn="arn:aws:iam::123456789012:role/reader", RoleSessionName="test"
        )
        store = bucket(service, provider)
        store.get("a")
        store.get("b")
    assert [signer(request) for request in service.requests] == ["AKROLE", "AKROLE"]
    assert service.requests[0].headers["x-amz-security-token"] == "role-token"
    assert len(sts.requests) == 1
    assert b"RoleSessionName=test" in sts.requests[0].body


def test_a_refused_role_is_an_error_that_names_the_reason(monkeypatch):
    refused = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>"
    with serving(lambda _: Reply(403, refused)) as sts, serving(an_object) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        role = {"RoleArn": "arn:aws:iam::123456789012:role/x", "RoleSessionName": "test"}
        store = bucket(service, StsCredentialProvider(a_session(), **role))
        with pytest.raises(UnauthenticatedError, match="AccessDenied"):
            store.get("k")
    assert service.requests == []


# Earthdata: an archive that hands out keys to those whom a host of logins knows.

KEYS = {
    "accessKeyId": "AKNASA",
    "secretAccessKey": "s",
    "sessionToken": "nasa-token",
    "expiration": "2099-01-01 00:00:00+00:00",
}


class Earthdata:
    """The archive, and the host of logins on another name."""

    def __init__(self, archive, login):
        self.archive, self.login = archive, login
        self.credentials_url = f"{archive.url}/s3credentials"


@pytest.fixture
def earthdata():
    password = "Basic " + base64.b64encode(b"jane:pw").decode()

    def archive(request):
        if request.headers.get("authorization") == "Bearer good":
            return Reply(200, json.dumps(KEYS))
        if "code" in request.query:
            return Reply(200, json.dumps(KEYS))
        return Reply(302, headers={"Location": f"{login_service.url}/authorize"})

    def login(request):
        if request.headers.get("authorization") == password:
            back = f"{archive_service.url}/s3credentials?code=1"
            return Reply(302, headers={"Location": back})
        return Reply(200, "<html>please log in</html>")

    with serving(archive) as archive_service, serving(login, "localhost") as login_service:
        yield Earthdata(archive_service, login_service)


@pytest.fixture(params=["sync", "async"])
def ask(request):
    """Make a provider and return what it returns."""

    def sync(*args, **kwargs):
        provider = NasaEarthdataCredentialProvider(*args, **kwargs)
        try:
            return provider()
        finally:
            provider.close()

    async def asynchronous(*args, **kwargs):
        provider = NasaEarthdataAsyncCredentialProvider(*args, **kwargs)
        try:
            return await provider()
        finally:
            await provider.close()

    if request.param == "sync":
        return sync
    return lambda *args, **kwargs: asyncio.run(asynchronous(*args, **kwargs))


def test_earthdata_knows_tokens(earthdata, ask):
    credential = ask(earthdata.credentials_url, host="localhost", auth="good")
    assert credential["access_key_id"] == "AKNASA"
    assert credential["expires_at"] == datetime(2099, 1, 1, tzinfo=UTC)
    assert earthdata.login.requests == []


def test_earthdata_knows_passwords_which_go_to_the_login_only(earthdata, ask):
    credential = ask(earthdata.credentials_url, host="localhost", auth=("jane", "pw"))
    assert credential["token"] == "nasa-token"
    assert all("authorization" not in request.headers for request in earthdata.archive.requests)
    assert [r.headers.get("authorization") for r in earthdata.login.requests] != [None]


@pytest.mark.parametrize("auth", ["bad", ("jane", "wrong")])
def test_earthdata_refuses_others(earthdata, ask, auth):
    with pytest.raises(PermissionError, match="localhost did not accept") as raised:
        ask(earthdata.credentials_url, host="localhost", auth=auth)
    assert "wrong" not in str(raised.value) and "bad" not in str(raised.value)


def test_earthdata_reads_the_environment_and_netrc(earthdata, ask, monkeypatch, tmp_path):
    monkeypatch.setenv("EARTHDATA_HOST", "localhost")
    (tmp_path / "netrc").write_text("machine localhost login jane password pw\n")
    (tmp_path / "netrc").chmod(0o600)
    assert ask(earthdata.credentials_url)["access_key_id"] == "AKNASA"
    monkeypatch.setenv("EARTHDATA_USERNAME", "jane")
    monkeypatch.setenv("EARTHDATA_PASSWORD", "wrong")
    with pytest.raises(PermissionError):
        ask(earthdata.credentials_url)
    monkeypatch.setenv("EARTHDATA_TOKEN", "good")
    assert ask(earthdata.credentials_url)["access_key_id"] == "AKNASA"


def test_earthdata_gives_stores_keys_and_region(earthdata):
    url = earthdata.credentials_url
    with serving(an_object) as service:
        provider = NasaEarthdataCredentialProvider(url, auth="good")
        assert bucket(service, provider).get("k").bytes() == b"content"

        async def asynchronously():
            provider = NasaEarthdataAsyncCredentialProvider(url, auth="good")
            await bucket(service, provider).get_async("k")
            await provider.close()

        asyncio.run(asynchronously())
        provider.close()
    for request in service.requests:
        assert signer(request) == "AKNASA"
        assert "/us-west-2/s3/" in request.headers["authorization"]


def test_a_closed_provider_says_so(earthdata):
    provider = NasaEarthdataCredentialProvider(earthdata.credentials_url, auth="good")
    provider()
    provider.close()
    with pytest.raises(ValueError, match="closed"):
        provider()


def test_a_session_of_the_caller_stays_open(earthdata):
    import requests

    with requests.Session() as session:
        provider = NasaEarthdataCredentialProvider(
            earthdata.credentials_url, auth="good", session=session
        )
        provider()
        provider.close()
        assert provider()["access_key_id"] == "AKNASA"


def test_times_without_a_zone_are_utc(ask):
    with serving(
        lambda _: Reply(200, json.dumps(KEYS | {"expiration": "2099-01-01 00:00:00"}))
    ) as s:
        assert ask(s.url, auth="t")["expires_at"] == datetime(2099, 1, 1, tzinfo=UTC)
