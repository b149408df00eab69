"""HTTP sessions of the providers."""

from __future__ import annotations

from typing import Any

_ATTEMPTS = 10
_BACKOFF_SECONDS = 0.8
_REPEATED = (429, 500, 502, 503, 504)


def missing(package: str, purpose: str) -> ImportError:
    """Return the error for a package that is not installed."""
    return ImportError(f"{purpose} needs the package '{package}': pip install {package}")


def default_requests_session() -> Any:
    """Return a session of requests that repeats requests that failed for the time being."""
    try:
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util.retry import Retry
    except ImportError:
        raise missing("requests", "this credential provider") from None

    session = requests.Session()
    retry = Retry(total=_ATTEMPTS, backoff_factor=_BACKOFF_SECONDS, status_forcelist=_REPEATED)
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def default_aiohttp_session() -> Any:
    """Return a session of aiohttp; with aiohttp_retry, one that repeats failed requests."""
    try:
        import aiohttp
    except ImportError:
        raise missing("aiohttp", "this credential provider") from None
    try:
        from aiohttp_retry import ExponentialRetry, RetryClient
    except ImportError:
        return aiohttp.ClientSession()
    options = ExponentialRetry(attempts=_ATTEMPTS, statuses=set(_REPEATED))
    return RetryClient(raise_for_status=False, retry_options=options)
