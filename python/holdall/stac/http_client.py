"""The client for HTTP."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, TypeVar

from holdall._holdall import stac_check_media_type

from .client import _native, _NativeClient
from .config import Config
from .errors import ContentTypeError
from .messages import OpenUrl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from yarl import URL

    from .types import MessageQueue

__all__ = ["HttpClient"]

T = TypeVar("T", bound="HttpClient")


class HttpClient(_NativeClient):
    """A simple client for making HTTP requests.

    With an aiohttp session, all requests go through that session: configure it to customize its behavior. Without one,
    the native half makes them.
    """

    name = "http"

    @classmethod
    async def from_config(cls: type[T], config: Config) -> T:
        """Create the default http client.

        To use OAuth2 access tokens, configure ``oauth2_grant`` and what the grant needs:

        * ``device_code``: ``oauth2_token_url``, ``oauth2_device_authorization_url``, ``oauth2_client_id``
        * ``authorization_code``: ``oauth2_token_url``, ``oauth2_authorization_url``, ``oauth2_client_id``; opens a browser
        * ``password``: ``oauth2_token_url``, ``oauth2_username``, ``oauth2_password``, ``oauth2_client_id``
        * ``client_credentials``: ``oauth2_token_url``, ``oauth2_client_id``, ``oauth2_client_secret``
        """
        client = cls(None, config.http_assert_content_type)  # type: ignore[arg-type]
        client._config = config.copy()
        # What is wrong with the configuration shows here, and not at the first request.
        client._get_core()
        return client

    def __init__(
        self,
        session: Any = None,
        assert_content_type: bool | None = None,
        *,
        check_content_type: bool | None = None,
    ) -> None:
        super().__init__()
        self._session: Any = session
        self._made_session = False
        wanted = assert_content_type if assert_content_type is not None else check_content_type
        self.assert_content_type: bool = bool(wanted)
        """If true, a content type that is not the asset's is an error; a warning otherwise."""

    @property
    def check_content_type(self) -> bool:
        """The older name of `assert_content_type`."""
        return self.assert_content_type

    @check_content_type.setter
    def check_content_type(self, value: bool) -> None:
        self.assert_content_type = value

    @property
    def session(self) -> Any:
        """An aiohttp session with this client's settings, made when it is first asked for."""
        if self._session is None:
            self._session = _make_session(self._config or Config())
            self._made_session = True
            self._asked_session = True
        return self._session

    @session.setter
    def session(self, session: Any) -> None:
        self._session = session
        self._made_session = False

    #: Whether the session exists only because somebody looked at it.
    _asked_session = False

    def _is_native(self) -> bool:
        return (self._session is None or self._asked_session) and super()._is_native()

    def _settings(self) -> str:
        config = self._config or Config()
        return config._client_json(
            client_override=type(self)._native_name(),
            http_assert_content_type=self.assert_content_type,
            **self._changes(),
        )

    @classmethod
    def _native_name(cls) -> str:
        return "http"

    def _changes(self) -> dict[str, Any]:
        return {}

    @_native
    async def open_url(
        self,
        url: URL,
        content_type: str | None = None,
        messages: MessageQueue | None = None,
        stream: bool | None = None,
    ) -> AsyncIterator[bytes]:
        """Open a url and iterate over its bytes.

        Args:
            url: The url to open
            content_type: The expected content type
            messages: An optional queue to use for progress reporting
            stream: Whether to yield chunks as they come

        Yields:
            Chunks of the file

        Raises:
            HttpError: the response is not OK; `aiohttp.ClientResponseError` with a session of the caller
        """
        if self._session is None or self._asked_session:
            async for chunk in self._open(str(url), content_type, messages, stream):
                yield chunk
            return
        async for chunk in self._open_with_session(url, content_type, messages, stream):
            yield chunk

    async def _open_with_session(
        self,
        url: URL,
        content_type: str | None,
        messages: MessageQueue | None,
        stream: bool | None,
    ) -> AsyncIterator[bytes]:
        async with self._session.get(url, allow_redirects=True) as response:
            response.raise_for_status()
            if content_type:
                try:
                    stac_check_media_type(response.content_type, content_type)
                except ContentTypeError as error:
                    if self.assert_content_type:
                        raise
                    warnings.warn(str(error), stacklevel=2)
            if messages:
                await messages.put(OpenUrl(url=url, size=response.content_length))
            if stream is False:
                yield await response.read()
                return
            async for chunk, _ in response.content.iter_chunks():
                yield chunk

    async def assert_href_exists(self, href: str) -> None:
        """Assert that the href exists.

        Uses a HEAD request, and asks for the first byte where a server refuses that.
        """
        if self._session is None or self._asked_session:
            await self._get_core().assert_exists(href)
            return
        async with self._session.head(href, allow_redirects=True) as response:
            response.raise_for_status()

    async def close(self) -> None:
        """Close this http client, with its session."""
        if self._session is not None:
            await self._session.close()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        await self.close()
        return None


def _make_session(config: Config) -> Any:
    """Make an aiohttp session with the settings of a configuration."""
    try:
        from aiohttp import ClientError, ClientSession, ClientTimeout
    except ImportError as error:
        raise ImportError("a session needs the package aiohttp") from error
    options: dict[str, Any] = {
        "timeout": ClientTimeout(total=config.http_client_timeout),
        "headers": config.http_headers,
    }
    if config.oauth2_grant is not None:
        options["middlewares"] = [_oauth2_middleware(config)]
    session = ClientSession(**options)
    try:
        from aiohttp_retry import JitterRetry, RetryClient
    except ImportError:
        return session
    retry = JitterRetry(attempts=config.http_max_attempts, exceptions={ClientError})
    return RetryClient(client_session=session, retry_options=retry)


def _oauth2_middleware(config: Config) -> Any:
    try:
        from aiohttp_oauth2_client.middleware import OAuth2Middleware
    except ImportError as error:
        raise ImportError("OAuth2 in a session needs the package aiohttp-oauth2-client") from error
    grant: Any
    match config.oauth2_grant:
        case "device_code" | "urn:ietf:params:oauth:grant-type:device_code":
            from aiohttp_oauth2_client.grant.device_code import DeviceCodeGrant

            grant = DeviceCodeGrant(
                token_url=config.oauth2_token_url,
                device_authorization_url=config.oauth2_device_authorization_url,
                client_id=config.oauth2_client_id,
                pkce=config.oauth2_pkce,
                **config.oauth2_extra,
            )
        case "authorization_code":
            from aiohttp_oauth2_client.grant.authorization_code import AuthorizationCodeGrant

            grant = AuthorizationCodeGrant(
                token_url=config.oauth2_token_url,
                authorization_url=config.oauth2_authorization_url,
                client_id=config.oauth2_client_id,
                pkce=config.oauth2_pkce,
                **config.oauth2_extra,
            )
        case "password":
            from aiohttp_oauth2_client.grant import resource_owner_password_credentials as password

            grant = password.ResourceOwnerPasswordCredentialsGrant(
                token_url=config.oauth2_token_url,
                username=config.oauth2_username,
                password=config.oauth2_password,
                client_id=config.oauth2_client_id,
                **config.oauth2_extra,
            )
        case "client_credentials":
            from aiohttp_oauth2_client.grant.client_credentials import ClientCredentialsGrant

            grant = ClientCredentialsGrant(
                token_url=config.oauth2_token_url,
                client_id=config.oauth2_client_id,
                client_secret=config.oauth2_client_secret,
                **config.oauth2_extra,
            )
        case other:
            raise ValueError(f"Unknown grant type: {other}")
    return OAuth2Middleware(grant)
