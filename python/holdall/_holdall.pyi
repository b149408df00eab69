"""The native half of the package. Import its names from `holdall` and `holdall.store`."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, TypeVar, final

from typing_extensions import disjoint_base

from ._types import (
    HTTP_METHOD,
    Attributes,
    AzureConfig,
    AzureCredentialProvider,
    Buffer,
    ClientConfig,
    CopyReport,
    DeleteReport,
    GCSConfig,
    GCSCredentialProvider,
    GetOptions,
    ListResult,
    ObjectMeta,
    PutInput,
    PutMode,
    PutResult,
    RetryConfig,
    S3Config,
    S3CredentialProvider,
)
from .aistore._server import Auth as _Auth
from .aistore._server import Transformers as _Transformers
from .exceptions import BaseError

_PathInput: TypeAlias = str | PathLike[str]
_PathsInput: TypeAlias = str | PathLike[str] | Iterable[Any]
_ListType: TypeAlias = list
_OnError: TypeAlias = Literal["raise", "return"]
_T = TypeVar("_T")

__version__: str
_object_store_version: str
_object_store_source: str
_debug_build: bool

def _after_fork() -> None: ...
def get(store: Any, path: _PathInput, *, options: GetOptions | None = None) -> GetResult:
    """`holdall.get`, in which it is described."""

def head(store: Any, path: _PathInput) -> ObjectMeta:
    """`holdall.head`, in which it is described."""

def parse_scheme(url: str, /) -> Literal["s3", "gcs", "http", "local", "memory", "azure"]:
    """The kind of store that a URL names."""

@disjoint_base
class ObjectStoreMethods:
    """Base class of all stores: every operation as a method, with an `_async` twin."""
    @property
    def _url(self) -> str:
        """The URL of the store, without credentials."""
    def copy(self, from_: _PathInput, to: _PathInput, *, overwrite: bool = True) -> None:
        """Copy an object within the store."""
    def copy_async(
        self, from_: _PathInput, to: _PathInput, *, overwrite: bool = True
    ) -> Coroutine[Any, Any, None]:
        """Copy an object within the store, to be awaited."""
    def copy_to(
        self,
        from_: _PathInput,
        target: ObjectStoreMethods,
        to: _PathInput,
        *,
        overwrite: bool = True,
    ) -> CopyReport:
        """Copy an object to another store."""
    def copy_to_async(
        self,
        from_: _PathInput,
        target: ObjectStoreMethods,
        to: _PathInput,
        *,
        overwrite: bool = True,
    ) -> Coroutine[Any, Any, CopyReport]:
        """Copy an object to another store, to be awaited."""
    def delete(self, paths: _PathsInput) -> None:
        """Delete one object or several."""
    def delete_async(self, paths: _PathsInput) -> Coroutine[Any, Any, None]:
        """Delete one object or several, to be awaited."""
    def delete_many(
        self, paths: _PathsInput, *, on_error: _OnError = "raise"
    ) -> _ListType[BaseError | None]:
        """Delete many objects; one that does not exist counts as deleted."""
    def delete_many_async(
        self, paths: _PathsInput, *, on_error: _OnError = "raise"
    ) -> Coroutine[Any, Any, _ListType[BaseError | None]]:
        """Delete many objects, to be awaited."""
    def delete_prefix(self, prefix: _PathInput | None = None) -> DeleteReport:
        """Delete every object below a prefix."""
    def delete_prefix_async(
        self, prefix: _PathInput | None = None
    ) -> Coroutine[Any, Any, DeleteReport]:
        """Delete every object below a prefix, to be awaited."""
    def delete_version(self, path: _PathInput, version: str) -> None:
        """Delete one version for good."""
    def delete_version_async(self, path: _PathInput, version: str) -> Coroutine[Any, Any, None]:
        """Delete one version for good, to be awaited."""
    def exists(self, path: _PathInput) -> bool:
        """Whether an object exists."""
    def exists_async(self, path: _PathInput) -> Coroutine[Any, Any, bool]:
        """Whether an object exists, to be awaited."""
    def get(self, path: _PathInput, *, options: GetOptions | None = None) -> GetResult:
        """Read an object."""
    def get_async(
        self, path: _PathInput, *, options: GetOptions | None = None
    ) -> Coroutine[Any, Any, GetResult]:
        """Read an object, to be awaited."""
    def get_many(
        self, paths: _PathsInput, *, max_concurrency: int = 64, on_error: _OnError = "raise"
    ) -> _ListType[Bytes]:
        """Read many objects."""
    def get_many_async(
        self, paths: _PathsInput, *, max_concurrency: int = 64, on_error: _OnError = "raise"
    ) -> Coroutine[Any, Any, _ListType[Bytes]]:
        """Read many objects, to be awaited."""
    def get_range(
        self, path: _PathInput, *, start: int, end: int | None = None, length: int | None = None
    ) -> Bytes:
        """Read one range of an object."""
    def get_range_async(
        self, path: _PathInput, *, start: int, end: int | None = None, length: int | None = None
    ) -> Coroutine[Any, Any, Bytes]:
        """Read one range of an object, to be awaited."""
    def get_ranges(
        self,
        path: _PathInput,
        *,
        starts: Sequence[int],
        ends: Sequence[int] | None = None,
        lengths: Sequence[int] | None = None,
        coalesce: int = ...,
        max_concurrency: int = 10,
    ) -> _ListType[Bytes]:
        """Read several ranges of an object."""
    def get_ranges_async(
        self,
        path: _PathInput,
        *,
        starts: Sequence[int],
        ends: Sequence[int] | None = None,
        lengths: Sequence[int] | None = None,
        coalesce: int = ...,
        max_concurrency: int = 10,
    ) -> Coroutine[Any, Any, _ListType[Bytes]]:
        """Read several ranges of an object, to be awaited."""
    def get_tags(self, path: _PathInput) -> dict[str, str]:
        """The tags of an object."""
    def get_tags_async(self, path: _PathInput) -> Coroutine[Any, Any, dict[str, str]]:
        """The tags of an object, to be awaited."""
    def glob(self, pattern: str, *, chunk_size: int = 50, return_arrow: bool = False) -> ListStream:
        """List objects whose keys match a pattern."""
    def head(self, path: _PathInput) -> ObjectMeta:
        """Describe an object."""
    def head_async(self, path: _PathInput) -> Coroutine[Any, Any, ObjectMeta]:
        """Describe an object, to be awaited."""
    def head_many(
        self, paths: _PathsInput, *, max_concurrency: int = 64, on_error: _OnError = "raise"
    ) -> _ListType[ObjectMeta]:
        """Describe many objects."""
    def head_many_async(
        self, paths: _PathsInput, *, max_concurrency: int = 64, on_error: _OnError = "raise"
    ) -> Coroutine[Any, Any, _ListType[ObjectMeta]]:
        """Describe many objects, to be awaited."""
    def list(
        self,
        prefix: _PathInput | None = None,
        *,
        offset: str | None = None,
        chunk_size: int = 50,
        return_arrow: bool = False,
        substring_prefix: str | None = None,
        end_before: str | None = None,
        max_items: int | None = None,
    ) -> ListStream:
        """List objects."""
    def list_async(
        self,
        prefix: _PathInput | None = None,
        *,
        offset: str | None = None,
        chunk_size: int = 50,
        return_arrow: bool = False,
        substring_prefix: str | None = None,
        end_before: str | None = None,
        max_items: int | None = None,
    ) -> ListStream:
        """List objects; the same as `list()`, whose result serves `async for` too."""
    def list_versions(
        self, prefix: _PathInput | None = None, *, chunk_size: int = 50
    ) -> ListStream:
        """List all versions of objects, newest first for each key."""
    def list_with_delimiter(
        self, prefix: _PathInput | None = None, *, return_arrow: bool = False
    ) -> ListResult[Any]:
        """List one level: the objects and the prefixes directly below a prefix."""
    def list_with_delimiter_async(
        self, prefix: _PathInput | None = None, *, return_arrow: bool = False
    ) -> Coroutine[Any, Any, ListResult[Any]]:
        """List one level, to be awaited."""
    def put(
        self,
        path: _PathInput,
        file: PutInput,
        *,
        attributes: Attributes | None = None,
        tags: dict[str, str] | None = None,
        mode: PutMode | None = None,
        use_multipart: bool | None = None,
        chunk_size: int = 5242880,
        max_concurrency: int = 12,
    ) -> PutResult:
        """Write an object."""
    def put_async(
        self,
        path: _PathInput,
        file: PutInput,
        *,
        attributes: Attributes | None = None,
        tags: dict[str, str] | None = None,
        mode: PutMode | None = None,
        use_multipart: bool | None = None,
        chunk_size: int = 5242880,
        max_concurrency: int = 12,
    ) -> Coroutine[Any, Any, PutResult]:
        """Write an object, to be awaited."""
    def put_attributes(self, path: _PathInput, attributes: Attributes) -> None:
        """Replace all attributes of an object without sending its content again."""
    def put_attributes_async(
        self, path: _PathInput, attributes: Attributes
    ) -> Coroutine[Any, Any, None]:
        """Replace all attributes of an object, to be awaited."""
    def put_many(
        self,
        items: Mapping[str, Buffer] | Iterable[tuple[_PathInput, Buffer]],
        *,
        max_concurrency: int = 64,
        on_error: _OnError = "raise",
    ) -> _ListType[PutResult]:
        """Write many objects."""
    def put_many_async(
        self,
        items: Mapping[str, Buffer] | Iterable[tuple[_PathInput, Buffer]],
        *,
        max_concurrency: int = 64,
        on_error: _OnError = "raise",
    ) -> Coroutine[Any, Any, _ListType[PutResult]]:
        """Write many objects, to be awaited."""
    def put_tags(self, path: _PathInput, tags: dict[str, str]) -> None:
        """Replace all tags of an object."""
    def put_tags_async(self, path: _PathInput, tags: dict[str, str]) -> Coroutine[Any, Any, None]:
        """Replace all tags of an object, to be awaited."""
    def rename(self, from_: _PathInput, to: _PathInput, *, overwrite: bool = True) -> None:
        """Move an object within the store."""
    def rename_async(
        self, from_: _PathInput, to: _PathInput, *, overwrite: bool = True
    ) -> Coroutine[Any, Any, None]:
        """Move an object within the store, to be awaited."""
    def restore_version(self, path: _PathInput, version: str) -> None:
        """Make a version the current content again."""
    def restore_version_async(self, path: _PathInput, version: str) -> Coroutine[Any, Any, None]:
        """Make a version the current content again, to be awaited."""
    def sign(
        self, method: HTTP_METHOD, paths: _PathsInput, expires_in: timedelta
    ) -> str | _ListType[str]:
        """Make presigned URLs."""
    def sign_async(
        self, method: HTTP_METHOD, paths: _PathsInput, expires_in: timedelta
    ) -> Coroutine[Any, Any, str | _ListType[str]]:
        """Make presigned URLs, to be awaited."""
    def __eq__(self, value: object, /) -> bool: ...
    def __ge__(self, value: object, /) -> bool: ...
    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]: ...
    def __gt__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __le__(self, value: object, /) -> bool: ...
    def __lt__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...

class S3Store(ObjectStoreMethods):
    """A bucket of Amazon S3 or of a service that speaks its protocol.

    Settings come from the arguments, the URL, the environment (`AWS_*`) and `~/.aws`, in this order.
    """
    def __new__(
        cls,
        bucket: str | None = None,
        *,
        prefix: _PathInput | None = None,
        config: S3Config | None = None,
        client_options: ClientConfig | None = None,
        retry_config: RetryConfig | None = None,
        credential_provider: S3CredentialProvider | None = None,
        **kwargs: Any,
    ) -> Self: ...
    @property
    def client_options(self) -> ClientConfig | None:
        """The settings of the HTTP client that were given, or None."""
    @property
    def config(self) -> S3Config:
        """The settings that were given, under their canonical names."""
    @property
    def credential_provider(self) -> S3CredentialProvider | None:
        """The provider of credentials that was given, or None."""
    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        config: S3Config | None = None,
        client_options: ClientConfig | None = None,
        retry_config: RetryConfig | None = None,
        credential_provider: S3CredentialProvider | None = None,
        **kwargs: Any,
    ) -> Self:
        """Open the store that a URL names; the path becomes the prefix."""
    @property
    def prefix(self) -> str | None:
        """The prefix below which all operations happen, or None."""
    @property
    def retry_config(self) -> RetryConfig | None:
        """The retry settings that were given, or None."""
    def with_prefix(self, prefix: _PathInput) -> Self:
        """The same store below a prefix, sharing connections and credentials."""

class GCSStore(ObjectStoreMethods):
    """A bucket of Google Cloud Storage.

    Settings come from the arguments, the URL and the environment (`GOOGLE_*`), in this order.
    """
    def __new__(
        cls,
        bucket: str | None = None,
        *,
        prefix: _PathInput | None = None,
        config: GCSConfig | None = None,
        client_options: ClientConfig | None = None,
        retry_config: RetryConfig | None = None,
        credential_provider: GCSCredentialProvider | None = None,
        **kwargs: Any,
    ) -> Self: ...
    @property
    def client_options(self) -> ClientConfig | None:
        """The settings of the HTTP client that were given, or None."""
    @property
    def config(self) -> GCSConfig:
        """The settings that were given, under their canonical names."""
    @property
    def credential_provider(self) -> GCSCredentialProvider | None:
        """The provider of credentials that was given, or None."""
    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        config: GCSConfig | None = None,
        client_options: ClientConfig | None = None,
        retry_config: RetryConfig | None = None,
        credential_provider: GCSCredentialProvider | None = None,
        **kwargs: Any,
    ) -> Self:
        """Open the store that a URL names; the path becomes the prefix."""
    @property
    def prefix(self) -> str | None:
        """The prefix below which all operations happen, or None."""
    @property
    def retry_config(self) -> RetryConfig | None:
        """The retry settings that were given, or None."""
    def with_prefix(self, prefix: _PathInput) -> Self:
        """The same store below a prefix, sharing connections and credentials."""

class AzureStore(ObjectStoreMethods):
    """A container of Azure Blob Storage, Data Lake Storage or OneLake.

    Settings come from the arguments, the URL and the environment (`AZURE_*`), in this order.
    """
    def __new__(
        cls,
        container_name: str | None = None,
        *,
        prefix: _PathInput | None = None,
        config: AzureConfig | None = None,
        client_options: ClientConfig | None = None,
        retry_config: RetryConfig | None = None,
        credential_provider: AzureCredentialProvider | None = None,
        **kwargs: Any,
    ) -> Self: ...
    @property
    def client_options(self) -> ClientConfig | None:
        """The settings of the HTTP client that were given, or None."""
    @property
    def config(self) -> AzureConfig:
        """The settings that were given, under their canonical names."""
    @property
    def credential_provider(self) -> AzureCredentialProvider | None:
        """The provider of credentials that was given, or None."""
    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        config: AzureConfig | None = None,
        client_options: ClientConfig | None = None,
        retry_config: RetryConfig | None = None,
        credential_provider: AzureCredentialProvider | None = None,
        **kwargs: Any,
    ) -> Self:
        """Open the store that a URL names; the path becomes the prefix."""
    @property
    def prefix(self) -> str | None:
        """The prefix below which all operations happen, or None."""
    @property
    def retry_config(self) -> RetryConfig | None:
        """The retry settings that were given, or None."""
    def with_prefix(self, prefix: _PathInput) -> Self:
        """The same store below a prefix, sharing connections and credentials."""

class HTTPStore(ObjectStoreMethods):
    """A directory of an HTTP or WebDAV server."""
    def __new__(
        cls,
        url: str,
        *,
        client_options: ClientConfig | None = None,
        retry_config: RetryConfig | None = None,
    ) -> Self: ...
    @property
    def client_options(self) -> ClientConfig | None:
        """The settings of the HTTP client that were given, or None."""
    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        client_options: ClientConfig | None = None,
        retry_config: RetryConfig | None = None,
    ) -> Self:
        """Open the directory at a URL; the same as the constructor."""
    @property
    def retry_config(self) -> RetryConfig | None:
        """The retry settings that were given, or None."""
    @property
    def url(self) -> str:
        """The URL of the directory."""

class AISStore(ObjectStoreMethods):
    """A bucket of AIStore, or of a cloud behind it.

    Args:
        bucket: its name, or its URL: ``ais://bucket``, ``ais://@cluster#namespace/bucket``, ``ais+s3://bucket``; a path
            in it is the prefix.
        prefix: below which all operations happen.
        config: settings: ``endpoint``, ``token``, ``ca_certificate``, ``client_certificate``, ``client_key``,
            ``skip_verify``, ``connect_timeout``, ``read_timeout``, ``max_pool_size``, ``direct_reads``; the environment
            (``AIS_ENDPOINT``, ``AIS_AUTHN_TOKEN``, …) says what they do not.
        client_options: settings of the HTTP client.
        retry_config: how failed requests are repeated.
        kwargs: more settings.
    """
    def __new__(
        cls,
        bucket: str,
        *,
        prefix: _PathInput | None = None,
        config: dict[str, Any] | None = None,
        client_options: ClientConfig | None = None,
        retry_config: RetryConfig | None = None,
        **kwargs: Any,
    ) -> Self: ...
    @classmethod
    def _of(
        cls,
        client: _AisClient,
        url: str,
        config: dict[str, Any],
        prefix: _PathInput | None,
    ) -> Self: ...
    @property
    def client_options(self) -> ClientConfig | None:
        """The settings of the HTTP client that were given, or None."""
    @property
    def config(self) -> dict[str, Any]:
        """The settings that were given."""
    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        config: dict[str, Any] | None = None,
        client_options: ClientConfig | None = None,
        retry_config: RetryConfig | None = None,
        **kwargs: Any,
    ) -> Self:
        """Open the store that a URL names; the path becomes the prefix."""
    @property
    def prefix(self) -> str | None:
        """The prefix below which all operations happen, or None."""
    @property
    def retry_config(self) -> RetryConfig | None:
        """The retry settings that were given, or None."""
    @property
    def url(self) -> str:
        """The URL of the bucket."""
    def with_prefix(self, prefix: _PathInput) -> Self:
        """The same store below a prefix, sharing connections."""

@disjoint_base
class CachedStore(ObjectStoreMethods):
    """A store that keeps what was read of another one, in memory and on disk.

    Objects are read in blocks, which are kept under the version of their object: only the description of an object can be out
    of date, for no longer than `ttl`. Writes through this store are seen at once. See docs/cache.md.

    Args:
        store: the store behind the cache.
        block_bytes: bytes of a block; default 4 MiB. For many small reads at random places, 256 KiB.
        memory_bytes: bytes of blocks kept in memory; default 128 MiB, 0 keeps none.
        folder: where blocks are kept on disk, by any number of processes; default nowhere.
        disk_bytes: bytes of files in the folder; default 10 GiB.
        ttl: seconds for which the description of an object is trusted; default 10, 0 asks the service at every read.
        immutable: objects never change under their keys, so that descriptions are trusted for ever.
        readahead: blocks fetched at once for one body; default 4.

    Raises:
        ValueError: an option is out of range.
        OSError: the folder cannot be made.
    """
    def __new__(
        cls,
        store: object,
        *,
        block_bytes: int | None = None,
        memory_bytes: int | None = None,
        folder: str | PathLike[str] | None = None,
        disk_bytes: int | None = None,
        ttl: float | timedelta | None = None,
        immutable: bool = False,
        readahead: int | None = None,
    ) -> Self: ...
    @property
    def store(self) -> ObjectStoreMethods:
        """The store behind the cache."""
    def invalidate(self, path: _PathInput) -> None:
        """Forget what is known of an object: the next read asks the service."""
    def stats(self) -> dict[str, int]:
        """What the cache has done in this process: `memory_hits`, `disk_hits`, `downloads`, `damaged`, `validations`."""
    def with_prefix(self, prefix: _PathInput) -> Self:
        """The same cache below a prefix."""
    def __eq__(self, value: object, /) -> bool: ...
    def __ge__(self, value: object, /) -> bool: ...
    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]: ...
    def __gt__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __le__(self, value: object, /) -> bool: ...
    def __lt__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...

class LocalStore(ObjectStoreMethods):
    """A directory of the local file system, or all of it."""
    def __new__(
        cls,
        prefix: str | PathLike[str] | None = None,
        *,
        automatic_cleanup: bool = False,
        mkdir: bool = False,
    ) -> Self: ...
    @classmethod
    def from_url(cls, url: str, *, automatic_cleanup: bool = False, mkdir: bool = False) -> Self:
        """Open the directory of a `file://` URL."""
    @property
    def prefix(self) -> Path | None:
        """The directory as a `pathlib.Path`, or None for the whole file system."""
    def with_prefix(self, prefix: _PathInput) -> Self:
        """The same store below a directory."""

class MemoryStore(ObjectStoreMethods):
    """Objects in the memory of this process."""
    def __new__(cls) -> Self: ...
    def with_prefix(self, prefix: _PathInput) -> Self:
        """The same content below a prefix."""
    def __eq__(self, value: object, /) -> bool: ...
    def __ge__(self, value: object, /) -> bool: ...
    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]: ...
    def __gt__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __le__(self, value: object, /) -> bool: ...
    def __lt__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...

@final
class GetResult:
    """An object that has been asked for: its description at once, its body when it is read.

    The body can be read once, by `bytes()`, by `stream()` or by iterating; the properties stay valid.
    """
    @property
    def attributes(self) -> Attributes:
        """Attributes of the object: content type, user metadata and so on."""
    def buffer(self) -> Bytes:
        """The whole body; the same as `bytes()`."""
    def buffer_async(self) -> Coroutine[Any, Any, Bytes]:
        """The whole body, to be awaited; the same as `bytes_async()`."""
    def bytes(self) -> Bytes:
        """The whole body."""
    def bytes_async(self) -> Coroutine[Any, Any, Bytes]:
        """The whole body, to be awaited."""
    @property
    def meta(self) -> ObjectMeta:
        """Path, time of modification, size in bytes, entity tag and version of the object."""
    @property
    def range(self) -> tuple[int, int]:
        """The range that the body covers: start and end in bytes, the end exclusive."""
    def readinto(self, buffer: Buffer) -> int:
        """Read the body into a writable buffer with room for it; returns how many bytes it has."""
    def readinto_async(self, buffer: Buffer) -> Coroutine[Any, Any, int]:
        """Read the body into a writable buffer, to be awaited. The buffer is held until then."""
    def stream(self, min_chunk_size: int = ...) -> BytesStream:
        """The body in chunks of at least `min_chunk_size` bytes, but for the last."""
    def __aiter__(self) -> BytesStream: ...
    def __iter__(self) -> BytesStream: ...

@final
class BytesStream:
    """The body of an object in chunks, for `for` and `async for`."""
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Coroutine[Any, Any, Any]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...

@final
class ListStream:
    """A listing in chunks, for `for` and `async for`; `collect()` takes what is left at once."""
    def collect(self) -> Any:
        """All entries that have not been taken yet."""
    def collect_async(self) -> Coroutine[Any, Any, Any]:
        """All entries that have not been taken yet, to be awaited."""
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Coroutine[Any, Any, Any]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...

@final
class Bytes:
    """Bytes held by Rust, behaving like `bytes`.

    Supports the buffer protocol, so `memoryview(b)`, `numpy.frombuffer(b)` and the like share the memory. Slices with
    step 1 share it too. It compares and hashes like `bytes`, and has all methods of `bytes`.
    """
    def __new__(cls, buf: Buffer | None = None, /) -> Self: ...
    def lower(self) -> Bytes:
        """The bytes in lower case (ASCII letters only)."""
    def removeprefix(self, prefix: _PathInput, /) -> Bytes:
        """Without `prefix`, where the bytes start with it."""
    def removesuffix(self, suffix: Buffer, /) -> Bytes:
        """Without `suffix`, where the bytes end with it."""
    def to_bytes(self) -> bytes:
        """A copy as `bytes`."""
    def upper(self) -> Bytes:
        """The bytes in upper case (ASCII letters only)."""
    def __add__(self, value: Buffer, /) -> Bytes: ...
    def __bytes__(self) -> bytes: ...
    def __contains__(self, key: Any, /) -> bool: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ge__(self, value: object, /) -> bool: ...
    def __getitem__(self, key: Any, /) -> Any: ...
    def __gt__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __le__(self, value: object, /) -> bool: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __len__(self) -> int: ...
    def __lt__(self, value: object, /) -> bool: ...
    def __mod__(self, value: Any, /) -> bytes: ...
    def __mul__(self, value: int, /) -> Bytes: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __radd__(self, value: Buffer, /) -> bytes: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __rmod__(self, value: Any, /) -> bytes: ...
    def __rmul__(self, value: int, /) -> Bytes: ...

@final
class ArrowBatch:
    """A batch of a listing, for any library that speaks the Arrow PyCapsule interface: `pyarrow.record_batch(batch)`,
    `polars.DataFrame(batch)`, `arro3.core.RecordBatch.from_arrow(batch)`.
    """
    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
    @property
    def num_rows(self) -> int:
        """How many objects the batch has."""
    def __arrow_c_array__(
        self, requested_schema: object | None = None
    ) -> tuple[object, object]: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __len__(self) -> int: ...

@final
class Awaitable:
    """An operation in progress, or its result."""
    def close(self) -> None:
        """Ends the operation; part of the coroutine protocol."""
    def send(self, _value: Any) -> Any:
        """Goes on; part of the coroutine protocol."""
    def throw(self, *exception: Any) -> Any:
        """Ends the operation with an exception; part of the coroutine protocol."""
    def __await__(self) -> Self: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...

@final
class Operation:
    """A transfer. It begins when it is waited for."""
    def snapshot(self) -> tuple[int, int, int, int, int, int, int, float]:
        """How far it is: objects, done, failed; bytes, done, resumed; retries; seconds."""
    def start(self, convert: Callable[[Any], _T]) -> Coroutine[Any, Any, _T]:
        """Begins it, to be awaited; `convert` makes the result."""
    def wait(
        self,
        tell: Callable[[], object] | None,
        interval: float,
        take: Callable[[list[Any]], object] | None,
    ) -> Any:
        """Runs it to its end; calls `tell` every `interval` seconds meanwhile, and `take` with outcomes as they come."""
    def outcomes(self) -> Coroutine[Any, Any, list[Any]]:
        """The next outcomes, to be awaited; none when there will be no more of them."""

def _download(
    store: ObjectStoreMethods, path: _PathInput, file: _PathInput, options: Mapping[str, object]
) -> Operation: ...
def _download_to_writer(
    store: ObjectStoreMethods, path: _PathInput, writer: Any, options: Mapping[str, object]
) -> Operation: ...
def _upload(
    store: ObjectStoreMethods,
    path: _PathInput,
    data: Any,
    is_async: bool,
    options: Mapping[str, object],
) -> Operation: ...
def _copy(
    source: ObjectStoreMethods,
    from_: _PathInput,
    target: ObjectStoreMethods,
    to: _PathInput,
    moves: bool,
    options: Mapping[str, object],
) -> Operation: ...
def _read_into(
    store: ObjectStoreMethods,
    path: _PathInput,
    buffer: Buffer,
    start: int | None,
    options: Mapping[str, object],
) -> Operation: ...
def _copy_prefix(
    source: ObjectStoreMethods,
    from_: _PathInput | None,
    target: ObjectStoreMethods,
    to: _PathInput | None,
    moves: bool,
    include: str | Iterable[str] | None,
    exclude: str | Iterable[str] | None,
    tells: bool,
    options: Mapping[str, object],
) -> Operation: ...
def _plan(
    source: ObjectStoreMethods,
    from_: _PathInput | None,
    target: ObjectStoreMethods,
    to: _PathInput | None,
    compare: str,
    delete: bool,
    include: str | Iterable[str] | None,
    exclude: str | Iterable[str] | None,
) -> Operation: ...
def _sync(
    source: ObjectStoreMethods,
    from_: _PathInput | None,
    target: ObjectStoreMethods,
    to: _PathInput | None,
    compare: str,
    delete: bool,
    include: str | Iterable[str] | None,
    exclude: str | Iterable[str] | None,
    tells: bool,
    options: Mapping[str, object],
) -> Operation: ...
def _follow(
    source: ObjectStoreMethods,
    from_: _PathInput | None,
    target: ObjectStoreMethods,
    to: _PathInput | None,
    actions: list[tuple[str, str, int, str | None]],
    tells: bool,
    options: Mapping[str, object],
) -> Operation: ...
def _set_limits(
    memory: int | None, requests: int | None, requests_per_host: int | None, rate: int | None
) -> None: ...
def _limits() -> tuple[int, int, int, int | None]: ...
def _unsettled() -> tuple[int, int]: ...

@final
class Reader:
    """The reading core of a file object: position, blocks, read-ahead."""
    @staticmethod
    def open(
        store: ObjectStoreMethods, path: _PathInput, buffer_size: int, size: int | None
    ) -> Reader:
        """staticmethod(function) -> method"""
    @staticmethod
    def open_async(
        store: ObjectStoreMethods, path: _PathInput, buffer_size: int, size: int | None, wrap: Any
    ) -> Coroutine[Any, Any, Any]:
        """staticmethod(function) -> method"""
    def read(self, size: int) -> Bytes: ...
    def read1(self, size: int) -> Bytes:
        """At most `size` bytes with at most one fetch; negative for what is at hand."""
    def read_async(self, size: int) -> Coroutine[Any, Any, Bytes]: ...
    def readinto(self, buffer: Buffer) -> int: ...
    def readline(self, size: int) -> Bytes: ...
    def readline_async(self, size: int) -> Coroutine[Any, Any, Bytes]: ...
    def seek(self, offset: int, whence: int) -> int: ...
    @property
    def e_tag(self) -> str | None:
        """The tag of the version that is read, once the service has told."""
    @property
    def size(self) -> int:
        """Length of the object in bytes."""
    def tell(self) -> int: ...
    @property
    def url(self) -> str:
        """The URL of the object, without credentials."""

@final
class Writer:
    """The writing core of a file object."""
    def __new__(
        cls,
        store: ObjectStoreMethods,
        path: _PathInput,
        attributes: Attributes | None,
        buffer_size: int,
        tags: dict[str, str] | None,
        max_concurrency: int,
        create: bool = False,
    ) -> Self: ...
    def abort(self) -> None: ...
    def abort_async(self) -> Coroutine[Any, Any, None]: ...
    def close(self) -> None: ...
    def close_async(self) -> Coroutine[Any, Any, None]: ...
    @property
    def position(self) -> int:
        """How many bytes have been written."""
    @property
    def url(self) -> str:
        """The URL of the object, without credentials."""
    def write(self, data: Buffer) -> int: ...
    def write_async(self, data: Buffer) -> Coroutine[Any, Any, int]: ...

_StacPlaces: TypeAlias = list[tuple[str, StacHints | None]]

@final
class StacHints:
    """What a document says of access to one place of an asset: region, who pays, how to prove who one is."""
    def __new__(cls, object: str, asset: str) -> Self: ...

@final
class StacClients:
    """Clients with one configuration: connections, stores and tokens are shared by all that they read."""
    def __new__(cls, config: str) -> Self: ...
    def kind(self, href: str) -> str:
        """The name of the client that reads `href`."""
    def run(self, jobs: Sequence[Any], options: str, events: bool) -> StacRun:
        """Starts jobs, which have what came of them at the end; `events` says whether anybody listens to what happens."""
    def open(
        self, href: str, content_type: str | None = None, hints: StacHints | None = None
    ) -> Coroutine[Any, Any, StacBody]:
        """Begins to read `href`; to be awaited."""
    def read(self, href: str) -> Coroutine[Any, Any, Bytes]:
        """All bytes of `href`; to be awaited."""
    def read_range(
        self,
        href: str,
        version: tuple[int, str | None],
        start: int,
        end: int,
        hints: StacHints | None = None,
    ) -> Coroutine[Any, Any, Bytes]:
        """The bytes from `start` up to `end` of the file that `head_sync` found: its length and its tag are `version`. To be
        awaited."""
    def read_range_sync(
        self,
        href: str,
        version: tuple[int, str | None],
        start: int,
        end: int,
        hints: StacHints | None = None,
    ) -> Bytes:
        """The bytes from `start` up to `end` of the file that `head_sync` found: its length and its tag are `version`."""
    def read_document(self, href: str) -> Coroutine[Any, Any, str]:
        """The text of the document at `href` as one JSON object; to be awaited."""
    def sign(self, href: str) -> Coroutine[Any, Any, str]:
        """The URL that is read for `href`, with the signature that this client adds; to be awaited."""
    def info(
        self, document: str, href: str | None, options: str, depth: str
    ) -> Coroutine[Any, Any, list[tuple[Any, ...]]]:
        """What is known of the assets of a document (JSON text), as tuples; to be awaited."""
    def assert_exists(self, href: str) -> Coroutine[Any, Any, None]:
        """Fails where there is neither a file nor a directory at `href`; to be awaited."""
    def head(
        self, href: str, hints: StacHints | None = None
    ) -> Coroutine[Any, Any, tuple[int | None, str | None]]:
        """Length and media type of the file at `href`; to be awaited."""
    def head_sync(self, href: str, hints: StacHints | None = None) -> tuple[int | None, str | None]:
        """Length of the file at `href`, and what tells its version from others."""

@final
class StacBody:
    """A body that arrives, for `async for`."""
    @property
    def size(self) -> int | None:
        """Its length in bytes, if the server says."""
    @property
    def media_type(self) -> str | None:
        """Its media type, if the server says."""
    @property
    def warning(self) -> Exception | None:
        """What is suspicious about the media type, as an exception that was not raised."""
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Coroutine[Any, Any, bytes]: ...

@final
class StacPages:
    """The pages of a search."""
    def __new__(cls, clients: StacClients, request: str) -> Self: ...
    def next(self) -> Coroutine[Any, Any, str | None]:
        """The text of the next page; `None` after the last. To be awaited."""
    @property
    def position(self) -> str | None:
        """The request for the next page (JSON text); `None` after the last."""

@final
class StacCrawl:
    """The items below a document."""
    def __new__(cls, clients: StacClients, document: str, href: str | None = None) -> Self: ...
    def next(self) -> Coroutine[Any, Any, str | None]:
        """The text of the next item, with a link to where it is; `None` after the last. To be awaited."""

@final
class StacRun:
    """Jobs that run. Events come in batches, results at the end, both to be awaited."""
    def events(self) -> Coroutine[Any, Any, list[tuple[Any, ...]] | None]:
        """What happened since the last call; `None` after the last."""
    def result(self) -> Coroutine[Any, Any, list[Exception]]:
        """The warnings of all jobs, which know then what came of them; to be awaited once."""

@final
class StacPlan:
    """What will be moved where for a document, and the document afterwards."""
    def __new__(cls, document: str, href: str | None, directory: str, options: str) -> Self: ...
    def jobs(
        self,
    ) -> list[
        tuple[
            str,
            str | None,
            _StacPlaces,
            str,
            str | None,
            int | None,
            str | None,
            int | None,
            Exception | None,
        ]
    ]:
        """The jobs, as `StacClients.run` takes them, each with the number of the job that does the same or `None`, and why
        it fails without being tried or `None`."""
    def check_written(self, name: str, is_catalog: bool) -> None:
        """Refuses a name for the document under which it cannot be written, or for a catalog of its items."""
    def write_catalog(
        self, outcomes: Sequence[tuple[int, str | None] | None], options: str, name: str
    ) -> Coroutine[Any, Any, list[str]]:
        """Writes the items after their jobs are done, and a catalog of them; to be awaited. The names of the files."""
    def file_name(self) -> str:
        """The name under which the document is written when none is given."""
    def finish(self, outcomes: Sequence[tuple[int, str | None] | None], options: str) -> str:
        """The document after its jobs are done."""

def stac_is_checksum(written: str) -> bool:
    """Return whether a ``file:checksum`` is one with which something can be compared."""

def stac_check_name(name: str, of: str) -> None:
    """Refuses a name that leads out of its directory."""

def stac_check_media_type(actual: str, expected: str) -> None:
    """Compares a media type with the expected one."""

def stac_client_name(href: str) -> str:
    """The name of the client that reads `href` when nobody says another."""

def stac_write(
    place: str, text: str, config: dict[str, str] | None = None
) -> Coroutine[Any, Any, None]:
    """Writes a document in the form that the name of the place stands for, visible when it is whole; to be awaited."""

@final
class _ArchiveMembers:
    """The regular files of an archive that is read from a file object, or is the body of a reply."""
    def __new__(cls, file: object, format: str, at_once: int = ...) -> _ArchiveMembers: ...
    def __iter__(self) -> _ArchiveMembers: ...
    def __next__(self) -> tuple[str, bytes]: ...

@final
class _AisClient:
    """Sends requests to a cluster."""
    def __new__(
        cls,
        endpoint: str,
        token: str | None,
        connect_timeout: float | None,
        read_timeout: float | None,
        settings: dict[str, Any],
    ) -> Self: ...
    def set_token(self, token: str | None) -> None: ...
    def content(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> bytes | _AisReply: ...
    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        body: Buffer | None = None,
        timeout: float | None = None,
        stream: bool = False,
        endpoint: str | None = None,
    ) -> _AisReply: ...
    def request_async(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        body: Buffer | None = None,
        timeout: float | None = None,
        stream: bool = False,
        endpoint: str | None = None,
    ) -> Coroutine[Any, Any, _AisReply]: ...

@final
class _AisReply:
    """A reply: its head, and its body, which may still be on its way."""
    def close(self) -> None: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @property
    def kind(self) -> str | None: ...
    @property
    def operation(self) -> str: ...
    def piece(self, size: int) -> bytes | None: ...
    def piece_async(self, size: int) -> Coroutine[Any, Any, bytes | None]: ...
    def read(self) -> bytes: ...
    def read_async(self) -> Coroutine[Any, Any, bytes]: ...
    def read_buffer(self) -> Bytes: ...
    def read_buffer_async(self) -> Coroutine[Any, Any, Bytes]: ...
    def read_into(self, buffer: Buffer) -> int: ...
    @property
    def status_code(self) -> int: ...
    @property
    def target(self) -> str: ...
    @property
    def url(self) -> str: ...

@final
class _AisRanges:
    """Ranges of an object, in their order."""
    def close(self) -> None: ...
    def piece(self) -> bytes | None: ...
    def piece_async(self) -> Coroutine[Any, Any, bytes | None]: ...

@final
class BucketEntry:
    """An entry of a listing of AIStore."""
    def __new__(
        cls,
        n: str,
        cs: str = "",
        a: str = "",
        v: str = "",
        t: str = "",
        s: int = 0,
        c: int = 0,
        f: int = 0,
        object: Any = None,
        m: str = "",
    ) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, Any]: ...
    @property
    def a(self) -> str: ...
    @property
    def atime(self) -> str:
        """The last access."""
    @property
    def c(self) -> int: ...
    @property
    def checksum(self) -> str:
        """The checksum, without its type."""
    @property
    def copies(self) -> int:
        """How many copies there are."""
    @property
    def cs(self) -> str: ...
    @property
    def custom(self) -> str:
        """Custom properties, as ``[k1:v1 k2:v2]``."""
    @property
    def f(self) -> int: ...
    @property
    def flags(self) -> int:
        """Bits that say what it is."""
    def generate_object_props(self) -> Any:
        """What the listing tells of it, as properties of an object."""
    def _object_headers(self) -> dict[str, Any]:
        """The same, as headers of an object."""
    def is_cached(self) -> bool:
        """Whether it is in the cluster."""
    def is_ok(self) -> bool:
        """Whether it is where it belongs."""
    @property
    def location(self) -> str:
        """Where it is: ``t[ID]:/mountpath``."""
    @property
    def m(self) -> str: ...
    @property
    def n(self) -> str: ...
    @property
    def name(self) -> str:
        """The name."""
    @property
    def object(self) -> Any:
        """The object; None of entries that belong to no bucket."""
    @object.setter
    def object(self, value: Any) -> None: ...
    @property
    def s(self) -> int: ...
    @property
    def size(self) -> int:
        """Bytes."""
    @property
    def t(self) -> str: ...
    @property
    def v(self) -> str: ...
    @property
    def version(self) -> str:
        """The version."""

def _ais_digest(name: str) -> int: ...
def _ais_download(
    client: _AisClient, path: str, params: Mapping[str, Any] | None, file: str | PathLike[str]
) -> int: ...
def _ais_download_async(
    client: _AisClient, path: str, params: Mapping[str, Any] | None, file: str | PathLike[str]
) -> Coroutine[Any, Any, int]: ...
def _ais_copy_astray(
    client: _AisClient,
    path: str,
    params: Mapping[str, Any] | None,
    to: tuple[str, Mapping[str, Any] | None],
    latest: bool,
) -> bool: ...
def _ais_copy_astray_async(
    client: _AisClient,
    path: str,
    params: Mapping[str, Any] | None,
    to: tuple[str, Mapping[str, Any] | None],
    latest: bool,
) -> Coroutine[Any, Any, bool]: ...
def _ais_list(
    client: _AisClient,
    path: str,
    params: Mapping[str, Any] | None,
    headers: Mapping[str, Any] | None,
    body: bytes,
    bucket: Any,
    all_pages: bool,
) -> tuple[str, str, int, list[BucketEntry]] | _AisReply: ...
def _ais_list_async(
    client: _AisClient,
    path: str,
    params: Mapping[str, Any] | None,
    headers: Mapping[str, Any] | None,
    body: bytes,
    bucket: Any,
    all_pages: bool,
) -> Coroutine[Any, Any, tuple[str, str, int, list[BucketEntry]] | _AisReply]: ...
def _ais_list_arrow(
    client: _AisClient, path: str, params: Mapping[str, Any] | None, body: bytes
) -> Any: ...
def _ais_list_arrow_async(
    client: _AisClient, path: str, params: Mapping[str, Any] | None, body: bytes
) -> Coroutine[Any, Any, Any]: ...
def _ais_place(name: str, digests: list[int]) -> int: ...
def _ais_put_file(
    client: _AisClient, path: str, params: Mapping[str, Any] | None, file: str | PathLike[str]
) -> None: ...
def _ais_put_file_async(
    client: _AisClient, path: str, params: Mapping[str, Any] | None, file: str | PathLike[str]
) -> Coroutine[Any, Any, None]: ...
def _ais_put_files(
    client: _AisClient,
    bucket: str,
    params: Mapping[str, Any] | None,
    files: list[tuple[str, str]],
) -> None: ...
def _ais_put_files_async(
    client: _AisClient,
    bucket: str,
    params: Mapping[str, Any] | None,
    files: list[tuple[str, str]],
) -> Coroutine[Any, Any, None]: ...
def _ais_read_parallel(
    client: _AisClient,
    path: str,
    params: Mapping[str, Any] | None,
    headers: Mapping[str, Any] | None,
    endpoint: str | None,
    buffer: Buffer,
    file: int | None,
    chunk: int,
    workers: int,
) -> None: ...
def _ais_stream_parallel(
    client: _AisClient,
    path: str,
    params: Mapping[str, Any] | None,
    headers: Mapping[str, Any] | None,
    endpoint: str | None,
    offset: int,
    size: int,
    chunk: int,
    workers: int,
) -> _AisRanges: ...
def _ais_xoshiro(seed: int) -> int: ...

@final
class _AisServer:
    """A running AIS server."""
    @property
    def admin_password(self) -> str | None: ...
    @property
    def authn_url(self) -> str | None: ...
    def close(self) -> None: ...
    @property
    def closed(self) -> bool: ...
    def faults(self) -> list[tuple[str, str, int, int]]: ...
    @property
    def url(self) -> str: ...

def _serve_ais(
    path: str | PathLike[str] | None,
    listen: str,
    fsync: str,
    tls_cert: str | PathLike[str] | None,
    tls_key: str | PathLike[str] | None,
    public_host: str | None,
    max_connections: int,
    promote_root: str | PathLike[str],
    s3_keys: Mapping[str, str],
    auth: _Auth | None,
    faults_file: str | PathLike[str] | None,
    faults_json: str | None,
    etl: _Transformers | None,
    backends: list[tuple[str, list[tuple[str, str]]]],
    cache_size: int | None,
) -> _AisServer: ...
