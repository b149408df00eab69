"""Credentials for NASA Earthdata: temporary keys for the buckets of its archives."""

from __future__ import annotations

import base64
import json
import netrc
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ._http import default_aiohttp_session, default_requests_session

if TYPE_CHECKING:
    from .._types import S3Config, S3Credential

__all__ = [
    "DEFAULT_EARTHDATA_HOST",
    "NasaEarthdataAsyncCredentialProvider",
    "NasaEarthdataCredentialProvider",
]

DEFAULT_EARTHDATA_HOST = "urs.earthdata.nasa.gov"
"""The host that users log in to."""

Auth = str | tuple[str, str] | None


def _auth_of_environment(host: str) -> Auth:
    if token := os.environ.get("EARTHDATA_TOKEN"):
        return token
    user, password = os.environ.get("EARTHDATA_USERNAME"), os.environ.get("EARTHDATA_PASSWORD")
    if user and password:
        return user, password
    try:
        found = netrc.netrc(os.environ.get("NETRC")).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return (found[0], found[2]) if found else None


def _credentials(reply: dict[str, str]) -> S3Credential:
    expires_at = datetime.fromisoformat(reply["expiration"].replace(" ", "T", 1))
    if expires_at.tzinfo is None:
        expires_at = expires_at.replace(tzinfo=UTC)
    return {
        "access_key_id": reply["accessKeyId"],
        "secret_access_key": reply["secretAccessKey"],
        "token": reply["sessionToken"],
        "expires_at": expires_at,
    }


class _Provider:
    """What both providers have in common.

    Args:
        credentials_url: where the archive hands out credentials.
        host: the host that users log in to; else ``EARTHDATA_HOST``, else the operational one.
        auth: a token, or user name and password; else ``EARTHDATA_TOKEN``, else ``EARTHDATA_USERNAME`` and
            ``EARTHDATA_PASSWORD``, else those of netrc. They are sent to `credentials_url` (a token) or to `host`
            (a password), and nowhere else.
        session: the HTTP session; it stays the caller's to close.
    """

    config: S3Config

    def __init__(
        self,
        credentials_url: str,
        *,
        host: str | None = None,
        auth: Auth = None,
        session: Any = None,
    ) -> None:
        # Direct access is for readers in the region of the archives.
        self.config = {"region": "us-west-2"}
        self._url = credentials_url
        self._host = host or os.environ.get("EARTHDATA_HOST") or DEFAULT_EARTHDATA_HOST
        self._auth = auth or _auth_of_environment(self._host)
        self._session = session
        self._is_ours = session is None
        self._is_closed = False

    def _open_session(self) -> Any:
        raise NotImplementedError

    @property
    def session(self) -> Any:
        """The HTTP session in use.

        Raises:
            ValueError: the provider has been closed.
        """
        if self._is_closed:
            raise ValueError("credential provider was closed")
        if self._session is None:
            self._session = self._open_session()
        return self._session

    def _release(self) -> Any:
        """Take the session away, when it is the provider's own."""
        if not self._is_ours:
            return None
        self._is_closed = True
        session, self._session = self._session, None
        return session

    def _password_for(self, location: str) -> tuple[str, str] | None:
        is_login = urlsplit(location).hostname == self._host
        return self._auth if is_login and isinstance(self._auth, tuple) else None

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._auth}"} if isinstance(self._auth, str) else {}

    def _refused(self) -> PermissionError:
        what = "token" if isinstance(self._auth, str) else "user name or password"
        return PermissionError(f"{self._host} did not accept the {what} for {self._url}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"


class NasaEarthdataCredentialProvider(_Provider):
    """Temporary keys for a bucket of NASA Earthdata, asked for with requests."""

    __doc__ += _Provider.__doc__.split("\n", 1)[1]  # type: ignore[operator, union-attr]

    def _open_session(self) -> Any:
        return default_requests_session()

    def __call__(self) -> S3Credential:
        """Ask for keys."""
        with self.session.get(self._url, allow_redirects=False, headers=self._bearer()) as reply:
            reply.raise_for_status()
            location = self.session.get_redirect_target(reply)
            if location is None:
                return _credentials(reply.json())
        if isinstance(self._auth, str):
            raise self._refused()
        with self.session.get(location, auth=self._password_for(location)) as reply:
            reply.raise_for_status()
            try:
                return _credentials(reply.json())
            except json.JSONDecodeError:
                raise self._refused() from None

    def close(self) -> None:
        """Close the session, when it is the provider's own."""
        if session := self._release():
            session.close()


class NasaEarthdataAsyncCredentialProvider(_Provider):
    """Temporary keys for a bucket of NASA Earthdata, asked for with aiohttp."""

    __doc__ += _Provider.__doc__.split("\n", 1)[1]  # type: ignore[operator, union-attr]

    def _open_session(self) -> Any:
        return default_aiohttp_session()

    async def __call__(self) -> S3Credential:
        """Ask for keys."""
        headers = self._bearer()
        async with self.session.get(self._url, allow_redirects=False, headers=headers) as reply:
            reply.raise_for_status()
            location = reply.headers.get("Location") if 300 <= reply.status < 400 else None
            if location is None:
                return _credentials(await reply.json(content_type=None))
        if isinstance(self._auth, str):
            raise self._refused()
        # aiohttp would repeat the password on redirects to other hosts: each step is taken by hand.
        for _ in range(10):
            headers = {}
            if password := self._password_for(location):
                encoded = base64.b64encode(":".join(password).encode()).decode()
                headers = {"Authorization": f"Basic {encoded}"}
            async with self.session.get(location, headers=headers, allow_redirects=False) as reply:
                reply.raise_for_status()
                if not 300 <= reply.status < 400:
                    try:
                        return _credentials(await reply.json(content_type=None))
                    except json.JSONDecodeError:
                        raise self._refused() from None
                location = reply.headers["Location"]
        raise self._refused()

    async def close(self) -> None:
        """Close the session, when it is the provider's own."""
        if session := self._release():
            await session.close()
