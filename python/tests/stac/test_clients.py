"""Clients: whose secrets go where, what is repeated, and clients written in Python."""

from __future__ import annotations

import datetime
import hashlib
import json
import warnings

import pytest

from holdall import stac
from holdall.stac import (
    Client,
    Config,
    EarthdataClient,
    HttpClient,
    PlanetaryComputerClient,
    S3Client,
)
from holdall.stac.client import Clients
from holdall.stac.messages import OpenUrl

from .helpers import Reply, make_item

pystac = pytest.importorskip("pystac", reason="pystac is not installed")


def failing(times: int, reply: Reply, then: bytes):
    """Return a handler that fails so many times, and gives the content from then on."""
    left = [times]

    def handle(request):
        if left[0] > 0:
            left[0] -= 1
            return reply
        return Reply(then)

    return handle


async def test_passing_failures_are_repeated(server):
    server.handlers["/busy"] = failing(2, Reply(b"", 429, {"Retry-After": "0"}), b"ok")
    assert await stac.read_href(f"{server.url}/busy") == b"ok"
    server.handlers["/down"] = failing(1, Reply(b"", 503), b"ok")
    assert await stac.read_href(f"{server.url}/down") == b"ok"
    server.handlers["/always"] = lambda request: Reply(b"", 503, {"Retry-After": "0"})
    with pytest.raises(stac.HttpError, match="after 3 attempts") as caught:
        await stac.read_href(f"{server.url}/always", config=Config(http_max_attempts=3))
    assert caught.value.status == 503


