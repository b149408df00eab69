"""Types of arguments and results, importable at run time."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypedDict, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ._transfer import Outcome
elif sys.version_info >= (3, 12):
    from collections.abc import Buffer
else:
    # The buffer protocol has no class before Python 3.12.
    Buffer: TypeAlias = Any


class ObjectMeta(TypedDict):
    """The description of an object."""

    path: str
    """The key, relative to the store's prefix."""
    last_modified: datetime
    """When the object was written, in UTC."""
    size: int
    """Length in bytes."""
    e_tag: str | None
    """The entity tag, where the store has one."""
    version: str | None
    """The version, where the store keeps versions."""


class ObjectVersion(ObjectMeta):
    """One version of an object."""

    is_latest: bool
    """Whether a read without a version returns this one."""
    is_delete_marker: bool
    """Whether it records a deletion."""


class PutResult(TypedDict):
    """What writing an object returns."""

    e_tag: str | None
    version: str | None


class UpdateVersion(TypedDict, total=False):
    """The version that an object must have to be replaced."""

    e_tag: str | None
    version: str | None


PutMode: TypeAlias = Literal["create", "overwrite"] | UpdateVersion
"""How to write: `"overwrite"`, `"create"`, or just over a version."""


class OffsetRange(TypedDict):
    """All bytes from an offset on."""

    offset: int


class SuffixRange(TypedDict):
    """The last bytes."""

    suffix: int


class GetOptions(TypedDict, total=False):
    """Options of reading an object; None stands for an option that is not given."""

    if_match: str | None
    """Only when the entity tag is this one (RFC 9110, 13.1.1)."""
    if_none_match: str | None
    """Only when the entity tag is not this one (RFC 9110, 13.1.2)."""
    if_modified_since: datetime | None
    """Only when written after this time (RFC 9110, 13.1.3)."""
    if_unmodified_since: datetime | None
    """Only when not written after this time (RFC 9110, 13.1.4)."""
    range: tuple[int, int] | Sequence[int] | OffsetRange | SuffixRange
    """Start and end in bytes (the end exclusive), an offset, or a suffix."""
    version: str | None
    """A version, on stores that keep them."""
    head: bool
    """Whether to leave out the body."""


Attribute: TypeAlias = (
    Literal[
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Type",
        "Cache-Control",
    ]
    | str
)
"""The name of an attribute; any other name is user metadata."""

Attributes: TypeAlias = dict[Attribute, str]
"""Attributes of an object."""

ListChunkType = TypeVar("ListChunkType", covariant=True)
"""The type of the chunks of a listing."""


class ListResult(TypedDict, Generic[ListChunkType]):
    """One level of a listing."""

    common_prefixes: Sequence[str]
    objects: ListChunkType


class CopyReport(TypedDict):
    """What came of a copy between stores."""

    bytes: int
    """Length in bytes; 0 when the service made the copy."""
    server_side: bool
    """Whether the service made the copy."""


class ReadOptions(TypedDict, total=False):
    """How the bytes of an object are read; None stands for an option that is not given."""

    parts: int | None
    """Requests at once for one object (default 8)."""
    part_size: int | None
    """Bytes of a part (default 8 MiB, and up to 32 MiB where large objects are read); smaller objects are moved by one
    request. Uploads use at least 5 MiB, and more where an object would have more than 10,000 parts."""
    verify: Literal["checksum", "required", "length"] | None
    """What is checked beyond what is always checked (ranges, lengths, and that all parts are of one version):
    `"checksum"` (default) compares the checksum that the service states, where it states one; `"required"` makes it an
    error when there is none; `"length"` compares none."""
    retries: int | None
    """Attempts without a byte of progress, after those that the store makes itself (default 4)."""
    hedge: float | timedelta | None
    """Ask a second time when a reply has not begun after this many seconds, where the limits of requests leave room for it,
    and take what comes first (default: never)."""
    limit_rate: int | None
    """Bytes per second of this transfer, within the limits of the process."""


class DownloadOptions(ReadOptions, total=False):
    """How an object becomes a file."""

    overwrite: bool | None
    """Whether a file that exists is replaced (default), or an error."""
    resume: bool | None
    """Go on with what an interrupted transfer has left, and keep what this one leaves. Without it leftovers are
    removed."""
    fsync: bool | None
    """Force the file to the disk before it takes its name."""


