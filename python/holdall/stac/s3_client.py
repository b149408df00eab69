"""The client for S3."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .client import _NativeClient
from .config import (
    DEFAULT_S3_MAX_ATTEMPTS,
    DEFAULT_S3_REGION_NAME,
    DEFAULT_S3_RETRY_MODE,
    Config,
)

__all__ = ["S3Client"]

_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


class S3Client(_NativeClient):
    """A client for interacting with s3 urls.

    Requests are signed with the credentials of the environment and of ``~/.aws``, where there are any, and repeated without
    them if the bucket refuses. To use the ``requester_pays`` option, you need to configure your AWS credentials.
    """

    name = "s3"

    @classmethod
    async def from_config(cls, config: Config) -> S3Client:
        """Create an s3 client from a config.

        Args:
            config: The config object
        """
        client = cls(
            requester_pays=config.s3_requester_pays,
            region_name=config.s3_region_name,
            retry_mode=config.s3_retry_mode,
            max_attempts=config.s3_max_attempts,
            endpoint_url=config.s3_endpoint_url,
        )
        client._config = config.copy()
        return client

    def __init__(
        self,
        requester_pays: bool = False,
        region_name: str = DEFAULT_S3_REGION_NAME,
        retry_mode: str = DEFAULT_S3_RETRY_MODE,
        max_attempts: int = DEFAULT_S3_MAX_ATTEMPTS,
        endpoint_url: str | None = None,
    ) -> None:
        super().__init__()
        if retry_mode not in ("adaptive", "legacy", "standard"):
            raise ValueError(
                f"Invalid value provided to 'mode': {retry_mode!r} must be one of: legacy, standard, adaptive"
            )
        self.region_name: str = region_name
        """The region; with the default, each bucket is asked for its own."""

        self.requester_pays: bool = requester_pays
        """If True, enable access to requester pays buckets."""

        self.retry_mode: str = retry_mode
        """The retry mode, one of "adaptive", "legacy", or "standard"."""

        self.max_attempts: int = max_attempts
        """The maximum number of attempts."""

        self.endpoint_url: str | None = endpoint_url
        """The URL of an S3-compatible service."""

    @property
    def session(self) -> Any:
        """An aiobotocore session, for programs that ask for it; requests do not go through it."""
        try:
            import aiobotocore.session
        except ImportError as error:
            raise ImportError("a session needs the package aiobotocore") from error
        return aiobotocore.session.get_session()

    def _settings(self) -> str:
        return (self._config or Config())._client_json(
            client_override="s3",
            s3_region_name=self.region_name,
            s3_requester_pays=self.requester_pays,
            s3_max_attempts=self.max_attempts,
            s3_endpoint_url=self.endpoint_url,
        )

    async def has_credentials(self) -> bool:
        """Return true if there are credentials to sign requests with."""
        if any(os.environ.get(name) for name in _CREDENTIALS):
            return True
        file = os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
        return (Path(file) if file else Path.home() / ".aws" / "credentials").is_file()
