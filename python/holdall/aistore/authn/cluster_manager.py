"""Clusters that the AuthN service knows."""

from __future__ import annotations

from typing import List  # noqa: UP035

from .._twin import Steps, inner, twin
from ..const import (
    HTTP_METHOD_DELETE,
    HTTP_METHOD_GET,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    QPARAM_WHAT,
    URL_PATH_AUTHN_CLUSTERS,
    URL_PATH_DAEMON,
    WHAT_SMAP,
)
from ..request_client import RequestClient
from ..response_handler import AISResponseHandler
from ..types import Smap
from .types import ClusterInfo, ClusterList


def _id_or_alias(cluster_id: str | None, cluster_alias: str | None) -> str:
    name = cluster_id or cluster_alias
    if not name:
        raise ValueError("At least one of cluster_id or cluster_alias must be provided")
    return name


class ClusterManager:
    """The clusters that the service knows.

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
    def list(self) -> Steps[ClusterList]:
        """All clusters."""
        return (
            yield self.client.ask_model(
                HTTP_METHOD_GET, path=URL_PATH_AUTHN_CLUSTERS, res_model=ClusterList
            )
        )

    list_async = list.later()

    @twin
    def get(
        self, cluster_id: str | None = None, cluster_alias: str | None = None
    ) -> Steps[ClusterInfo]:
        """One cluster.

        Raises:
            ValueError: When neither id nor alias is given.
            ErrClusterNotFound: When the service does not know it.
            RuntimeError: When the service answers with none.
        """
        name = _id_or_alias(cluster_id, cluster_alias)
        found = yield self.client.ask_model(
            HTTP_METHOD_GET, path=f"{URL_PATH_AUTHN_CLUSTERS}/{name}", res_model=ClusterList
        )
        for cluster in found.clusters.values():
            return cluster
        raise RuntimeError(f"No cluster found with ID or alias '{name}'")

    get_async = get.later()

    @twin
    def register(self, cluster_alias: str, urls: List[str]) -> Steps[ClusterInfo]:  # noqa: UP006
        """Make a cluster known. The first of its URLs is asked for its id.

        Raises:
            ValueError: When there is no URL, or no cluster behind the first.
            ErrClusterAlreadyRegistered: When the cluster or the alias is known already.
        """
        if not urls:
            raise ValueError("At least one URL must be provided")
        cluster = self.client.clone(base_url=urls[0], response_handler=AISResponseHandler())
        try:
            smap = yield cluster.ask_model(
                HTTP_METHOD_GET,
                path=URL_PATH_DAEMON,
                res_model=Smap,
                params={QPARAM_WHAT: WHAT_SMAP},
            )
            uuid = smap.uuid
        except Exception as error:
            raise ValueError(
                f"Failed to retrieve UUID for the provided URL: {urls[0]} ({error}). Check that the URL is a gateway "
                "of the cluster and can be reached, and that its certificate is trusted (ca_cert, skip_verify)."
            ) from error
        if not uuid:
            raise ValueError("Failed to retrieve UUID for the provided URL")
        yield self.client.ask(
            HTTP_METHOD_POST,
            path=URL_PATH_AUTHN_CLUSTERS,
            json={"id": uuid, "alias": cluster_alias, "urls": urls},
        )
        return (yield from inner(self.get, uuid))

    register_async = register.later()

    @twin
    def update(
        self,
        cluster_id: str,
        cluster_alias: str | None = None,
        urls: List[str] | None = None,  # noqa: UP006
    ) -> Steps[ClusterInfo]:
        """Change alias, URLs, or both; what is not given stays.

        Raises:
            ValueError: When the id is missing, or both others are.
            ErrClusterNotFound: When the service does not know it.
        """
        if not cluster_id:
            raise ValueError("Cluster ID must be provided")
        if cluster_alias is None and urls is None:
            raise ValueError("At least one of cluster_alias or urls must be provided")
        change = ClusterInfo(id=cluster_id, alias=cluster_alias or None, urls=urls or [])
        yield self.client.ask(
            HTTP_METHOD_PUT,
            path=f"{URL_PATH_AUTHN_CLUSTERS}/{cluster_id}",
            json=change.model_dump(),
        )
        return (yield from inner(self.get, cluster_id=cluster_id))

    update_async = update.later()

    @twin
    def delete(
        self, cluster_id: str | None = None, cluster_alias: str | None = None
    ) -> Steps[None]:
        """Forget a cluster.

        Raises:
            ValueError: When neither id nor alias is given.
            ErrClusterNotFound: When the service does not know it.
        """
        name = _id_or_alias(cluster_id, cluster_alias)
        yield self.client.ask(HTTP_METHOD_DELETE, path=f"{URL_PATH_AUTHN_CLUSTERS}/{name}")

    delete_async = delete.later()
