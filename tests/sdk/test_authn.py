"""Users, roles and tokens with the official SDK."""

import json
import os
import subprocess
from collections.abc import Iterator

import pytest
from aistore.sdk import Client
from aistore.sdk.authn import AuthNClient
from aistore.sdk.authn.access_attr import AccessAttr
from conftest import PROJECT, get, names, put, refused

pytestmark = pytest.mark.skipif(
    "HOLDALL_TEST_AIS_ENDPOINT" in os.environ,
    reason="needs a server of its own that asks for tokens",
)


@pytest.fixture(scope="module")
def asking() -> Iterator[dict]:
    """What a server that asks who is there says of itself."""
    program = os.environ.get("HOLDALL_BIN", PROJECT / "target" / "debug" / "holdall")
    listen = ["--listen", "127.0.0.1:0", "--authn-listen", "127.0.0.1:0"]
    with subprocess.Popen(
        [program, "serve", "--auth", "--json", "--log", "warn", *listen],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout
        yield json.loads(server.stdout.readline())
        server.terminate()


@pytest.fixture(scope="module")
def authn(asking: dict) -> AuthNClient:
    """A client of the administrator, who registered the cluster."""
    client = AuthNClient(asking["authn_url"])
    client.login(asking["admin"], asking["admin_password"])
    client.cluster_manager().register("here", [asking["url"]])
    return client


@pytest.fixture(scope="module")
def admin(asking: dict) -> Client:
    client = AuthNClient(asking["authn_url"])
    return Client(asking["url"], token=client.login(asking["admin"], asking["admin_password"]))


def user(
    asking: dict, authn: AuthNClient, name: str, perms: list, bucket: str | None = None
) -> Client:
    """A client of a new user with these permissions."""
    more = {"bucket_name": bucket} if bucket else {}
    authn.role_manager().create(name=name, desc=name, cluster_alias="here", perms=perms, **more)
    authn.user_manager().create(username=name, roles=[name], password="a password")
    token = AuthNClient(asking["authn_url"]).login(name, "a password")
    return Client(asking["url"], token=token)


def test_roles_say_what_users_may_do(asking: dict, authn: AuthNClient, admin: Client) -> None:
    bucket = admin.bucket("roles").create()
    put(bucket, "o", b"content")
    read = [AccessAttr.GET, AccessAttr.OBJ_HEAD, AccessAttr.BCK_HEAD, AccessAttr.OBJ_LIST]
    reader = user(asking, authn, "reader", read, "roles").bucket("roles")
    assert get(reader, "o") == b"content"
    assert names(reader) == ["o"]
    assert refused(lambda: put(reader, "o", b"other")).status_code == 403
    assert refused(lambda: reader.object("o").delete()).status_code == 403
    writer = user(asking, authn, "writer", [AccessAttr.PUT], "roles").bucket("roles")
    put(writer, "o", b"other")
    assert refused(lambda: get(writer, "o")).status_code == 403
    lister = user(asking, authn, "lister", [AccessAttr.LIST_BUCKETS])
    assert [bck.name for bck in lister.cluster().list_buckets()] == ["roles"]
    assert refused(lambda: lister.bucket("new").create()).status_code == 403
    assert get(bucket, "o") == b"other"


def test_strangers_and_former_users_are_refused(
    asking: dict, authn: AuthNClient, admin: Client
) -> None:
    admin.bucket("strangers").create()
    assert refused(Client(asking["url"]).cluster().list_buckets).status_code == 401
    assert refused(Client(asking["url"], token="a.b.c").cluster().list_buckets).status_code == 401
    former = user(asking, authn, "former", [AccessAttr.LIST_BUCKETS])
    former.cluster().list_buckets()
    authn.user_manager().delete("former")
    assert refused(former.cluster().list_buckets).status_code == 401


def test_logging_out_ends_a_token(asking: dict) -> None:
    client = AuthNClient(asking["authn_url"])
    ais = Client(asking["url"], token=client.login(asking["admin"], asking["admin_password"]))
    ais.cluster().list_buckets()
    client.logout()
    error = refused(ais.cluster().list_buckets)
    assert error.status_code == 401
    assert "revoked" in str(error)