async def test_a_body_that_breaks_off_is_continued(server, tmp_path):
    data = bytes(range(256)) * 4000
    server.add("/x.bin", data)
    plain = server._reply
    cuts = [300_000, 700_000]

    def cut(request):
        reply = plain(request)
        if request.path == "/x.bin" and request.method == "GET" and cuts:
            reply.cut_after = cuts.pop(0) - (len(data) - len(reply.body))
        return reply

    server._reply = cut
    await stac.download_file(f"{server.url}/x.bin", tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == data
    assert "range" not in server.requests("/x.bin")[0].headers
    assert "if-range" in server.requests("/x.bin")[-1].headers


async def test_another_version_is_read_from_its_beginning(server, tmp_path):
    versions = [b"a" * 1000, b"b" * 2000]

    def handle(request):
        data = versions[0]
        headers = {"ETag": f'"{data[:1].decode()}"', "Accept-Ranges": "bytes"}
        if len(versions) > 1:
            versions.pop(0)
            return Reply(data, 200, headers, cut_after=500)
        return Reply(data, 200, headers)

    server.handlers["/x"] = handle
    await stac.download_file(f"{server.url}/x", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"b" * 2000


async def test_secrets_stay_with_their_host(server, other_server):
    other_server.add("/x", b"data")
    server.handlers["/x"] = lambda request: Reply(b"", 302, {"Location": f"{other_server.url}/x"})
    config = Config(http_headers={"Authorization": "Bearer secret", "X-Mine": "1"})
    assert await stac.read_href(f"{server.url}/x", config=config) == b"data"
    assert server.requests("/x")[0].headers["authorization"] == "Bearer secret"
    leaked = other_server.requests("/x")[0].headers
    assert "authorization" not in leaked and "x-mine" not in leaked


async def test_the_token_of_earthdata_goes_to_nobody_else(server, monkeypatch, tmp_path):
    monkeypatch.setenv("EARTHDATA_PAT", "token-of-mine")
    config = Config(http_headers={"X-Mine": "1"}, client_override="earthdata")
    server.add("/x", b"x")
    client = await EarthdataClient.from_config(config)
    assert config.http_headers == {"X-Mine": "1"}
    await client.download_href(f"{server.url}/x", tmp_path / "x")
    seen = server.requests("/x")[0].headers
    assert seen["authorization"] == "Bearer token-of-mine" and seen["x-mine"] == "1"
    plain = await HttpClient.from_config(config)
    await plain.download_href(f"{server.url}/x", tmp_path / "y")
    assert "authorization" not in server.requests("/x")[-1].headers


async def test_earthdata_redirects_without_the_token(server, other_server, monkeypatch):
    monkeypatch.setenv("EARTHDATA_PAT", "token-of-mine")
    other_server.add("/signed", b"data")
    server.handlers["/protected"] = lambda request: Reply(
        b"", 303, {"Location": f"{other_server.url}/signed?A-userid=me&Signature=1"}
    )
    client = await EarthdataClient.login()
    chunks = [chunk async for chunk in client.open_href(f"{server.url}/protected")]
    assert b"".join(chunks) == b"data"
    assert "authorization" not in other_server.requests("/signed")[0].headers
    server.handlers["/eula"] = lambda request: Reply(b'{"error": "EULA not accepted"}', 403)
    with pytest.raises(stac.HttpError, match="agreement"):
        await client.assert_href_exists(f"{server.url}/eula")
        await stac.read_href(
            f"{server.url}/eula", clients=[client], config=Config(client_override="earthdata")
        )


async def test_earthdata_needs_a_token(monkeypatch, tmp_path):
    for name in ("EARTHDATA_PAT", "EARTHDATA_TOKEN", "EARTHDATA_USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ValueError, match="EARTHDATA_PAT"):
        await EarthdataClient.from_config(Config())


def planetary_computer(server, lifetime: datetime.timedelta):
    """Stand in for the service that gives tokens, and for the blobs, which ask for one."""
    given = []

    def token(request):
        given.append(request.path)
        expiry = datetime.datetime.now(datetime.UTC) + lifetime
        signature = f"se={expiry:%Y-%m-%dT%H:%M:%SZ}&sp=rl&sig=a%2Bb%3D{len(given)}"
        body = {"msft:expiry": expiry.isoformat(), "token": signature}
        return Reply(json.dumps(body).encode(), 200, {"Content-Type": "application/json"})

    server.handlers["/token/account/container"] = token

    def unknown(request):
        return Reply(b"unknown account", 404)

    server.handlers["/token/private/container"] = unknown
    return given


@pytest.fixture
def blobs(server, monkeypatch):
    """Make the server a proxy as well, through which the blobs' hosts are reached."""
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    return server


async def signed_href(server, href: str, client: PlanetaryComputerClient) -> str:
    return await client._get_core().sign(href)


async def test_blobs_are_signed_once_per_container(server):
    given = planetary_computer(server, datetime.timedelta(hours=1))
    client = PlanetaryComputerClient(None, sas_token_endpoint=f"{server.url}/token")
    base = "https://account.blob.core.windows.net/container"
    signed = [await signed_href(server, f"{base}/{n}.tif?snapshot=1", client) for n in range(3)]
    assert len(given) == 1
    assert all("snapshot=1&" in url and "sig=a%2Bb%3D1" in url for url in signed)


async def test_tokens_that_expire_soon_are_renewed(server):
    given = planetary_computer(server, datetime.timedelta(seconds=30))
    client = PlanetaryComputerClient(None, sas_token_endpoint=f"{server.url}/token")
    for _ in range(2):
        await signed_href(server, "https://account.blob.core.windows.net/container/x", client)
    assert len(given) == 2


@pytest.mark.parametrize(
    "href",
    [
        "https://ai4edatasetspublicassets.blob.core.windows.net/assets/x.png",
        "https://account.blob.core.windows.net/container/x?st=1&se=2999-01-01T00:00:00Z&sig=1",
        "https://example.com/container/x",
        "https://private.blob.core.windows.net/container/x",
    ],
)
async def test_what_needs_no_signature_gets_none(server, href):
    given = planetary_computer(server, datetime.timedelta(hours=1))
    client = PlanetaryComputerClient(None, f"{server.url}/token")
    assert await signed_href(server, href, client) == href
    assert given == []


async def test_expired_signatures_are_renewed(server):
    planetary_computer(server, datetime.timedelta(hours=1))
    client = PlanetaryComputerClient(None, True, f"{server.url}/token")
    old = "https://account.blob.core.windows.net/container/x?se=2001-01-01T00:00:00Z&sp=r&sig=old"
    assert "sig=old" not in await signed_href(server, old, client)


async def test_busy_token_service(server):
    planetary_computer(server, datetime.timedelta(hours=1))
    give = server.handlers["/token/account/container"]
    refusals = [Reply(b"", 429, {"Retry-After": "0"})] * 2
    server.handlers["/token/account/container"] = lambda request: (
        refusals.pop() if refusals else give(request)
    )
    client = PlanetaryComputerClient(None, sas_token_endpoint=f"{server.url}/token")
    href = "https://account.blob.core.windows.net/container/x"
    assert "sig=" in await signed_href(server, href, client)


async def test_content_types(server, tmp_path):
    href = server.add("/x", b"x", "text/html")
    item = make_item("i", {"x": {"href": href, "type": "image/png"}})
    with pytest.warns(UserWarning, match="actual=text/html, expected=image/png"):
        await stac.download_item(item, tmp_path / "a")
    with pytest.raises(stac.DownloadError) as caught:
        await stac.download_item(item, tmp_path / "b", config=Config(http_assert_content_type=True))
    (error,) = caught.value.exceptions
    assert isinstance(error, stac.ContentTypeError)
    assert (error.actual, error.expected) == ("text/html", "image/png")


async def test_the_href_chooses_the_client(monkeypatch):
    monkeypatch.setenv("EARTHDATA_PAT", "x")
    clients = Clients(Config())
    for href, name in [
        ("/x", "filesystem"),
        ("s3://b/k", "s3"),
        ("https://a.blob.core.windows.net/c/k", "planetary-computer"),
        ("https://data.lpdaac.earthdatacloud.nasa.gov/x", "earthdata"),
        ("https://example.com/x", "http"),
        ("gs://b/k", "store"),
    ]:
        assert (await clients.get_client(href)).name == name
    with pytest.raises(ValueError, match="could not guess client class"):
        await clients.get_client("ftp://h/x")
    with pytest.raises(ValueError, match="no client with name"):
        await Clients(Config(client_override="nobody")).get_client("/x")


class Upper(Client):
    """A client of the caller's, of the time before `stream`."""

    name = "http"

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.closed = False

    async def open_url(self, url, content_type=None, messages=None):
        self.opened.append(str(url))
        if messages is not None:
            await messages.put(OpenUrl(url=url, size=4))
        if "bad" in str(url):
            yield b"par"
            raise OSError("broke off")
        yield b"DA"
        yield b"TA"

    async def close(self):
        self.closed = True


@pytest.mark.parametrize("form", [lambda item: item, pystac.Item.from_dict], ids=["dict", "pystac"])
async def test_clients_written_in_python(form, tmp_path):
    client = Upper()
    item = make_item("i", {"x": "http://example.com/x.tif"})
    await stac.download_item(form(item), tmp_path, clients=[client])
    assert (tmp_path / "x.tif").read_bytes() == b"DATA"
    assert client.opened == ["http://example.com/x.tif"]
    # A client belongs to whoever made it.
    assert not client.closed
    sha256 = "1220" + hashlib.sha256(b"DATA").hexdigest()
    (tmp_path / "x.tif").write_bytes(b"data")
    item["assets"]["x"]["file:checksum"] = sha256
    for _ in range(2):
        await stac.download_item(form(item), tmp_path, clients=[client])
        assert (tmp_path / "x.tif").read_bytes() == b"DATA"
    assert len(client.opened) == 2
    bad = make_item("i", {"x": "http://example.com/bad.tif"})
    with pytest.raises(stac.DownloadError, match="broke off"):
        await stac.download_item(form(bad), tmp_path / "bad", clients=[client])
    assert list((tmp_path / "bad").iterdir()) == []
    wrong = make_item("i", {"x": {"href": "http://example.com/x.tif", "file:size": 5}})
    with pytest.raises(stac.DownloadError, match="file:size"):
        await stac.download_item(form(wrong), tmp_path / "wrong", clients=[client])
    assert list((tmp_path / "wrong").iterdir()) == []
    # Nothing can be compared with what is no checksum.
    foreign = make_item("i", {"x": {"href": "http://example.com/x.tif", "file:checksum": "zz"}})
    await stac.download_item(form(foreign), tmp_path / "foreign", clients=[client])
    assert (tmp_path / "foreign/x.tif").read_bytes() == b"DATA"
    assert await stac.read_href("http://example.com/x.tif", clients=[client]) == b"DATA"
    assert await client.href_exists("http://example.com/x.tif")
    assert Upper in stac.get_client_classes()


async def test_a_client_is_done_when_its_bytes_have_no_place_to_go(tmp_path):
    ended = []

    class Text(Client):
        name = "http"

        async def open_url(self, url, content_type=None, messages=None, stream=None):
            try:
                yield "no bytes"
                yield b"more"
            finally:
                ended.append(str(url))

    client = Text()
    href = "http://example.com/x.tif"
    with pytest.raises(stac.DownloadError, match="bytes"):
        await stac.download_item(make_item("i", {"x": href}), tmp_path, clients=[client])
    assert ended == [href]
    assert list(tmp_path.iterdir()) == []
    assert await client.href_exists(href)
    with pytest.raises(TypeError):
        await stac.read_href(href, clients=[client])
    assert ended == [href] * 3


async def test_a_client_may_return_an_iterator(tmp_path):
    class Returning(Client):
        name = "http"

        async def open_url(self, url, content_type=None, messages=None, stream=None):
            async def chunks():
                yield b"DATA"

            return chunks()

    href = "http://example.com/x.tif"
    await stac.download_item(make_item("i", {"x": href}), tmp_path, clients=[Returning()])
    assert (tmp_path / "x.tif").read_bytes() == b"DATA"
    assert await stac.read_href(href, clients=[Returning()]) == b"DATA"


@pytest.mark.parametrize("form", [lambda item: item, pystac.Item.from_dict], ids=["dict", "pystac"])
async def test_clients_written_in_python_write_into_stores(form, s3_store, s3_environment):
    target = f"s3://test-bucket/{s3_store.prefix}/out"
    client = Upper()
    asset = {"href": "http://example.com/x.tif", "type": "image/tiff", "file:size": 4}
    item = make_item("i", {"x": asset})
    done = await stac.copy_item(form(item), target, clients=[client])
    assert bytes(s3_store.get("out/x.tif").bytes()) == b"DATA"
    assert s3_store.get("out/x.tif").attributes["Content-Type"] == "image/tiff"
    written = done["assets"]["x"]["href"] if isinstance(done, dict) else done.assets["x"].href
    assert written == f"{target}/x.tif"
    # What is there and complete is not asked for again.
    await stac.copy_item(form(item), target, clients=[client])
    assert len(client.opened) == 1
    # What is there and not what the document says is.
    s3_store.put("out/x.tif", b"data")
    item["assets"]["x"]["file:checksum"] = "1220" + hashlib.sha256(b"DATA").hexdigest()
    for _ in range(2):
        await stac.copy_item(form(item), target, clients=[client])
        assert bytes(s3_store.get("out/x.tif").bytes()) == b"DATA"
    assert len(client.opened) == 2
    wrong = make_item("i", {"x": asset | {"href": "http://example.com/y.tif", "file:size": 5}})
    with pytest.raises(stac.DownloadError, match="file:size"):
        await stac.copy_item(form(wrong), target, clients=[client])
    with pytest.raises(FileNotFoundError):
        s3_store.head("out/y.tif")


async def test_settings_of_the_target(s3_store, s3_environment, monkeypatch, item):
    for name in s3_environment:
        monkeypatch.delenv(name)
    names = {"AWS_ENDPOINT_URL": "endpoint", "AWS_ALLOW_HTTP": "allow_http"}
    settings = {
        names.get(name, name.removeprefix("AWS_").lower()): value
        for name, value in s3_environment.items()
    }
    config = stac.Config(target_config=settings)
    await stac.copy_item(item, f"s3://test-bucket/{s3_store.prefix}/out", config=config)
    assert bytes(s3_store.get("out/meta.txt").bytes()) == b"meta"
    assert "holdall-secret" not in repr(config)


async def test_a_login_is_shown_where_messages_go(server, capsys):
    given = {"device_code": "d", "user_code": "ABCD", "interval": 0.01}
    given["verification_uri"] = "https://h/activate"
    server.handlers["/device"] = lambda request: Reply(json.dumps(given).encode())
    token = json.dumps({"access_token": "t", "expires_in": 60}).encode()
    server.handlers["/token"] = lambda request: Reply(token)
    server.add("/x", b"x")
    config = Config(
        oauth2_grant="device_code",
        oauth2_token_url=f"{server.url}/token",
        oauth2_device_authorization_url=f"{server.url}/device",
        oauth2_client_id="me",
    )
    assert await stac.read_href(f"{server.url}/x", config=config) == b"x"
    assert "https://h/activate with the code ABCD" in capsys.readouterr().err
    assert server.requests("/x")[0].headers["authorization"] == "Bearer t"
    assert "code_verifier=" in server.requests("/token")[0].body.decode()


async def test_a_subclass_of_our_client_is_asked(server, tmp_path):
    class Signed(HttpClient):
        async def open_url(self, url, content_type=None, messages=None, stream=None):
            async for chunk in super().open_url(f"{url}?signed", content_type, messages, stream):
                yield chunk

    server.add("/x", b"x")
    await (await Signed.from_config(Config())).download_href(f"{server.url}/x", tmp_path / "x")
    assert [request.path for request in server.seen] == ["/x?signed"]


async def test_a_session_of_the_caller(server, tmp_path):
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    server.add("/x", b"x", "text/plain")
    async with aiohttp.ClientSession(headers={"X-Session": "1"}) as session:
        client = HttpClient(session, check_content_type=True)
        item = make_item("i", {"x": {"href": f"{server.url}/x", "type": "text/plain"}})
        await stac.download_item(item, tmp_path, clients=[client])
        assert server.requests("/x")[0].headers["x-session"] == "1"
        assert not session.closed
        with pytest.raises(aiohttp.ClientResponseError):
            await client.assert_href_exists(f"{server.url}/gone")
        client.assert_content_type = True
        with pytest.raises(stac.ContentTypeError):
            async for _ in client.open_href(f"{server.url}/x", content_type="image/png"):
                pass


async def test_http_failures_are_those_that_aiohttp_s_users_catch(server):
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await stac.read_href(f"{server.url}/gone")
    assert caught.value.status == 404


async def test_oauth2(server, tmp_path):
    tokens = []

    def token(request):
        tokens.append(request.body.decode())
        body = {"access_token": f"t{len(tokens)}", "token_type": "Bearer", "expires_in": 3600}
        return Reply(json.dumps(body).encode())

    server.handlers["/token"] = token
    for name in "abc":
        server.add(f"/{name}", name.encode())
    config = Config(
        oauth2_grant="client_credentials",
        oauth2_token_url=f"{server.url}/token",
        oauth2_client_id="me",
        oauth2_client_secret="s3cret",
        oauth2_extra={"scope": "read"},
    )
    item = make_item("i", {name: f"{server.url}/{name}" for name in "abc"})
    await stac.download_item(item, tmp_path, config=config)
    assert len(tokens) == 1
    assert "grant_type=client_credentials" in tokens[0] and "scope=read" in tokens[0]
    assert all(server.requests(f"/{n}")[0].headers["authorization"] == "Bearer t1" for n in "abc")
    with pytest.raises((ValueError, stac.ConfigError)):
        await HttpClient.from_config(Config(oauth2_grant="nonsense"))
    with pytest.raises(stac.ConfigError, match="oauth2_client_secret"):
        config.oauth2_client_secret = None
        await HttpClient.from_config(config)


async def test_authentication_extension(server, tmp_path):
    href = server.add("/x", b"x")
    item = make_item("i", {"x": {"href": href, "auth:refs": ["key"]}})
    item["properties"]["auth:schemes"] = {
        "key": {"type": "apiKey", "in": "query", "name": "api_key"},
    }
    config = Config(credentials={"key": "key:s3cret"})
    for name, thing in (("d", item), ("p", pystac.Item.from_dict(item))):
        await stac.download_item(thing, tmp_path / name, config=config)
        assert server.requests("/x")[-1].path == "/x?api_key=s3cret"
    item["properties"]["auth:schemes"]["key"] = {"type": "http", "scheme": "basic"}
    config.credentials = {"key": "basic:me:pw"}
    await stac.download_item(item, tmp_path / "b", config=config)
    assert server.requests("/x")[-1].headers["authorization"] == "Basic bWU6cHc="


async def test_s3_with_credentials_and_without(s3_store, monkeypatch, s3_environment, tmp_path):
    s3_store.put("x.tif", b"private", attributes={"Content-Type": "image/tiff"})
    href = f"s3://test-bucket/{s3_store.prefix}/x.tif"
    client = S3Client(endpoint_url=s3_environment["AWS_ENDPOINT_URL"])
    assert await client.has_credentials()
    assert await stac.read_href(href, clients=[client]) == b"private"
    item = make_item("i", {"x": {"href": href, "type": "image/png"}})
    config = Config(s3_endpoint_url=s3_environment["AWS_ENDPOINT_URL"])
    with pytest.raises(stac.DownloadError) as caught:
        await stac.download_item(item, tmp_path, config=config)
    assert isinstance(caught.value.exceptions[0], stac.ContentTypeError)
    item["assets"]["x"]["type"] = "image/tiff"
    await stac.download_item(item, tmp_path, config=config)
    assert (tmp_path / "x.tif").read_bytes() == b"private"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(Exception, match=r"(?i)denied|403|authenticated"):
        await stac.read_href(href, config=config)


async def test_a_gone_object_is_a_missing_file(s3_store, s3_environment):
    client = S3Client(endpoint_url=s3_environment["AWS_ENDPOINT_URL"])
    with pytest.raises(FileNotFoundError):
        await client.assert_href_exists("s3://test-bucket/none/none")
    assert not await client.href_exists("s3://test-bucket/none/none")


def test_nothing_warns_about_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert stac.blocking.asset_exists({"href": __file__})
