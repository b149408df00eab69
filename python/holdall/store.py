"""Store classes, and `from_url`, which picks one by URL."""

from __future__ import annotations

import os

from ._holdall import (
    AISStore,
    AzureStore,
    CachedStore,
    GCSStore,
    HTTPStore,
    LocalStore,
    MemoryStore,
    ObjectStoreMethods,
    S3Store,
    parse_scheme,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from ._types import (
        AzureAccessKey,
        AzureBearerToken,
        AzureConfig,
        AzureCredential,
        AzureCredentialProvider,
        AzureSASToken,
        BackoffConfig,
        ClientConfig,
        GCSConfig,
        GCSCredential,
        GCSCredentialProvider,
        RetryConfig,
        S3Config,
        S3Credential,
        S3CredentialProvider,
    )
else:

    def __getattr__(name: str) -> object:
        """Import the types of arguments when somebody asks for one: with `typing`, they take longer than the rest."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import _types

        return getattr(_types, name)


__all__ = [
    "AISStore",
    "AzureAccessKey",
    "AzureBearerToken",
    "AzureConfig",
    "AzureCredential",
    "AzureCredentialProvider",
    "AzureSASToken",
    "AzureStore",
    "BackoffConfig",
    "CachedStore",
    "ClientConfig",
    "GCSConfig",
    "GCSCredential",
    "GCSCredentialProvider",
    "GCSStore",
    "HTTPStore",
    "LocalStore",
    "MemoryStore",
    "ObjectStore",
    "ObjectStoreMethods",
    "PrefixStore",
    "RetryConfig",
    "S3Config",
    "S3Credential",
    "S3CredentialProvider",
    "S3Store",
    "from_url",
]

ObjectStore: TypeAlias = (
    AISStore | AzureStore | CachedStore | GCSStore | HTTPStore | LocalStore | MemoryStore | S3Store
)
"""Any store."""

_AIS = frozenset({"ais", "ais+s3", "ais+gs", "ais+az", "ais+oc"})
"""Schemes of buckets of AIStore: its own, and those of clouds behind it."""

_CLOUD: dict[str, Any] = {"s3": S3Store, "gcs": GCSStore, "azure": AzureStore}


def from_url(
    url: str | os.PathLike[str],
    *,
    config: S3Config | GCSConfig | AzureConfig | None = None,
    client_options: ClientConfig | None = None,
    retry_config: RetryConfig | None = None,
    credential_provider: Any = None,
    **kwargs: Any,
) -> ObjectStore:
    """Open the store that a URL names; the path becomes its prefix.

    Schemes: ``s3 s3a gs gcs az azure adl abfs abfss http https file memory``, ``ais`` for buckets of AIStore
    (``ais+s3 ais+gs ais+az ais+oc`` for those of clouds behind a cluster), the HTTPS hosts of the clouds, and plain paths
    of the local file system.

    Args:
        url: the URL.
        config: settings of the store; they beat what the URL says, which beats the environment.
        client_options: settings of the HTTP client.
        retry_config: how failed requests are repeated.
        credential_provider: a callable that returns credentials.
        kwargs: more settings; for local stores ``mkdir`` and ``automatic_cleanup``.

    Raises:
        InvalidUrlError: the URL does not follow the grammar (also a ValueError).
        UnknownConfigurationKeyError: a setting is not known to the store; the nearest one is named.
    """
    text = os.fspath(url)
    if text.partition("://")[0] in _AIS:
        if credential_provider is not None:
            _refuse("credential_provider", "ais")
        return AISStore.from_url(
            text,
            config=config,  # type: ignore[arg-type]
            client_options=client_options,
            retry_config=retry_config,
            **kwargs,
        )
    is_plain_path = isinstance(url, os.PathLike) or text.startswith(("/", "./", "../"))
    scheme = "local" if is_plain_path else parse_scheme(text)
    if scheme in _CLOUD:
        return _CLOUD[scheme].from_url(
            text,
            config=config,
            client_options=client_options,
            retry_config=retry_config,
            credential_provider=credential_provider,
            **kwargs,
        )
    if credential_provider is not None:
        _refuse("credential_provider", scheme)
    allowed = {"mkdir", "automatic_cleanup"} if scheme == "local" else set()
    for key in (*(config or {}), *(key for key in kwargs if key not in allowed)):
        _refuse(key, scheme)
    if scheme == "http":
        return HTTPStore.from_url(text, client_options=client_options, retry_config=retry_config)
    for key, value in (("client_options", client_options), ("retry_config", retry_config)):
        if value is not None:
            _refuse(key, scheme)
    if scheme == "memory":
        return MemoryStore()
    if is_plain_path:
        return LocalStore(text, **kwargs)
    return LocalStore.from_url(text, **kwargs)


def _refuse(key: str, scheme: str) -> None:
    from .exceptions import UnknownConfigurationKeyError

    raise UnknownConfigurationKeyError(
        f"'{key}' is not valid for {scheme} stores, which have no such setting"
    )


def PrefixStore(store: ObjectStore, prefix: str) -> ObjectStore:
    """Return `store` below `prefix`; the same as ``store.with_prefix(prefix)``."""
    from ._foreign import as_store

    ours: Any = as_store(store)
    return ours.with_prefix(prefix)
