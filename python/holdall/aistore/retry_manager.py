"""Repetition of requests of one's own."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from . import const
from .errors import InvalidBckProvider
from .lock_poller import LockPoller
from .request_executor import RequestExecutor
from .retry_config import NETWORK_RETRY_EXCEPTIONS, NetworkRetry, RetryConfig
from .utils import get_provider_from_request, is_read_timeout

T = TypeVar("T")

_logger = logging.getLogger(__name__)


class RetryManager:
    """Repeats calls that the network failed, as a `RetryConfig` says.

    Before a read of an object of a cloud is repeated that ran into its time-out, it waits until the cluster has fetched the
    object. `Client` does all of this by itself; the class is for programs that send requests of their own.

    Args:
        executor: asks the cluster whether it is still fetching.
        retry_config: what is repeated, and how often; the default when it is not given.
    """

    def __init__(self, executor: RequestExecutor, retry_config: RetryConfig | None = None) -> None:
        self._retry_config = retry_config or RetryConfig.default()
        self._lock_poller = LockPoller(executor, self._retry_config.cold_get_conf)

    @property
    def retry_config(self) -> RetryConfig:
        """What is repeated, and how often."""
        return self._retry_config

    def with_retry(self, request_func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a function until it returns, or the settings say that it is enough.

        Raises:
            Exception: what the last call raised, or what a ``tenacity.Retrying`` makes of it.
        """
        around: Any = self._retry_config.around()
        if around is None:
            return self._repeat(lambda: request_func(*args, **kwargs))
        theirs = getattr(around, "before_sleep", None)

        def before_sleep(state: Any) -> None:
            outcome = state.outcome
            self._wait_for_cold(outcome.exception() if outcome else None)
            if theirs is not None:
                theirs(state)

        around.before_sleep = before_sleep
        found: T = around(request_func, *args, **kwargs)
        return found

    def _repeat(self, call: Callable[[], T]) -> T:
        network = self._retry_config.network_retry or NetworkRetry(attempts=1)
        end = time.monotonic() + network.max_time
        pause = network.min_wait
        left = network.attempts
        while True:
            left -= 1
            try:
                return call()
            except NETWORK_RETRY_EXCEPTIONS as error:
                if left <= 0 or time.monotonic() + pause > end:
                    raise
                _logger.debug("repeated: %s", error)
                self._wait_for_cold(error)
            time.sleep(pause)
            pause = min(pause * random.uniform(1, 2), network.max_wait)

    def _wait_for_cold(self, error: BaseException | None) -> None:
        """Wait for the object of a read that the cluster did not answer because it is fetching it."""
        request = getattr(error, "request", None)
        if error is None or not _may_be_cold(error, request):
            return
        try:
            self._lock_poller.wait_for_unlock(request)
        except Exception as failure:
            # The repetition itself tells more than what became of the question.
            _logger.warning("cannot tell whether the object is being fetched: %s", failure)


def _may_be_cold(error: BaseException, request: Any) -> bool:
    method, url = getattr(request, "method", None), getattr(request, "url", None)
    if not isinstance(url, str) or str(method).lower() != const.HTTP_METHOD_GET:
        return False
    if f"/{const.URL_PATH_OBJECTS}/" not in url or not is_read_timeout(error):
        return False
    try:
        return get_provider_from_request(request).is_remote()
    except (ValueError, InvalidBckProvider):
        # No provider, or none that is known: no object of a cloud.
        return False
