"""Credentials for S3 from boto3 sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ._http import missing

if TYPE_CHECKING:
    from .._types import S3Config, S3Credential

__all__ = ["Boto3CredentialProvider", "StsCredentialProvider"]


def _default_session() -> Any:
    try:
        import boto3
    except ImportError:
        raise missing("boto3", "this credential provider") from None
    return boto3.Session()


def _region(session: Any) -> str | None:
    region = getattr(session, "region_name", None)
    # Sessions of botocore keep it among their variables.
    if region is None and hasattr(session, "get_config_variable"):
        region = session.get_config_variable("region")
    return region


class Boto3CredentialProvider:
    """Credentials of a session of boto3 or botocore.

    Args:
        session: the session; boto3's default when it is None.
        ttl: how long credentials are used before the session is asked again.
    """

    config: S3Config

    def __init__(self, session: Any = None, *, ttl: timedelta = timedelta(minutes=30)) -> None:
        self.session = session if session is not None else _default_session()
        self.ttl = ttl
        region = _region(self.session)
        self.config = {"region": region} if region is not None else {}
        self._credentials = self.session.get_credentials()
        if self._credentials is None:
            raise ValueError("the session has no credentials")

    def __call__(self) -> S3Credential:
        """Return the session's credentials."""
        expires_at = datetime.now(UTC) + self.ttl
        frozen = self._credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": expires_at,
        }


class StsCredentialProvider:
    """Temporary credentials of a role.

    Args:
        session: the session that assumes the role; boto3's default when it is None.
        kwargs: arguments of `assume_role` of boto3's STS client, such as ``RoleArn`` and ``RoleSessionName``.
    """

    config: S3Config

    def __init__(self, session: Any = None, **kwargs: Any) -> None:
        self.session = session if session is not None else _default_session()
        region = _region(self.session)
        self.config = {"region": region} if region is not None else {}
        self._client = self.session.client("sts")
        self._role = kwargs

    def __call__(self) -> S3Credential:
        """Assume the role."""
        granted = self._client.assume_role(**self._role)["Credentials"]
        expires_at = granted["Expiration"]
        if expires_at.tzinfo is None:
            expires_at = expires_at.replace(tzinfo=UTC)
        return {
            "access_key_id": granted["AccessKeyId"],
            "secret_access_key": granted["SecretAccessKey"],
            "token": granted["SessionToken"],
            "expires_at": expires_at,
        }
