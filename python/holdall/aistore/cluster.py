"""The cluster."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from . import const
from ._earlier import warn
from ._twin import Steps, inner, twin
from .enums import LogSeverity, NodeFilter
from .provider import Provider
from .types import (
    BucketModel,
    ClusterPerformance,
    ETLInfo,
    JobQuery,
    JobStatus,
    Smap,
    Snode,
    action,
)

if TYPE_CHECKING:
    from ._response import Response
    from .request_client import RequestClient

logger = logging.getLogger(__name__)

_NODE = f"{const.URL_PATH_REVERSE}/{const.URL_PATH_DAEMON}"
_RUNNING = "Running"


class Cluster:
    """The cluster: its nodes, buckets and jobs.

    Args:
        client: sends the requests.
    """

    def __init__(self, client: RequestClient) -> None:
        self._client = client

    @property
    def client(self) -> RequestClient:
        """Sends the requests."""
        return self._client

    @twin
    def get_info(self) -> Steps[Smap]:
        """The cluster map."""
        return (
            yield self._client.ask_model(
                const.HTTP_METHOD_GET,
                path=const.URL_PATH_DAEMON,
                res_model=Smap,
                params={const.QPARAM_WHAT: const.WHAT_SMAP},
            )
        )

    get_info_async = get_info.later()

    @twin
    def get_primary_url(self) -> Steps[str]:
        """The URL of the primary proxy."""
        smap = yield from inner(self.get_info)
        net = smap.proxy_si.public_net
        return net.direct_url if net else ""

    get_primary_url_async = get_primary_url.later()

    @twin
    def get_uuid(self) -> Steps[str]:
        """The cluster's id."""
        return (yield from inner(self.get_info)).uuid

    get_uuid_async = get_uuid.later()

    @twin
    def list_buckets(self, provider: str | Provider = Provider.AIS) -> Steps[list[BucketModel]]:
        """The buckets of a provider; of all when it is empty.

        Raises:
            InvalidBckProvider: there is no such provider.
        """
        name = "" if provider == "" else Provider.parse(provider).value
        return (
            yield self._client.ask_model(
                const.HTTP_METHOD_GET,
                path=const.URL_PATH_BUCKETS,
                res_model=list[BucketModel],
                json=action(const.ACT_LIST),
                params={const.QPARAM_PROVIDER: name},
            )
        )

    list_buckets_async = list_buckets.later()

    @twin
    def list_jobs_status(self, job_kind: str = "", target_id: str = "") -> Steps[list[JobStatus]]:
        """How jobs are doing, and have done: all, those of a kind, those of a target."""
        found = yield self._client.ask_model(
            const.HTTP_METHOD_GET,
            path=const.URL_PATH_CLUSTER,
            res_model=list[JobStatus] | None,
            json=JobQuery(kind=job_kind, target=target_id).as_dict(),
            params={const.QPARAM_WHAT: const.WHAT_ALL_XACT_STATUS},
        )
        return found or []

    list_jobs_status_async = list_jobs_status.later()

    @twin
    def list_running_jobs(self, job_kind: str = "", target_id: str = "") -> Steps[list[str]]:
        """Jobs that run, as ``kind[id]``: all, those of a kind, those of a target."""
        found = yield self._client.ask_model(
            const.HTTP_METHOD_GET,
            path=const.URL_PATH_CLUSTER,
            res_model=list[str] | None,
            json=JobQuery(kind=job_kind, target=target_id, active=True).as_dict(),
            params={const.QPARAM_WHAT: const.WHAT_ALL_RUNNING_STATUS},
        )
        return found or []

    list_running_jobs_async = list_running_jobs.later()

    @twin
    def list_etls(self, stages: list[str] | None = None) -> Steps[list[ETLInfo]]:
        """Transformers in one of the stages; those that run by default."""
        wanted = [_RUNNING] if stages is None else stages
        found = yield self._client.ask_model(
            const.HTTP_METHOD_GET, path=const.URL_PATH_ETL, res_model=list[ETLInfo] | None
        )
        return [info for info in found or () if info.stage in wanted]

    list_etls_async = list_etls.later()

    @twin
    def list_running_etls(self) -> Steps[list[ETLInfo]]:
        """Transformers that run. Deprecated: `list_etls`."""
        warn("Cluster.list_running_etls", "Cluster.list_etls")
        return (yield from inner(self.list_etls))

    list_running_etls_async = list_running_etls.later()

    @twin
    def is_ready(self) -> Steps[bool]:
        """Whether the primary proxy takes requests. It never raises."""
        try:
            primary = yield from inner(self.get_primary_url)
            response = yield self._client.ask(
                const.HTTP_METHOD_GET,
                path=const.URL_PATH_HEALTH,
                endpoint=primary,
                params={const.QPARAM_PRIMARY_READY_REB: "true"},
            )
        except Exception as error:
            logger.debug("the cluster is not ready: %s", error)
            return False
        return response.ok

    is_ready_async = is_ready.later()

    @twin
    def get_performance(
        self,
        get_throughput: bool | None = None,
        get_latency: bool | None = None,
        get_counters: bool | None = None,
    ) -> Steps[ClusterPerformance]:
        """State and counters of all targets, by their ids.

        The arguments are deprecated: everything is there. The result has them in groups, as ``throughput``,
        ``latency`` and ``counters``.
        """
        if not (get_throughput is None and get_latency is None and get_counters is None):
            warn("arguments of get_performance", "what you need of its result")
        smap = yield from inner(self.get_info)
        found = ClusterPerformance()
        for node in smap.tmap:
            response = yield self._client.ask(
                const.HTTP_METHOD_GET,
                path=_NODE,
                params={const.QPARAM_WHAT: const.WHAT_NODE_STATS_AND_STATUS},
                headers={const.HEADER_NODE_ID: node},
            )
            found[node] = response.json()
        return found

    get_performance_async = get_performance.later()

    @twin
    def get_node_log(self, node_id: str, severity: LogSeverity = LogSeverity.INFO) -> Steps[str]:
        """The log of a node that it writes now."""
        return (yield from self._log(node_id, severity)).text

    get_node_log_async = get_node_log.later()

    @twin
    def get_node_log_archive(
        self, node_id: str, severity: LogSeverity = LogSeverity.INFO
    ) -> Steps[bytes]:
        """All logs of a node, a ``tar.gz``."""
        return (yield from self._log(node_id, severity, all_logs=True)).content

    get_node_log_archive_async = get_node_log_archive.later()

    @twin
    def get_cluster_logs(
        self, severity: LogSeverity = LogSeverity.INFO, role: NodeFilter = NodeFilter.TARGET
    ) -> Steps[dict[str, str]]:
        """The logs of all nodes of a part, by their ids."""
        smap = yield from inner(self.get_info)
        nodes: dict[str, Snode] = {}
        if role in (NodeFilter.TARGET, NodeFilter.ALL):
            nodes.update(smap.tmap)
        if role in (NodeFilter.PROXY, NodeFilter.ALL):
            nodes.update(smap.pmap)
        logs = {}
        for node in nodes:
            logs[node] = (yield from self._log(node, severity)).text
        return logs

    get_cluster_logs_async = get_cluster_logs.later()

    def _log(self, node_id: str, severity: LogSeverity, all_logs: bool = False) -> Steps[Response]:
        params = {
            const.QPARAM_WHAT: const.WHAT_LOG,
            const.QPARAM_LOG_SEV: LogSeverity(severity).value,
        }
        if all_logs:
            params[const.QPARAM_ALL_LOGS] = "true"
        return (
            yield self._client.ask(
                const.HTTP_METHOD_GET,
                path=_NODE,
                params=params,
                headers={const.HEADER_NODE_ID: node_id},
            )
        )
