"""Waiting for objects that the cluster is fetching."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from . import const
from .enums import FLTPresence
from .errors import NetworkError
from .obj.object_attributes import ObjectAttributes
from .request_executor import RequestExecutor
from .retry_config import ColdGetConf
from .types import ActionMsg
from .utils import get_object_url_components

_SHORTEST, _LONGEST = 2.0, 10.0
"""Seconds between which the first pause is."""


class LockPoller:
    """Waits while an object is locked for writing, as it is while the cluster fetches it from its backend.

    `Client` does this by itself; the class is for programs that send requests of their own.

    Args:
        executor: asks the cluster.
        cold_get_conf: how long, and how often.
    """

    def __init__(self, executor: RequestExecutor, cold_get_conf: ColdGetConf) -> None:
        self._executor = executor
        self._cold_get_conf = cold_get_conf

    def wait_for_unlock(self, req: Any) -> None:
        """Wait until the object of a request is not locked, or for as long as the settings allow.

        Args:
            req: the request that found the object locked; it has a ``url``.

        Raises:
            ValueError: the request is not about an object.
        """
        keep = [const.QPARAM_PROVIDER, const.QPARAM_NAMESPACE]
        path, params = get_object_url_components(req, keep)
        if not self._is_write_locked(path, params):
            return
        most = self._cold_get_conf.max_cold_wait
        end = time.monotonic() + most
        pause, longest = self._pauses(self._head_size(path, params))
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            if not self._is_write_locked(path, params):
                return
            pause = min(pause * 2, longest)

    def _pauses(self, size: int) -> tuple[float, float]:
        """The first pause and the longest, by the time that the object takes on its way to the cluster."""
        conf = self._cold_get_conf
        rate = (
            conf.est_bandwidth_bps if conf.est_bandwidth_bps > 0 else const.DEFAULT_COLD_GET_EST_BPS
        )
        takes = size / rate
        first = min(max(takes / 4, _SHORTEST), _LONGEST)
        return first, max(first, min(conf.max_cold_wait / 2, takes * 4))

    def _is_write_locked(self, path: str, params: Mapping[str, str]) -> bool:
        try:
            reply = self._executor.request(
                const.HTTP_METHOD_POST,
                path,
                params=params,
                json=ActionMsg(action=const.ACT_CHECK_LOCK),
            )
        except NetworkError:
            # Whoever waits will see for himself.
            return False
        return reply.status_code == const.STATUS_LOCKED

    def _head_size(self, path: str, params: Mapping[str, str]) -> int:
        """Bytes of the object; 0 where nobody can tell."""
        remote = self._cold_get_conf.enable_remote_head
        presence = FLTPresence.FLT_EXISTS if remote else FLTPresence.FLT_PRESENT
        try:
            reply = self._executor.request(
                const.HTTP_METHOD_HEAD,
                path,
                params={**params, const.QPARAM_FLT_PRESENCE: str(presence.value)},
            )
        except NetworkError:
            return 0
        return ObjectAttributes(reply.headers).size if reply.ok else 0