class UploadOptions(TypedDict, total=False):
    """How an object is written; None stands for an option that is not given."""

    parts: int | None
    """Requests at once for one object (default 8)."""
    part_size: int | None
    """Bytes of a part (default 8 MiB, at least 5 MiB), more where there would be more than 10,000 of them."""
    overwrite: bool | None
    """Whether an object that exists is replaced (default), or an error."""
    resume: bool | None
    """Go on with what an interrupted upload of the same file has left, and keep what this one leaves; files only."""
    retries: int | None
    """Attempts without a byte of progress, after those that the store makes itself (default 4)."""
    limit_rate: int | None
    """Bytes per second of this transfer, within the limits of the process."""
    attributes: Attributes | None
    """Attributes of the new object."""
    tags: dict[str, str] | None
    """Tags of the new object."""


class CopyOptions(DownloadOptions, total=False):
    """How an object becomes another one; `fsync` is for targets that are local files."""

    attributes: Attributes | None
    """Attributes of the new object in place of those of the source."""
    tags: dict[str, str] | None
    """Tags of the new object."""


class ManyOptions(CopyOptions, total=False):
    """How many objects are copied."""

    workers: int | None
    """Objects at once (default 64)."""
    on_outcome: Callable[[Outcome], object] | None
    """Is called with each `Outcome` as it comes, on the thread of the caller or on its event loop; what it raises ends the
    transfer. The result then keeps counts and the first thousand failures only, so that memory does not grow with the
    number of objects. The transfer waits for it rather than running far ahead."""


class SyncOptions(ReadOptions, total=False):
    """How a synchronisation copies; it always replaces what differs."""

    workers: int | None
    """Objects at once (default 64)."""
    resume: bool | None
    """Go on with what an interrupted transfer has left, and keep what this one leaves."""
    fsync: bool | None
    """Force files to the disk before they take their name; for targets that are local."""
    attributes: Attributes | None
    """Attributes of new objects in place of those of the source."""
    tags: dict[str, str] | None
    """Tags of new objects."""
    on_outcome: Callable[[Outcome], object] | None
    """Is called with each `Outcome` as it comes, on the thread of the caller or on its event loop; what it raises ends the
    transfer. The result then keeps counts and the first thousand failures only, so that memory does not grow with the
    number of objects. The transfer waits for it rather than running far ahead."""


class DeleteReport(TypedDict):
    """What came of deleting a prefix."""

    deleted: int
    failed: dict[str, Exception]


PutInput: TypeAlias = (
    IO[bytes] | Path | str | bytes | Buffer | Iterable[Buffer] | AsyncIterable[Buffer]
)
"""What can be written."""

HTTP_METHOD: TypeAlias = Literal[
    "GET", "PUT", "POST", "HEAD", "PATCH", "TRACE", "DELETE", "OPTIONS", "CONNECT"
]
"""A method of HTTP."""


class BackoffConfig(TypedDict, total=False):
    """How long to wait between repeated requests."""

    init_backoff: timedelta | str
    """The first wait (default 100 ms)."""
    max_backoff: timedelta | str
    """The longest wait (default 15 s)."""
    base: int | float
    """What each wait is multiplied by (default 2)."""


class RetryConfig(TypedDict, total=False):
    """How failed requests are repeated."""

    max_retries: int
    """At most this many times (default 10)."""
    retry_timeout: timedelta | str
    """At most this long after the first attempt (default 3 minutes)."""
    backoff: BackoffConfig


class ClientConfig(TypedDict, total=False):
    """Settings of the HTTP client. Stores with equal settings share one connection pool."""

    allow_http: bool
    allow_invalid_certificates: bool
    connect_timeout: str | timedelta
    default_content_type: str
    default_headers: dict[str, str] | dict[str, bytes]
    disable_system_certificates: bool
    http1_only: bool
    http2_keep_alive_interval: str | timedelta
    http2_keep_alive_timeout: str | timedelta
    http2_keep_alive_while_idle: bool
    http2_max_frame_size: int | str
    http2_only: bool
    pool_idle_timeout: str | timedelta
    pool_max_idle_per_host: int | str
    proxy_url: str
    proxy_ca_certificate: str
    proxy_excludes: str
    randomize_addresses: bool
    read_timeout: str | timedelta
    root_certificate: str | bytes
    timeout: str | timedelta
    """Longest silence of a request; a body that is moving is never cut (default 30 s)."""
    user_agent: str


