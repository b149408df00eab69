"""Configuration."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import dataclass, field
from typing import Any

from .errors import ConfigError
from .strategy import ErrorStrategy, FileNameStrategy

__all__ = [
    "Config",
    "DEFAULT_HTTP_CLIENT_TIMEOUT",
    "DEFAULT_HTTP_MAX_ATTEMPTS",
    "DEFAULT_S3_MAX_ATTEMPTS",
    "DEFAULT_S3_REGION_NAME",
    "DEFAULT_S3_RETRY_MODE",
]

DEFAULT_S3_REGION_NAME = "us-west-2"
DEFAULT_S3_RETRY_MODE = "adaptive"
DEFAULT_S3_MAX_ATTEMPTS = 10
DEFAULT_HTTP_MAX_ATTEMPTS = 10
DEFAULT_HTTP_CLIENT_TIMEOUT = 300


def _env(name: str) -> Any:
    return field(default_factory=lambda: os.getenv(name))


def _secret_env(name: str) -> Any:
    return field(default_factory=lambda: os.getenv(name), repr=False)


@dataclass
class Config:
    """Configuration for downloading items and their assets."""

    alternate_assets: list[str] = field(default_factory=list)
    """Alternate asset keys to prefer, if available."""

    file_name_strategy: FileNameStrategy = FileNameStrategy.FILE_NAME
    """The file name strategy to use when downloading assets."""

    warn: bool = False
    """If an error occurs during download, warn instead of raising the error."""

    fail_fast: bool = False
    """If an error occurs during download, fail immediately.

    By default, all downloads are completed before raising/warning any errors. Mutually exclusive with ``warn``.
    """

    error_strategy: ErrorStrategy = ErrorStrategy.DELETE
    """The strategy to use when errors occur during download."""

    exclude: list[str] = field(default_factory=list)
    """Assets to exclude from the download, by key or pattern (``B*``).

    Mutually exclusive with ``include``.
    """

    include: list[str] = field(default_factory=list)
    """Assets to include in the download, by key or pattern (``B*``).

    Mutually exclusive with ``exclude``.
    """

    make_directory: bool = True
    """Whether to create the output directory.

    If False, and the output directory does not exist, an error will be raised.
    """

    clean: bool = True
    """If true, clean up the downloaded file if it errors.

    A file never has its final name before it is whole, whatever is said here.
    """

    overwrite: bool = False
    """Download files even if they already exist locally.

    Files that exist are skipped if they have the size and the checksum that their asset says.
    """

    client_override: str | None = None
    """Use the same client for all asset requests.

    If not set, each asset's client will be guessed from its href.
    """

    http_client_timeout: float | None = DEFAULT_HTTP_CLIENT_TIMEOUT
    """Longest silence of a request in seconds, in any of its phases; None waits for ever.

    Waiting for a turn does not count, and a body that is moving is never cut.
    """

    http_max_attempts: int = DEFAULT_HTTP_MAX_ATTEMPTS
    """The maximum number of attempts when downloading assets via http."""

    http_assert_content_type: bool = False
    """If true, an asset's content type that is not that of the server's response is an error; a warning otherwise."""

    http_headers: dict[str, str] = field(default_factory=dict, repr=False)
    """Extra headers to include in every http request; they do not follow redirects to other hosts."""

    earthdata_token: str | None = field(default=None, repr=False)
    """A token for logging in to Earthdata."""

    s3_region_name: str = DEFAULT_S3_REGION_NAME
    """The s3 region; with the default, each bucket is asked for its own."""

    s3_requester_pays: bool = False
    """If using the s3 client, enable requester pays."""

    s3_retry_mode: str = DEFAULT_S3_RETRY_MODE
    """The retry mode to use for s3 requests. Requests are repeated with growing pauses under each of them."""

    s3_max_attempts: int = DEFAULT_S3_MAX_ATTEMPTS
    """The maximum number of attempts when downloading assets from s3 and other stores."""

    s3_endpoint_url: str | None = None
    """Set an optional custom endpoint url for s3."""

    oauth2_grant: str | None = _env("OAUTH2_GRANT")
    """OAuth2 grant type: ``client_credentials``, ``password``, ``device_code`` or ``authorization_code``.

    If a value is provided for this field, http requests carry OAuth2 access tokens. Can be configured with the
    ``OAUTH2_GRANT`` environment variable.
    """

    oauth2_token_url: str | None = _env("OAUTH2_TOKEN_URL")
    """OAuth2 token URL; also ``OAUTH2_TOKEN_URL``."""

    oauth2_authorization_url: str | None = _env("OAUTH2_AUTHORIZATION_URL")
    """OAuth2 authorization URL; also ``OAUTH2_AUTHORIZATION_URL``."""

    oauth2_device_authorization_url: str | None = _env("OAUTH2_DEVICE_AUTHORIZATION_URL")
    """OAuth2 device authorization URL; also ``OAUTH2_DEVICE_AUTHORIZATION_URL``."""

    oauth2_client_id: str | None = _env("OAUTH2_CLIENT_ID")
    """OAuth2 client identifier; also ``OAUTH2_CLIENT_ID``."""

    oauth2_client_secret: str | None = _secret_env("OAUTH2_CLIENT_SECRET")
    """OAuth2 client secret; also ``OAUTH2_CLIENT_SECRET``."""

    oauth2_pkce: bool = field(
        default_factory=lambda: os.getenv("OAUTH2_PKCE", "true").lower() not in ("false", "0")
    )
    """OAuth2 Proof Key for Code Exchange; also ``OAUTH2_PKCE``. By default, PKCE is enabled."""

    oauth2_username: str | None = _env("OAUTH2_USERNAME")
    """OAuth2 username for resource owner password credentials grant; also ``OAUTH2_USERNAME``."""

    oauth2_password: str | None = _secret_env("OAUTH2_PASSWORD")
    """OAuth2 password for resource owner password credentials grant; also ``OAUTH2_PASSWORD``."""

    oauth2_extra: dict[str, str] = field(default_factory=dict, repr=False)
    """Extra configuration options for the OAuth2 grant, such as ``scope``."""

    verify: bool = True
    """Compare files with the ``file:size`` and the ``file:checksum`` of their assets; an `IntegrityError` otherwise."""

    checksum: str | None = None
    """Compute this checksum of every file: ``sha2-256``, ``blake3``, ``md5``, ..."""

    naming: str | None = None
    """How files are called, in place of ``file_name_strategy``: ``file-name``, ``key``, ``local-path``
    (``file:local_path``), or a template with ``${asset.key}``, ``${asset.stem}``, ``${asset.ext}``."""

    subdirectories: bool = False
    """Slashes in keys make sub-directories; they become underscores otherwise."""

    rename: bool = False
    """Rename files that would overwrite each other; otherwise they are refused."""

    roles: list[str] = field(default_factory=list)
    """Only assets with one of these roles."""

    media_types: list[str] = field(default_factory=list)
    """Only assets whose media type fits one of these patterns (``image/*``)."""

    bands: list[str] = field(default_factory=list)
    """Only assets with a band of one of these names or common names."""

    max_size: int | None = None
    """Only assets of at most so many bytes by their ``file:size``."""

    fallback: bool = False
    """Try the other alternates of an asset when its href fails."""

    keep_alternate: str | None = None
    """Keep the old href of each asset as an alternate of this name."""

    credentials: dict[str, str] = field(default_factory=dict, repr=False)
    """Credentials by the key of an authentication scheme, or by host (with its port or without): ``bearer:TOKEN``,
    ``basic:USER:PASSWORD`` or ``key:VALUE``."""

    sas_token_endpoint: str | None = None
    """Where the Planetary Computer gives tokens."""

    earthdata_s3_credentials: str | None = None
    """Who gives Earthdata's users keys for S3 (``https://.../s3credentials``).

    If not set, it is known for NASA's buckets, and for those whose files the same document has with https hrefs as well.
    """

    store_config: dict[str, str] = field(default_factory=dict, repr=False)
    """Settings of the stores that are read, as `holdall.store` takes them."""

    target_config: dict[str, str] = field(default_factory=dict, repr=False)
    """Settings of the store that is written to; those of the environment apply as well."""

    def validate(self) -> None:
        """Validate this configuration.

        Raises:
            ConfigError: ``include`` and ``exclude`` are mutually exclusive, as are ``warn`` and ``fail_fast``
        """
        if self.include and self.exclude:
            raise ConfigError(
                f"cannot provide both include and exclude: include={self.include}, "
                f"exclude={self.exclude}"
            )
        if self.warn and self.fail_fast:
            raise ConfigError("cannot warn and fail fast at the same time")

    def copy(self) -> Config:
        """Return a deep copy of this config."""
        return copy.deepcopy(self)

    def _naming(self) -> str:
        if self.naming is not None:
            return self.naming
        match self.file_name_strategy:
            case FileNameStrategy.FILE_NAME:
                return "file-name"
            case FileNameStrategy.KEY:
                return "key"
            case other:
                raise ValueError(f"unexpected file name strategy: {other}")

    def _client_json(self, **changes: Any) -> str:
        """Return the settings of clients as the native half reads them."""
        oauth2 = None
        if self.oauth2_grant is not None:
            oauth2 = {
                "grant": self.oauth2_grant,
                "token_url": self.oauth2_token_url,
                "authorization_url": self.oauth2_authorization_url,
                "device_authorization_url": self.oauth2_device_authorization_url,
                "client_id": self.oauth2_client_id,
                "client_secret": self.oauth2_client_secret,
                "username": self.oauth2_username,
                "password": self.oauth2_password,
                "pkce": self.oauth2_pkce,
                "extra": {key: str(value) for key, value in self.oauth2_extra.items()},
            }
        settings: dict[str, Any] = {
            "client_override": None,
            "http_timeout": self.http_client_timeout,
            "http_max_attempts": self.http_max_attempts,
            "http_assert_content_type": self.http_assert_content_type,
            "http_headers": list(self.http_headers.items()),
            "earthdata_token": self.earthdata_token,
            "earthdata_s3_credentials": self.earthdata_s3_credentials,
            "s3_region_name": self.s3_region_name,
            "s3_requester_pays": self.s3_requester_pays,
            "s3_max_attempts": self.s3_max_attempts,
            "s3_endpoint_url": self.s3_endpoint_url,
            "sas_token_endpoint": self.sas_token_endpoint,
            "oauth2": oauth2,
            "credentials": self.credentials,
            "store_config": self.store_config,
        }
        return json.dumps(settings | changes)

    def _plan_json(self, path_template: str | None) -> str:
        return json.dumps(
            {
                "include": list(self.include),
                "exclude": list(self.exclude),
                "roles": list(self.roles),
                "media_types": list(self.media_types),
                "bands": list(self.bands),
                "max_size": self.max_size,
                "naming": self._naming(),
                "path_template": path_template,
                "subdirectories": self.subdirectories,
                "rename": self.rename,
                "alternate_assets": list(self.alternate_assets),
                "fallback": self.fallback,
                "target_config": self.target_config,
            }
        )

    def _run_json(self, max_concurrent: int, **changes: Any) -> str:
        settings = {
            "overwrite": self.overwrite,
            "make_directory": self.make_directory,
            "clean": self.clean,
            "fail_fast": self.fail_fast,
            "verify": self.verify,
            "checksum": self.checksum,
            "max_concurrent": max_concurrent,
            "target_config": self.target_config,
        }
        return json.dumps(settings | changes)
