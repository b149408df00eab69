"""Requests that are sent once, whatever becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ._response import Request, Response
from .errors import APIRequestError, NetworkError
from .request_client import RequestClient, Timeout
from .response_handler import AISResponseHandler
from .retry_config import ColdGetConf, NetworkRetry, RetryConfig
from .session_manager import SessionManager


class _AnyReply(AISResponseHandler):
    """Refusals are replies, too."""

    def handle_response(self, r: Any) -> Any:
        return r


class RequestExecutor:
    """Sends requests to one cluster, without repeating any; redirects are followed.

    Args:
        base_url: URL of the cluster, with ``/v1``.
        session_manager: settings of connections.
        token: shown to the cluster, and to nobody else.
        timeout: seconds of silence to bear, or those to connect and those of silence; None for no limit.
    """

    def __init__(
        self,
        base_url: str,
        session_manager: SessionManager,
        token: str = "",
        timeout: Timeout = None,
    ) -> None:
        self._base_url = base_url
        once = RetryConfig(None, NetworkRetry(attempts=1), ColdGetConf(max_cold_wait=0))
        self._client = RequestClient(base_url, session_manager, timeout, token, _AnyReply(), once)

    @property
    def base_url(self) -> str:
        """URL of the cluster, with ``/v1``."""
        return self._base_url

    @property
    def session_manager(self) -> SessionManager:
        """Settings of connections."""
        return self._client.session_manager

    @session_manager.setter
    def session_manager(self, value: SessionManager) -> None:
        self._client.session_manager = value

    @property
    def token(self) -> str | None:
        """What is shown to the cluster."""
        return self._client.token

    @token.setter
    def token(self, value: str | None) -> None:
        self._client.token = value

    @property
    def timeout(self) -> Timeout:
        """Seconds of silence to bear, or those to connect and those of silence; None for no limit."""
        return self._client.timeout

    @timeout.setter
    def timeout(self, value: Timeout) -> None:
        self._client.timeout = value

    def request(
        self, method: str, path: str, headers: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Response:
        """Send a request, and return the reply, whatever its status is.

        Args:
            method: of HTTP, in any case.
            path: below ``/v1``, percent-encoded where it must be.
            headers: to send as well.
            **kwargs: those of `RequestClient.request`: ``params``, ``json``, ``data``, ``timeout``, ``stream``.

        Raises:
            NetworkError: there was no usable reply; ``request`` says what was asked.
        """
        return self._send(method, path.lstrip("/"), None, headers, kwargs)

    def request_absolute(
        self, method: str, url: str, headers: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Response:
        """As `request`, to a URL of this or another node.

        Raises:
            ValueError: the URL is not one of AIStore's API.
            NetworkError: there was no usable reply; ``request`` says what was asked.
        """
        parts = urlsplit(url)
        before, version, path = parts.path.partition("/v1/")
        if not version:
            raise ValueError(f"no URL of AIStore's API, which has /v1/: {parts.path!r}")
        kwargs["params"] = {**dict(parse_qsl(parts.query)), **(kwargs.get("params") or {})}
        endpoint = f"{parts.scheme}://{parts.netloc}{before}"
        return self._send(method, path, endpoint, headers, kwargs)

    def _send(
        self,
        method: str,
        path: str,
        endpoint: str | None,
        headers: Mapping[str, Any] | None,
        more: dict[str, Any],
    ) -> Response:
        try:
            return self._client.request(method, path, endpoint, headers, **more)
        except (NetworkError, APIRequestError) as error:
            # What `LockPoller` asks about.
            url = self._client.get_full_url(path, more.get("params") or {})
            asked = Request(method.upper(), url)
            if isinstance(error, NetworkError):
                error.request = asked
            else:
                error.req = asked
            raise
