"""How failed requests are repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .const import DEFAULT_COLD_GET_EST_BPS, DEFAULT_COLD_GET_MAX_WAIT
from .errors import AISRetryableError, BrokenStream, ConnectFailed, ConnectTimeout, ReadTimeout

NETWORK_RETRY_EXCEPTIONS: tuple[type[Exception], ...] = (
    ConnectTimeout,
    ReadTimeout,
    BrokenStream,
    ConnectFailed,
    AISRetryableError,
)
"""What a repetition may cure."""


@dataclass
class ColdGetConf:
    """How long a read waits while the cluster fetches the object from a cloud.

    Attributes:
        est_bandwidth_bps: expected bandwidth between cluster and cloud, in bytes per second: the first pause is a
            quarter of the time that the object takes with it (2 to 10 s).
        max_cold_wait: most seconds to wait.
        enable_remote_head: whether the cloud may be asked for the size, where the cluster does not know it.
    """

    est_bandwidth_bps: int = DEFAULT_COLD_GET_EST_BPS
    max_cold_wait: int = DEFAULT_COLD_GET_MAX_WAIT
    enable_remote_head: bool = True


@dataclass
class HTTPRetry:
    """Repetition of what servers refuse for now. Has the names of ``urllib3.Retry``, which can stand in its place.

    Attributes:
        total: most repetitions.
        backoff_factor: seconds of the first pause; each is about twice the one before.
        status_forcelist: statuses that are repeated.
        backoff_max: longest pause, in seconds.
        respect_retry_after_header: whether the server's ``Retry-After`` is kept.
        connect: for programs that set it on a ``urllib3.Retry``; failures of the network are `NetworkRetry`'s.
        read: the same.
    """

    total: int = 5
    backoff_factor: float = 0.1
    status_forcelist: tuple[int, ...] = (429, 500, 502, 503, 504)
    connect: int = 0
    read: int = 0
    backoff_max: float = 15.0
    respect_retry_after_header: bool = True


@dataclass
class NetworkRetry:
    """Repetition of what the network did not deliver. ``tenacity.Retrying`` can stand in its place.

    Attributes:
        attempts: most attempts, the first one included.
        min_wait: first pause, in seconds; each is up to twice the one before.
        max_wait: longest pause, in seconds.
        max_time: no repetition begins after this many seconds.
    """

    attempts: int = 7
    min_wait: float = 0.1
    max_wait: float = 15.0
    max_time: float = 90.0


@dataclass
class RetryConfig:
    """How failed requests are repeated, by cause.

    Attributes:
        http_retry: what servers refuse for now: `HTTPRetry`, or a ``urllib3.Retry``.
        network_retry: what the network did not deliver: `NetworkRetry`, or a ``tenacity.Retrying``. A request goes to
            the proxy anew, which may name another target. Tenacity's policies cannot be pickled: a process that
            gets a client by pickle has the default in their place.
        cold_get_conf: patience with objects that the cluster has to fetch.
    """

    http_retry: Any = field(default_factory=HTTPRetry)
    network_retry: Any = field(default_factory=NetworkRetry)
    cold_get_conf: ColdGetConf = field(default_factory=ColdGetConf)

    @staticmethod
    def default() -> RetryConfig:
        """The defaults."""
        return RetryConfig()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if not isinstance(self.network_retry, NetworkRetry):
            state["network_retry"] = NetworkRetry()
        return state

    def settings(self) -> dict[str, Any]:
        """The numbers of it, for the transport."""
        http = self.http_retry
        if http is None:
            http = HTTPRetry(total=0)
        elif isinstance(http, int):
            http = HTTPRetry(total=http)
        total = http.total
        cold = self.cold_get_conf
        found = {
            "http_retries": 10 if total is None else max(int(total), 0),
            "retry_statuses": sorted(getattr(http, "status_forcelist", None) or ()),
            "init_backoff": float(http.backoff_factor),
            "max_backoff": float(getattr(http, "backoff_max", 120.0)),
            "keep_retry_after": bool(getattr(http, "respect_retry_after_header", True)),
            "cold_bytes_per_second": max(int(cold.est_bandwidth_bps), 0),
            "cold_max_wait": float(cold.max_cold_wait),
            "cold_remote_head": bool(cold.enable_remote_head),
        }
        network = self.network_retry
        if isinstance(network, NetworkRetry):
            found["network_retries"] = max(network.attempts - 1, 0)
            found["network_pauses"] = (network.min_wait, network.max_wait)
            found["max_time"] = network.max_time
        else:
            found["network_retries"] = 0
        return found

    def around(self) -> Callable[[Callable[[], Any]], Any] | None:
        """What repeats a call, where the program brings its own; None where the transport does."""
        network = self.network_retry
        if network is None or isinstance(network, NetworkRetry):
            return None
        # Tenacity's objects keep statistics of one call at a time.
        return network.copy() if hasattr(network, "copy") else network
