"""Requests to a cluster, or to another service with AIStore's conventions."""

from __future__ import annotations

import json as _json
import os
import weakref
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from .._holdall import _AisClient
from . import const
from ._model import Model
from ._response import Response
from ._twin import Step, Steps, both, twin
from .response_handler import AISResponseHandler, ResponseHandler
from .retry_config import RetryConfig
from .session_manager import SessionManager
from .types import Smap
from .utils import decode_response

T = TypeVar("T")

Timeout = float | tuple[float | None, float | None] | None
Params = Mapping[str, Any] | None


# A forked child makes transports of its own: locks of the parent's may have been held at the fork. The parent's are
# not dropped there, because their connections are the parent's.
_live: weakref.WeakSet[RequestClient] = weakref.WeakSet()
_of_the_parent: list[_AisClient] = []


def _after_fork() -> None:
    for client in list(_live):
        if client._made is not None:
            _of_the_parent.append(client._made)
            client._made = None


os.register_at_fork(after_in_child=_after_fork)


def _encode(value: Any) -> Any:
    if isinstance(value, Model):
        return value.model_dump()
    if hasattr(value, "as_dict"):
        return value.as_dict()
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def _body(json: Any, data: Any) -> Any:
    if json is not None:
        return _json.dumps(json, default=_encode).encode()
    if data is None or isinstance(data, (bytes, bytearray, memoryview)):
        return data
    if isinstance(data, str):
        return data.encode()
    if hasattr(data, "read"):
        content = data.read()
        return content.encode() if isinstance(content, str) else content
    if isinstance(data, Mapping):
        return urlencode(data).encode()
    try:
        return memoryview(data).cast("B")
    except TypeError:
        pass
    try:
        return b"".join(data)
    except TypeError as error:
        raise TypeError(
            f"{type(data).__name__} cannot be sent: give bytes, text, a file, or pieces of bytes"
        ) from error


