"""The client for Microsoft's Planetary Computer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._url import url_class, url_of
from .http_client import HttpClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from yarl import URL

    from .types import MessageQueue

__all__ = ["DEFAULT_SAS_TOKEN_ENDPOINT", "PlanetaryComputerClient"]

DEFAULT_SAS_TOKEN_ENDPOINT = "https://planetarycomputer.microsoft.com/api/sas/v1/token"


class PlanetaryComputerClient(HttpClient):
    """Open and download assets from Microsoft's Planetary Computer.

    Urls are signed with a SAS token from ``sas_token_endpoint``; tokens are kept and renewed before they expire. Not
    every url is signed. It is if

    - it is in Azure blob storage,
    - it is not in the public thumbnail storage account,
    - it has no signature that still holds.

    Blobs of accounts that the endpoint does not know are read with the Azure credentials of the environment, or without
    any. ``PC_SDK_SUBSCRIPTION_KEY`` and ``PC_SDK_SAS_URL`` are honoured.
    """

    name = "planetary-computer"

    def __init__(
        self,
        session: Any = None,
        assert_content_type: bool | str | None = None,
        sas_token_endpoint: str | None = None,
        *,
        check_content_type: bool | None = None,
    ) -> None:
        # The endpoint was the second argument once.
        if isinstance(assert_content_type, str):
            assert_content_type, sas_token_endpoint = None, assert_content_type
        super().__init__(session, assert_content_type, check_content_type=check_content_type)
        self._given_endpoint = sas_token_endpoint
        self.sas_token_endpoint: URL = url_class()(sas_token_endpoint or DEFAULT_SAS_TOKEN_ENDPOINT)
        """Where tokens come from."""

    def _changes(self) -> dict[str, Any]:
        endpoint = self._given_endpoint
        if str(self.sas_token_endpoint) != (endpoint or DEFAULT_SAS_TOKEN_ENDPOINT):
            endpoint = str(self.sas_token_endpoint)
        return {"sas_token_endpoint": endpoint} if endpoint is not None else {}

    @classmethod
    def _native_name(cls) -> str:
        return "planetary-computer"

    async def _open_with_session(
        self,
        url: URL,
        content_type: str | None,
        messages: MessageQueue | None,
        stream: bool | None,
    ) -> AsyncIterator[bytes]:
        signed = url_of(await self._get_core().sign(str(url)))
        async for chunk in super()._open_with_session(signed, content_type, messages, stream):
            yield chunk

    async def assert_href_exists(self, href: str) -> None:
        """Assert that the href exists.

        Uses a HEAD request on a signed url.
        """
        if not self._is_native():
            href = await self._get_core().sign(href)
        await super().assert_href_exists(href)
