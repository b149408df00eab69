"""Credentials for Google Cloud Storage from google-auth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ._http import missing

if TYPE_CHECKING:
    from .._types import GCSCredential

__all__ = ["GoogleAsyncCredentialProvider", "GoogleCredentialProvider"]

# Google's token server hands out the same token until 3:45 before it ends, so asking earlier is in vain.
_THRESHOLD = timedelta(minutes=3, seconds=45)


def _google_auth() -> Any:
    try:
        import google.auth
    except ImportError:
        raise missing("google-auth", "this credential provider") from None
    return google.auth


def _utc(expiry: datetime | None) -> datetime | None:
    # google-auth gives times in UTC without saying so.
    return expiry.replace(tzinfo=UTC) if expiry is not None and expiry.tzinfo is None else expiry


class GoogleCredentialProvider:
    """Tokens of credentials of google-auth.

    Args:
        credentials: the credentials; the application's default when they are None.
        request: the transport for refreshing them.
        refresh_threshold: tokens that end within this time are refreshed.
    """

    def __init__(
        self,
        credentials: Any = None,
        *,
        request: Any = None,
        refresh_threshold: timedelta = _THRESHOLD,
    ) -> None:
        if credentials is None:
            credentials, _ = _google_auth().default()
        if request is None:
            from google.auth.transport.requests import Request

            request = Request()
        self.credentials = credentials
        self.request = request
        self.refresh_threshold = refresh_threshold

    def __call__(self) -> GCSCredential:
        """Refresh the credentials and return their token."""
        self.credentials.refresh(self.request)
        return {"token": self.credentials.token, "expires_at": _utc(self.credentials.expiry)}


class GoogleAsyncCredentialProvider:
    """Tokens of asynchronous credentials of google-auth; see `GoogleCredentialProvider`."""

    def __init__(
        self,
        credentials: Any = None,
        *,
        request: Any = None,
        refresh_threshold: timedelta = _THRESHOLD,
    ) -> None:
        if credentials is None:
            _google_auth()
            from google.auth._default_async import default_async

            credentials, _ = default_async()
        if request is None:
            from google.auth.transport._aiohttp_requests import Request

            request = Request()
        self.credentials = credentials
        self.request = request
        self.refresh_threshold = refresh_threshold

    async def __call__(self) -> GCSCredential:
        """Refresh the credentials and return their token."""
        await self.credentials.refresh(self.request)
        return {"token": self.credentials.token, "expires_at": _utc(self.credentials.expiry)}
