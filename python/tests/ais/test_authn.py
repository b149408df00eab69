"""AuthN: users, roles and clusters, and the tokens that open a cluster."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from holdall import aistore
from holdall.aistore import AuthNClient, Client
from holdall.aistore.authn import AccessAttr
from holdall.aistore.authn.errors import (
    AuthNError,
    ErrClusterAlreadyRegistered,
    ErrClusterNotFound,
    ErrRoleAlreadyExists,
    ErrRoleNotFound,
    ErrUserAlreadyExists,
    ErrUserInvalidCredentials,
    ErrUserNotFound,
)
from holdall.aistore.authn.types import LoginMsg, RoleInfo, UserInfo
from holdall.aistore.errors import AISError

PASSWORD = "a-long-password"


@pytest.fixture(scope="module")
def server() -> Iterator[aistore.Server]:
    with aistore.serve(auth=aistore.Auth(password=PASSWORD)) as made:
        yield made


@pytest.fixture
def authn(server: aistore.Server) -> AuthNClient:
    client = AuthNClient(server.authn_url or server.url)
    client.login("admin", PASSWORD)
    return client


@pytest.fixture
def alias(server: aistore.Server, authn: AuthNClient) -> Iterator[str]:
    """The cluster, known under a name."""
    name = f"cluster-{uuid.uuid4().hex[:6]}"
    clusters = authn.cluster_manager()
    for known in clusters.list().clusters:
        clusters.delete(cluster_id=known)
    clusters.register(name, [server.url])
    yield name
    for known in clusters.list().clusters:
        clusters.delete(cluster_id=known)


def new() -> str:
    return f"name-{uuid.uuid4().hex[:8]}"


def test_passwords_and_tokens(server: aistore.Server, authn: AuthNClient) -> None:
    stranger = AuthNClient(server.authn_url or server.url)
    with pytest.raises(ErrUserInvalidCredentials):
        stranger.login("admin", "wrong-password")
    with pytest.raises(ValueError, match="Password"):
        stranger.login("admin", "  ")
    with pytest.raises(ValueError, match="logged in"):
        stranger.logout()
    token = authn.login("admin", PASSWORD, expires_in=3600)
    assert authn.client.token == token
    cluster = Client(server.url, token=token)
    cluster.cluster().list_buckets()
    authn.logout()
    assert not authn.client.token
    with pytest.raises(AISError) as refused:
        cluster.cluster().list_buckets()
    assert refused.value.status_code == 401


async def test_calls_can_be_awaited(server: aistore.Server) -> None:
    client = AuthNClient(server.authn_url or server.url)
    await client.login_async("admin", PASSWORD)
    assert "admin" in list(await client.user_manager().list_async())
    await client.logout_async()


def test_clusters(server: aistore.Server, authn: AuthNClient, alias: str) -> None:
    clusters = authn.cluster_manager()
    known = clusters.get(cluster_alias=alias)
    assert known.urls == [server.url] and clusters.get(known.id) == known
    with pytest.raises(ErrClusterAlreadyRegistered):
        clusters.register(new(), [server.url])
    other = new()
    assert clusters.update(known.id, cluster_alias=other).alias == other
    clusters.delete(cluster_alias=other)
    with pytest.raises(ErrClusterNotFound):
        clusters.get(known.id)
    for call, text in [
        (lambda: clusters.get(), "At least one"),
        (lambda: clusters.delete(), "At least one"),
        (lambda: clusters.register("x", []), "URL"),
        (lambda: clusters.register("x", ["http://127.0.0.1:1"]), "Failed to retrieve UUID"),
        (lambda: clusters.update("", "x"), "ID"),
        (lambda: clusters.update(known.id), "At least one"),
    ]:
        with pytest.raises(ValueError, match=text):
            call()


def test_roles(authn: AuthNClient, alias: str) -> None:
    roles, name = authn.role_manager(), new()
    made = roles.create(name, "reads", alias, [AccessAttr.GET, AccessAttr.ACCESS_RO], "b")
    assert made.buckets is not None and made.clusters is None
    # A bit that is named twice counts once.
    assert made.buckets[0].perm == str(int(AccessAttr.ACCESS_RO))
    assert made in roles.list() and roles.get(name) == made
    assert "perm=GET,OBJ_HEAD" in str(made)
    with pytest.raises(ErrRoleAlreadyExists):
        roles.create(name, "", alias, [AccessAttr.GET])
    roles.update(name, desc="reads more")
    roles.update(name, cluster_alias=alias, perms=[AccessAttr.LIST_BUCKETS])
    changed = roles.get(name)
    assert changed.desc == "reads more" and changed.clusters is not None
    for options in [
        {},
        {"perms": [AccessAttr.GET]},
        {"cluster_alias": alias},
        {"bucket_name": "b"},
        {"bucket_name": "b", "cluster_alias": alias},
    ]:
        with pytest.raises(ValueError, match=r"must"):
            roles.update(name, **options)  # type: ignore[arg-type]
    roles.delete(name)
    roles.delete(name, missing_ok=True)
    with pytest.raises(ErrRoleNotFound):
        roles.delete(name)


def test_users_may_what_their_roles_say(
    server: aistore.Server, authn: AuthNClient, alias: str
) -> None:
    role, user = new(), new()
    authn.role_manager().create(role, "", alias, [AccessAttr.LIST_BUCKETS])
    users = authn.user_manager()
    made = users.create(user, [role], PASSWORD)
    assert users.list()[user] == made == users.get(user) and made.roles[0].name == role
    with pytest.raises(ErrUserAlreadyExists):
        users.create(user, [role], PASSWORD)
    client = AuthNClient(server.authn_url or server.url)
    cluster = Client(server.url, token=client.login(user, PASSWORD))
    cluster.cluster().list_buckets()
    with pytest.raises(AISError) as refused:
        cluster.bucket("mine").create()
    assert refused.value.status_code == 403
    with pytest.raises(AuthNError):
        client.user_manager().list()
    users.update(user, password="another-password")
    with pytest.raises(ErrUserInvalidCredentials):
        client.login(user, PASSWORD)
    assert users.get(user).roles == made.roles
    with pytest.raises(ValueError, match="You must change"):
        users.update(user)
    users.delete(user)
    users.delete(user, missing_ok=True)
    with pytest.raises(ErrUserNotFound):
        users.get(user)


def test_secrets_are_not_shown() -> None:
    login = LoginMsg(password="geheim", expires_in=1.5)
    assert login.as_dict() == {"password": "geheim", "expires_in": 1_500_000_000}
    user = UserInfo(id="u", password="geheim", roles=[])
    assert user.dict()["pass"] == "geheim"
    assert "geheim" not in f"{login!r} {login} {user!r} {user}"


def test_permissions_are_the_servers() -> None:
    assert int(AccessAttr.ACCESS_RO) == 771 and int(AccessAttr.ACCESS_RW) == 831
    assert int(AccessAttr.CLUSTER_ACCESS_RW) == 126976 and int(AccessAttr.ACCESS_SU) == 262143
    assert AccessAttr.describe(5) == "GET,PUT"
    assert RoleInfo(name="n", desc="d") == RoleInfo(name="n", desc="d")