class RequestClient:
    """Sends requests, repeats what failed, follows redirects, and raises for what was refused.

    Args:
        endpoint: URL of the cluster or service, with or without ``/v1``.
        session_manager: settings of connections.
        timeout: seconds of silence to bear, or those to connect and those of silence; None for no limit.
        token: shown to the endpoint and to nodes of its cluster map, and to nobody else.
        response_handler: makes exceptions of replies.
        retry_config: how failed requests are repeated.
    """

    def __init__(
        self,
        endpoint: str,
        session_manager: SessionManager | None = None,
        timeout: Timeout = None,
        token: str | None = "",
        response_handler: ResponseHandler | None = None,
        retry_config: RetryConfig | None = None,
    ) -> None:
        self._endpoint = endpoint.rstrip("/").removesuffix("/v1").rstrip("/")
        self._session_manager = session_manager if session_manager is not None else SessionManager()
        self._timeout = timeout
        self._token = token
        self._response_handler = response_handler or AISResponseHandler()
        self._retry_config = retry_config or RetryConfig.default()
        self._look_around()
        self._smap: Smap | None = None
        self._made: _AisClient | None = None

    @property
    def native(self) -> _AisClient:
        """The transport; connections and the cluster map belong to it."""
        made = self._made
        if made is None:
            made = self._made = self._make()
            _live.add(self)
        return made

    def _make(self) -> _AisClient:
        timeout = self._timeout
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        return _AisClient(
            self._endpoint,
            self._token or None,
            connect,
            read,
            {**self._session_manager.settings(), **self._retry_config.settings()},
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._look_around()

    def _look_around(self) -> None:
        """See what others want to do with every request and reply."""
        self._around = self._retry_config.around() is not None
        handles = type(self._response_handler).handle_response
        self._is_plain = not self._around and handles is ResponseHandler.handle_response

    @property
    def base_url(self) -> str:
        """The endpoint with ``/v1``."""
        return f"{self._endpoint}/v1"

    @property
    def timeout(self) -> Timeout:
        """Seconds of silence to bear, or those to connect and those of silence; None for no limit."""
        return self._timeout

    @timeout.setter
    def timeout(self, timeout: Timeout) -> None:
        self._timeout = timeout
        self._made = None

    @property
    def session_manager(self) -> SessionManager:
        """Settings of connections."""
        return self._session_manager

    @session_manager.setter
    def session_manager(self, session_manager: SessionManager) -> None:
        self._session_manager = session_manager
        self._made = None

    @property
    def retry_config(self) -> RetryConfig:
        """How failed requests are repeated."""
        return self._retry_config

    @property
    def token(self) -> str | None:
        """What is shown to the servers."""
        return self._token

    @token.setter
    def token(self, token: str | None) -> None:
        self._token = token
        if self._made is not None:
            self._made.set_token(token or None)

    @twin
    def get_smap(self, force_update: bool = False) -> Steps[Smap]:
        """The cluster map, as it was last seen unless `force_update` is set."""
        if self._smap is None or force_update:
            self._smap = yield self.ask_model(
                const.HTTP_METHOD_GET,
                path=const.URL_PATH_DAEMON,
                res_model=Smap,
                params={const.QPARAM_WHAT: const.WHAT_SMAP},
            )
        return self._smap

    get_smap_async = get_smap.later()

    def clone(
        self,
        base_url: str | None = None,
        response_handler: ResponseHandler | None = None,
    ) -> RequestClient:
        """The same with another endpoint, or another handler of responses."""
        return RequestClient(
            endpoint=base_url or self._endpoint,
            session_manager=self._session_manager,
            timeout=self._timeout,
            token=self._token,
            response_handler=response_handler or self._response_handler,
            retry_config=self._retry_config,
        )

    def store_config(self) -> dict[str, Any]:
        """The settings, as stores of buckets take them."""
        timeout = self._timeout
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        found = {
            "endpoint": self._endpoint,
            "token": self._token or None,
            # Zero is no limit there.
            "connect_timeout": connect or 0,
            "read_timeout": read or 0,
            **self._session_manager.settings(),
        }
        return {key: value for key, value in found.items() if value is not None}

    def get_full_url(self, path: str, params: Mapping[str, Any]) -> str:
        """The URL of a request."""
        return f"{self.base_url}/{path.lstrip('/')}?{urlencode(params)}"

    def request(
        self,
        method: str,
        path: str,
        endpoint: str | None = None,
        headers: Mapping[str, Any] | None = None,
        *,
        params: Params = None,
        json: Any = None,
        data: Any = None,
        timeout: Timeout = None,
        stream: bool = False,
    ) -> Response:
        """Send a request, and return the reply.

        Args:
            method: of HTTP, in any case.
            path: below ``/v1``, percent-encoded where it must be.
            endpoint: another node to ask.
            headers: to send as well.
            params: of the query; None values are left out.
            json: sent as JSON.
            data: sent as it is: bytes, text, a file, or pieces of bytes.
            timeout: in place of the client's.
            stream: whether the body is left to be read later.

        Raises:
            APIRequestError: the server refused (see the response handler).
            NetworkError: there was no usable reply.
        """
        body = _body(json, data)
        wait = _silence(timeout)
        native = self.native

        def send() -> Response:
            reply = native.request(method, path, params, headers, body, wait, stream, endpoint)
            return Response(reply, method)

        around = self._retry_config.around() if self._around else None
        response = around(send) if around is not None else send()
        return self._response_handler.handle_response(response)

    def content(self, path: str, params: Params = None, headers: Params = None) -> bytes:
        """Send a GET, and return the whole body: as `request`, without a reply around what is short.

        Raises:
            APIRequestError: the server refused (see the response handler).
            NetworkError: there was no usable reply.
        """
        if not self._is_plain or type(self).request is not _REQUEST:
            return self.request("get", path, params=params, headers=headers).content
        found = self.native.content(path, params, headers)
        if isinstance(found, bytes):
            return found
        return self._response_handler.handle_response(Response(found, "get")).content

    async def request_async(
        self,
        method: str,
        path: str,
        endpoint: str | None = None,
        headers: Mapping[str, Any] | None = None,
        *,
        params: Params = None,
        json: Any = None,
        data: Any = None,
        timeout: Timeout = None,
        stream: bool = False,
    ) -> Response:
        """As `request`, to be awaited. A ``tenacity.Retrying`` cannot be, so the transport's own policy counts."""
        reply = await self.native.request_async(
            method, path, params, headers, _body(json, data), _silence(timeout), stream, endpoint
        )
        return self._response_handler.handle_response(Response(reply, method))

    def request_deserialize(self, method: str, path: str, res_model: Any, **kwargs: Any) -> Any:
        """Send a request, and read the reply as `res_model`: a model, or lists and dictionaries of one."""
        return decode_response(res_model, self.request(method, path, **kwargs))

    async def request_deserialize_async(
        self, method: str, path: str, res_model: Any, **kwargs: Any
    ) -> Any:
        """As `request_deserialize`, to be awaited."""
        return decode_response(res_model, await self.request_async(method, path, **kwargs))

    def ask(self, method: str, path: str, **kwargs: Any) -> Step:
        """`request` as a step of an operation."""
        return both(
            lambda: self.request(method, path, **kwargs),
            lambda: self.request_async(method, path, **kwargs),
        )

    def ask_model(self, method: str, path: str, res_model: Any, **kwargs: Any) -> Step:
        """`request_deserialize` as a step of an operation."""
        return both(
            lambda: self.request_deserialize(method, path, res_model, **kwargs),
            lambda: self.request_deserialize_async(method, path, res_model, **kwargs),
        )


# What replaces it, sees every request.
_REQUEST = RequestClient.request


def _silence(timeout: Timeout) -> float | None:
    read = timeout[1] if isinstance(timeout, tuple) else timeout
    return None if read is None else float(read)
