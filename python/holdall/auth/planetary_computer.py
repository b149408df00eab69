"""Credentials for the Planetary Computer: shared access signatures for its containers on Azure."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ._http import default_aiohttp_session, default_requests_session

if TYPE_CHECKING:
    from typing import Self

    from .._types import AzureConfig, AzureSASToken

__all__ = ["PlanetaryComputerAsyncCredentialProvider", "PlanetaryComputerCredentialProvider"]

_SAS_URL = "https://planetarycomputer.microsoft.com/api/sas/v1/token"
_SETTINGS_FILE = Path("~/.planetarycomputer/settings.env")
_BLOB_HOST = ".blob.core.windows.net"


def _setting(given: str | None, name: str) -> str | None:
    """Return a setting: as given, of the environment, or of the settings file."""
    if given is not None:
        return given
    if value := os.environ.get(name):
        return value
    path = _SETTINGS_FILE.expanduser()
    if not path.is_file():
        return None
    try:
        from dotenv import dotenv_values
    except ImportError:
        return None
    return dotenv_values(path).get(name)


def _place(
    url: str | None, account_name: str | None, container_name: str | None
) -> tuple[str, str, str | None]:
    """Return account, container and prefix."""
    if url is None:
        if account_name is None or container_name is None:
            raise ValueError("account_name and container_name must both be given when url is not")
        return account_name, container_name, None
    if container_name is not None:
        raise ValueError("Cannot pass container_name when passing url.")
    parts = urlsplit(url.rstrip("/"))
    if parts.scheme == "abfs":
        if not account_name:
            raise ValueError("account_name must be given for abfs URLs")
        container = parts.netloc.partition("@")[0]
        return account_name, container, parts.path.strip("/") or None
    if account_name is not None:
        raise ValueError("Cannot pass account_name when passing an https URL of blob storage.")
    if not parts.netloc.endswith(_BLOB_HOST):
        raise ValueError(f"not a URL of blob storage (ACCOUNT{_BLOB_HOST}): {url}")
    container, _, prefix = parts.path.strip("/").partition("/")
    if not container:
        raise ValueError(f"the URL names no container: {url}")
    return parts.netloc.removesuffix(_BLOB_HOST), container, prefix or None


def _of_asset(asset: Any) -> tuple[str, str | None]:
    """Return the href of an asset and the account that its fields name."""
    fields = asset if isinstance(asset, dict) else vars(asset)
    extra = fields.get("extra_fields") or fields
    for name in ("xarray:storage_options", "table:storage_options"):
        options = extra.get(name)
        if isinstance(options, dict):
            return fields["href"], options.get("account_name")
    return fields["href"], None


class _Provider:
    """What both providers have in common.

    Args:
        url: an ``https`` or ``abfs`` URL of blob storage; ``abfs`` needs `account_name`.
        account_name: the storage account, when `url` does not name it.
        container_name: the container, when there is no `url`.
        session: the HTTP session for asking for tokens.
        subscription_key: a key of the Planetary Computer; else ``PC_SDK_SUBSCRIPTION_KEY`` of the environment or of
            ``~/.planetarycomputer/settings.env`` (with python-dotenv), else none, and requests are throttled.
        sas_url: the URL of the token service; else ``PC_SDK_SAS_URL``, else the public one.
    """

    config: AzureConfig
    prefix: str | None

    def __init__(
        self,
        url: str | None = None,
        *,
        account_name: str | None = None,
        container_name: str | None = None,
        session: Any = None,
        subscription_key: str | None = None,
        sas_url: str | None = None,
    ) -> None:
        account, container, self.prefix = _place(url, account_name, container_name)
        self.config = {"account_name": account, "container_name": container}
        service = (_setting(sas_url, "PC_SDK_SAS_URL") or _SAS_URL).rstrip("/")
        self._url = f"{service}/{account}/{container}"
        self._key = _setting(subscription_key, "PC_SDK_SUBSCRIPTION_KEY")
        self._session = session

    @classmethod
    def from_asset(
        cls,
        asset: Any,
        *,
        session: Any = None,
        subscription_key: str | None = None,
        sas_url: str | None = None,
    ) -> Self:
        """Make a provider for the container of a STAC asset, given as `pystac.Asset` or dictionary."""
        url, account_name = _of_asset(asset)
        return cls(
            url,
            account_name=account_name,
            session=session,
            subscription_key=subscription_key,
            sas_url=sas_url,
        )

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": "holdall"}
        if self._key:
            headers["Ocp-Apim-Subscription-Key"] = self._key
        return headers

    def __repr__(self) -> str:
        account, container = self.config["account_name"], self.config["container_name"]
        return f"{type(self).__name__}(account_name={account!r}, container_name={container!r})"


def _token(reply: dict[str, str]) -> AzureSASToken:
    expires_at = datetime.fromisoformat(reply["msft:expiry"].replace("Z", "+00:00"))
    return {"sas_token": reply["token"], "expires_at": expires_at}


class PlanetaryComputerCredentialProvider(_Provider):
    """Signatures for a container of the Planetary Computer, asked for with requests."""

    __doc__ += _Provider.__doc__.split("\n", 1)[1]  # type: ignore[operator, union-attr]

    def __call__(self) -> AzureSASToken:
        """Ask for a signature."""
        if self._session is None:
            self._session = default_requests_session()
        reply = self._session.get(self._url, headers=self._headers())
        reply.raise_for_status()
        return _token(reply.json())


class PlanetaryComputerAsyncCredentialProvider(_Provider):
    """Signatures for a container of the Planetary Computer, asked for with aiohttp."""

    __doc__ += _Provider.__doc__.split("\n", 1)[1]  # type: ignore[operator, union-attr]

    async def __call__(self) -> AzureSASToken:
        """Ask for a signature."""
        if self._session is not None:
            return await self._ask(self._session)
        # Sessions belong to an event loop, and this provider may be used on several: one that is not the caller's
        # lives as long as the question, which is asked once in half an hour or so.
        async with default_aiohttp_session() as session:
            return await self._ask(session)

    async def _ask(self, session: Any) -> AzureSASToken:
        async with session.get(self._url, headers=self._headers()) as reply:
            reply.raise_for_status()
            return _token(await reply.json())
