"""Roles."""

from __future__ import annotations

from typing import List  # noqa: UP035

from .._twin import Steps, inner, twin
from ..const import (
    HTTP_METHOD_DELETE,
    HTTP_METHOD_GET,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    URL_PATH_AUTHN_ROLES,
)
from ..namespace import Namespace
from ..provider import Provider
from ..request_client import RequestClient
from ..types import BucketModel
from .access_attr import AccessAttr, joined
from .cluster_manager import ClusterManager
from .errors import ErrRoleNotFound
from .types import BucketPermission, ClusterPermission, RoleInfo, RolesList


class RoleManager:
    """The roles of the service.

    Args:
        client: The client that sends the requests.
    """

    def __init__(self, client: RequestClient) -> None:
        self._client = client

    @property
    def client(self) -> RequestClient:
        """The client that sends the requests."""
        return self._client

    @twin
    def list(self) -> Steps[RolesList]:
        """All roles."""
        return (
            yield self.client.ask_model(
                HTTP_METHOD_GET, path=URL_PATH_AUTHN_ROLES, res_model=RolesList
            )
        )

    list_async = list.later()

    @twin
    def get(self, role_name: str) -> Steps[RoleInfo]:
        """One role.

        Raises:
            ErrRoleNotFound: When there is none of that name.
        """
        return (
            yield self.client.ask_model(
                HTTP_METHOD_GET, path=f"{URL_PATH_AUTHN_ROLES}/{role_name}", res_model=RoleInfo
            )
        )

    get_async = get.later()

    @twin
    def create(
        self,
        name: str,
        desc: str,
        cluster_alias: str,
        perms: List[AccessAttr],  # noqa: UP006
        bucket_name: str | None = None,
    ) -> Steps[RoleInfo]:
        """Make a role.

        Args:
            name: Its name.
            desc: What it is for.
            cluster_alias: Alias or id of the cluster that it is about.
            perms: What it allows.
            bucket_name: A bucket that it is limited to; otherwise it holds on the whole cluster.

        Raises:
            ErrClusterNotFound: When the service does not know the cluster.
            ErrRoleAlreadyExists: When there is such a role.
        """
        role = RoleInfo(name=name, desc=desc)
        yield from self._allow(role, cluster_alias, perms, bucket_name)
        yield self.client.ask(HTTP_METHOD_POST, path=URL_PATH_AUTHN_ROLES, json=role.model_dump())
        return (yield from inner(self.get, role_name=name))

    create_async = create.later()

    @twin
    def update(
        self,
        name: str,
        desc: str | None = None,
        cluster_alias: str | None = None,
        perms: List[AccessAttr] | None = None,  # noqa: UP006
        bucket_name: str | None = None,
    ) -> Steps[None]:
        """Change a role's description, its permissions on a cluster or bucket, or both; what is not given stays.

        Raises:
            ValueError: When nothing is to be changed, or permissions come without a cluster or the reverse.
            ErrRoleNotFound: When there is no such role.
        """
        if not (desc or cluster_alias or perms or bucket_name):
            raise ValueError(
                "You must change either the description or permissions for a bucket or cluster."
            )
        if perms and not cluster_alias:
            raise ValueError("Cluster alias must be provided when permissions are specified.")
        if bucket_name and not cluster_alias:
            raise ValueError("Cluster alias must be provided when bucket_name is specified.")
        if cluster_alias and not perms:
            raise ValueError(
                "Permissions must be provided when cluster alias or bucket name is specified."
            )
        role = yield from inner(self.get, role_name=name)
        if desc:
            role.desc = desc
        if cluster_alias and perms:
            yield from self._allow(role, cluster_alias, perms, bucket_name)
        yield self.client.ask(
            HTTP_METHOD_PUT, path=f"{URL_PATH_AUTHN_ROLES}/{name}", json=role.model_dump()
        )

    update_async = update.later()

    @twin
    def delete(self, name: str, missing_ok: bool = False) -> Steps[None]:
        """Delete a role.

        Raises:
            ErrRoleNotFound: When there is none of that name, and that is not ``missing_ok``.
        """
        try:
            yield self.client.ask(HTTP_METHOD_DELETE, path=f"{URL_PATH_AUTHN_ROLES}/{name}")
        except ErrRoleNotFound:
            if not missing_ok:
                raise

    delete_async = delete.later()

    def _allow(
        self,
        role: RoleInfo,
        cluster_alias: str,
        perms: List[AccessAttr],  # noqa: UP006
        bucket_name: str | None,
    ) -> Steps[None]:
        clusters = ClusterManager(self.client)
        cluster = yield from inner(clusters.get, cluster_alias=cluster_alias)
        uuid = cluster.id
        if bucket_name:
            bck = BucketModel(
                name=bucket_name, provider=Provider.AIS.value, namespace=Namespace(uuid=uuid)
            )
            role.buckets = [BucketPermission(bck=bck, perm=joined(perms))]
        else:
            role.clusters = [ClusterPermission(id=uuid, perm=joined(perms))]
