"""The client for NASA's Earthdata."""

from __future__ import annotations

import os
from typing import Any, TypeVar

from .config import Config
from .http_client import HttpClient

__all__ = ["EarthdataClient"]

T = TypeVar("T", bound="EarthdataClient")


class EarthdataClient(HttpClient):
    """Access data from https://www.earthdata.nasa.gov/.

    To access data, you'll need a personal access token.

    1. Create a new personal access token by going to https://urs.earthdata.nasa.gov/profile and then clicking "Generate
       Token" (you'll need to log in).
    2. Set an environment variable named ``EARTHDATA_PAT`` to your token.
    3. Use `EarthdataClient.from_config` to create a new client.

    ``EARTHDATA_TOKEN``, ``EARTHDATA_USERNAME`` with ``EARTHDATA_PASSWORD``, and the login of urs.earthdata.nasa.gov in the
    netrc file do as well. The token goes to Earthdata's hosts and to no other.
    """

    name = "earthdata"

    @classmethod
    async def from_config(cls: type[T], config: Config) -> T:
        """Log in to Earthdata and return the default earthdata client.

        Args:
            config: A configuration object; ``earthdata_token`` is the token, if it is set.

        Raises:
            ValueError: there is no token
        """
        token = config.earthdata_token or os.environ.get("EARTHDATA_PAT")
        if token is None and not _can_log_in():
            raise ValueError(
                "token was not provided, and EARTHDATA_PAT environment variable not set"
            )
        own = config.copy()
        own.earthdata_token = token
        return await super().from_config(own)

    @classmethod
    async def login(cls: type[T], token: str | None = None) -> T:
        """Log in to Earthdata and return a client.

        Args:
            token: The Earthdata bearer token; read from ``EARTHDATA_PAT`` if it is not given.
        """
        return await cls.from_config(Config(earthdata_token=token))

    @classmethod
    def _native_name(cls) -> str:
        return "earthdata"

    @property
    def session(self) -> Any:
        """An aiohttp session that carries the token, made when it is first asked for."""
        if self._session is None and self._config is not None:
            from .http_client import _make_session

            own = self._config.copy()
            token = own.earthdata_token or os.environ.get("EARTHDATA_TOKEN")
            if token is not None:
                own.http_headers = own.http_headers | {"Authorization": f"Bearer {token}"}
            self._session = _make_session(own)
            self._made_session = self._asked_session = True
        return super().session

    @session.setter
    def session(self, session: Any) -> None:
        self._session = session
        self._made_session = False


def _can_log_in() -> bool:
    if os.environ.get("EARTHDATA_TOKEN"):
        return True
    if os.environ.get("EARTHDATA_USERNAME") and os.environ.get("EARTHDATA_PASSWORD"):
        return True
    import netrc

    try:
        return (
            netrc.netrc(os.environ.get("NETRC")).authenticators("urs.earthdata.nasa.gov")
            is not None
        )
    except (OSError, netrc.NetrcParseError):
        return False