class S3Config(TypedDict, total=False):
    """Settings of S3 stores; spellings may carry the prefix `aws_`, in any letter case."""

    access_key_id: str
    bucket: str
    bucket_name: str
    checksum_algorithm: str
    conditional_put: str
    config_file: str
    container_authorization_token_file: str
    container_credentials_full_uri: str
    container_credentials_relative_uri: str
    copy_if_not_exists: str
    default_region: str
    disable_bulk_delete: bool
    disable_tagging: bool
    endpoint: str
    endpoint_url: str
    endpoint_url_s3: str
    endpoint_url_sts: str
    imdsv1_fallback: bool
    metadata_endpoint: str
    profile: str
    region: str
    request_payer: bool
    role_arn: str
    role_session_name: str
    s3_express: bool
    secret_access_key: str
    server_side_encryption: str
    session_token: str
    shared_credentials_file: str
    skip_signature: bool
    sse_bucket_key_enabled: bool
    sse_customer_key_base64: str
    sse_kms_key_id: str
    sts_endpoint: str
    token: str
    unsigned_payload: bool
    virtual_hosted_style_request: bool
    web_identity_token_file: str


class GCSConfig(TypedDict, total=False):
    """Settings of Google Cloud Storage; spellings may carry the prefix `google_`, in any letter case."""

    application_credentials: str
    base_url: str
    bearer_token: str
    bucket: str
    bucket_name: str
    service_account: str
    service_account_key: str
    service_account_path: str
    skip_signature: bool


class AzureConfig(TypedDict, total=False):
    """Settings of Azure; spellings may carry the prefix `azure_storage_` or `azure_`, in any letter case."""

    access_key: str
    account_key: str
    account_name: str
    authority_host: str
    authority_id: str
    bearer_token: str
    client_id: str
    client_secret: str
    container_name: str
    credential_type: str
    disable_tagging: bool
    encryption_key: str
    endpoint: str
    fabric_cluster_identifier: str
    fabric_session_token: str
    fabric_token_service_url: str
    fabric_workload_host: str
    federated_token_file: str
    identity_endpoint: str
    master_key: str
    msi_endpoint: str
    msi_resource_id: str
    object_id: str
    sas_key: str
    sas_token: str
    skip_signature: bool
    tenant_id: str
    token: str
    use_azure_cli: bool
    use_emulator: bool
    use_fabric_endpoint: bool


class S3Credential(TypedDict, total=False):
    """Credentials for S3; `expires_at` must be there, None for credentials that do not expire."""

    access_key_id: str
    secret_access_key: str
    token: str | None
    expires_at: datetime | None


class GCSCredential(TypedDict):
    """A credential for Google Cloud Storage."""

    token: str
    expires_at: datetime | None


class AzureAccessKey(TypedDict):
    """An account key."""

    access_key: str
    expires_at: datetime | None


class AzureSASToken(TypedDict):
    """A shared access signature, as text or as pairs."""

    sas_token: str | list[tuple[str, str]]
    expires_at: datetime | None


class AzureBearerToken(TypedDict):
    """A bearer token."""

    token: str
    expires_at: datetime | None


AzureCredential: TypeAlias = AzureAccessKey | AzureSASToken | AzureBearerToken
"""A credential for Azure."""


class S3CredentialProvider(Protocol):
    """A callable that returns credentials for S3, or an awaitable of them."""

    def __call__(self) -> S3Credential | Coroutine[Any, Any, S3Credential]:
        """Return credentials."""


class GCSCredentialProvider(Protocol):
    """A callable that returns a credential for Google Cloud Storage, or an awaitable of it."""

    def __call__(self) -> GCSCredential | Coroutine[Any, Any, GCSCredential]:
        """Return a credential."""


class AzureCredentialProvider(Protocol):
    """A callable that returns a credential for Azure, or an awaitable of it."""

    def __call__(self) -> AzureCredential | Coroutine[Any, Any, AzureCredential]:
        """Return a credential."""


CredentialProvider: TypeAlias = Callable[[], Any]
