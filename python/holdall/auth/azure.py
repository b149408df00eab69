"""Credentials for Azure from azure-identity."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ._http import missing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._types import AzureBearerToken

__all__ = ["AzureAsyncCredentialProvider", "AzureCredentialProvider"]

DEFAULT_SCOPES = ("https://storage.azure.com/.default",)
"""The scope of Azure Storage."""


def _bearer(token: Any) -> AzureBearerToken:
    return {"token": token.token, "expires_at": datetime.fromtimestamp(token.expires_on, UTC)}


class AzureCredentialProvider:
    """Tokens of a credential of azure-identity.

    Args:
        credential: the credential; `DefaultAzureCredential` when it is None.
        scopes: what the tokens are for.
        tenant_id: the tenant, where it is not the credential's own.
    """

    def __init__(
        self,
        credential: Any = None,
        *,
        scopes: Iterable[str] = DEFAULT_SCOPES,
        tenant_id: str | None = None,
    ) -> None:
        if credential is None:
            try:
                from azure.identity import DefaultAzureCredential
            except ImportError:
                raise missing("azure-identity", "this credential provider") from None
            credential = DefaultAzureCredential()
        self._credential = credential
        self._scopes = tuple(scopes)
        self._tenant_id = tenant_id

    def __call__(self) -> AzureBearerToken:
        """Return a token."""
        return _bearer(self._credential.get_token(*self._scopes, tenant_id=self._tenant_id))


class AzureAsyncCredentialProvider:
    """Tokens of an asynchronous credential of azure-identity; see `AzureCredentialProvider`."""

    def __init__(
        self,
        credential: Any = None,
        *,
        scopes: Iterable[str] = DEFAULT_SCOPES,
        tenant_id: str | None = None,
    ) -> None:
        if credential is None:
            try:
                from azure.identity.aio import DefaultAzureCredential
            except ImportError:
                raise missing("azure-identity", "this credential provider") from None
            credential = DefaultAzureCredential()
        self._credential = credential
        self._scopes = tuple(scopes)
        self._tenant_id = tenant_id

    async def __call__(self) -> AzureBearerToken:
        """Return a token."""
        return _bearer(await self._credential.get_token(*self._scopes, tenant_id=self._tenant_id))
