"""Operations on stores, as functions: `f(store, ...)` is `store.f(...)`.

Every function takes a store of this package, or one of another package that follows obstore's pickling contract. Every
function that waits has a twin with the suffix `_async`, whose result is awaited.
"""

from __future__ import annotations

import builtins

from ._foreign import OURS, as_store

# `typing` is imported by checkers only: it takes longer than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
    from datetime import timedelta
    from typing import Any, Literal, TypeAlias, Unpack, overload

    from ._holdall import Bytes, GetResult, ListStream
    from ._transfer import Snapshot, TransferReport
    from ._types import (
        HTTP_METHOD,
        Attributes,
        Buffer,
        CopyOptions,
        CopyReport,
        DeleteReport,
        GetOptions,
        ListResult,
        ObjectMeta,
        PutInput,
        PutMode,
        PutResult,
    )
    from .exceptions import BaseError

    PathInput: TypeAlias = str | os.PathLike[str]
    PathsInput: TypeAlias = str | os.PathLike[str] | Iterable[Any]
    OnError: TypeAlias = Literal["raise", "return"]
else:

    def overload(declared: Any) -> Any:
        """Stand for `typing.overload`, which checkers alone look at."""
        return declared


__all__ = [
    "copy",
    "copy_async",
    "copy_between",
    "copy_between_async",
    "delete",
    "delete_async",
    "delete_many",
    "delete_many_async",
    "delete_prefix",
    "delete_prefix_async",
    "delete_version",
    "delete_version_async",
    "exists",
    "exists_async",
    "get",
    "get_async",
    "get_many",
    "get_many_async",
    "get_range",
    "get_range_async",
    "get_ranges",
    "get_ranges_async",
    "get_tags",
    "get_tags_async",
    "glob",
    "head",
    "head_async",
    "head_many",
    "head_many_async",
    "list",
    "list_versions",
    "list_with_delimiter",
    "list_with_delimiter_async",
    "put",
    "put_async",
    "put_attributes",
    "put_attributes_async",
    "put_many",
    "put_many_async",
    "put_tags",
    "put_tags_async",
    "rename",
    "rename_async",
    "restore_version",
    "restore_version_async",
    "sign",
    "sign_async",
]


def _one(name: str, value: Any, older_name: str, older: Any) -> Any:
    if (value is None) == (older is None):
        raise ValueError(f"exactly one of {name} and {older_name} must be given")
    return older if value is None else value


def get(store: Any, path: PathInput, *, options: GetOptions | None = None) -> GetResult:
    """Read an object.

    The description arrives with the call; the body when it is read (``bytes()``, ``stream()``, iteration), once.

    Args:
        store: where the object is.
        path: the key.
        options: conditions, a range, a version, or ``head=True`` for a description without a body.

    Raises:
        NotFoundError: there is no such object (also a ``FileNotFoundError``).
        PreconditionError, NotModifiedError: a condition did not hold.
    """
    if type(store) not in OURS:
        store = as_store(store)
    return store.get(path, options=options)


def get_async(
    store: Any, path: PathInput, *, options: GetOptions | None = None
) -> Coroutine[Any, Any, GetResult]:
    """Read an object, to be awaited; see `get`."""
    if type(store) not in OURS:
        store = as_store(store)
    return store.get_async(path, options=options)


def get_range(
    store: Any,
    path: PathInput,
    *,
    start: int | None = None,
    end: int | None = None,
    length: int | None = None,
    offset: int | None = None,
) -> Bytes:
    """Read one range of an object.

    Args:
        store: where the object is.
        path: the key.
        start: the first byte.
        end: the byte after the last; give this or `length`.
        length: how many bytes; give this or `end`. A range that goes past the end of the object is cut there.
        offset: an older name of `start`.

    Raises:
        ValueError: the range is empty, or over- or underspecified.
    """
    if start is None or offset is not None:
        start = _one("start", start, "offset", offset)
    if type(store) not in OURS:
        store = as_store(store)
    return store.get_range(path, start=start, end=end, length=length)


def get_range_async(
    store: Any,
    path: PathInput,
    *,
    start: int | None = None,
    end: int | None = None,
    length: int | None = None,
    offset: int | None = None,
) -> Coroutine[Any, Any, Bytes]:
    """Read one range of an object, to be awaited; see `get_range`."""
    if start is None or offset is not None:
        start = _one("start", start, "offset", offset)
    if type(store) not in OURS:
        store = as_store(store)
    return store.get_range_async(path, start=start, end=end, length=length)


def get_ranges(
    store: Any,
    path: PathInput,
    *,
    starts: Sequence[int] | None = None,
    ends: Sequence[int] | None = None,
    lengths: Sequence[int] | None = None,
    coalesce: int = 1024 * 1024,
    max_concurrency: int = 10,
    offsets: Sequence[int] | None = None,
) -> builtins.list[Bytes]:
    """Read several ranges of an object.

    Ranges that are at most `coalesce` bytes apart are fetched with one request.

    Args:
        store: where the object is.
        path: the key.
        starts: the first bytes.
        ends: the bytes after the last ones; give these or `lengths`.
        lengths: how many bytes; give these or `ends`.
        coalesce: gap in bytes up to which ranges are joined.
        max_concurrency: requests in flight.
        offsets: an older name of `starts`.

    Raises:
        ValueError: the lists differ in length, or a range is empty.
    """
    if starts is None or offsets is not None:
        starts = _one("starts", starts, "offsets", offsets)
    if type(store) not in OURS:
        store = as_store(store)
    return store.get_ranges(
        path,
        starts=starts,
        ends=ends,
        lengths=lengths,
        coalesce=coalesce,
        max_concurrency=max_concurrency,
    )


def get_ranges_async(
    store: Any,
    path: PathInput,
    *,
    starts: Sequence[int] | None = None,
    ends: Sequence[int] | None = None,
    lengths: Sequence[int] | None = None,
    coalesce: int = 1024 * 1024,
    max_concurrency: int = 10,
    offsets: Sequence[int] | None = None,
) -> Coroutine[Any, Any, builtins.list[Bytes]]:
    """Read several ranges of an object, to be awaited; see `get_ranges`."""
    if starts is None or offsets is not None:
        starts = _one("starts", starts, "offsets", offsets)
    if type(store) not in OURS:
        store = as_store(store)
    return store.get_ranges_async(
        path,
        starts=starts,
        ends=ends,
        lengths=lengths,
        coalesce=coalesce,
        max_concurrency=max_concurrency,
    )


def head(store: Any, path: PathInput) -> ObjectMeta:
    """Describe an object: path, last_modified, size in bytes, e_tag, version.

    Raises:
        NotFoundError: there is no such object.
    """
    if type(store) not in OURS:
        store = as_store(store)
    return store.head(path)


def head_async(store: Any, path: PathInput) -> Coroutine[Any, Any, ObjectMeta]:
    """Describe an object: path, last_modified, size in bytes, e_tag, version, to be awaited; see `head`."""
    if type(store) not in OURS:
        store = as_store(store)
    return store.head_async(path)


def exists(store: Any, path: PathInput) -> bool:
    """Whether an object exists.

    A request that is denied is an error, not False.
    """
    return as_store(store).exists(path)


def exists_async(store: Any, path: PathInput) -> Coroutine[Any, Any, bool]:
    """Whether an object exists, to be awaited; see `exists`."""
    return as_store(store).exists_async(path)


def put(
    store: Any,
    path: PathInput,
    file: PutInput,
    *,
    attributes: Attributes | None = None,
    tags: dict[str, str] | None = None,
    mode: PutMode | None = None,
    use_multipart: bool | None = None,
    chunk_size: int = 5 * 1024 * 1024,
    max_concurrency: int = 12,
) -> PutResult:
    """Write an object.

    Readers see the old object or the new one, never a part.

    Args:
        store: where to write.
        path: the key.
        file: bytes or any buffer; a path object **or str, the name of a local file**; a file object, read from its present position; an iterable of buffers.
        attributes: content type, user metadata and so on.
        tags: tags of the object.
        mode: ``"overwrite"`` (default), ``"create"``, or what an earlier put returned, to replace just that version.
        use_multipart: whether to upload in parts; by default when the content is longer than `chunk_size`.
        chunk_size: size of a part in bytes; grows so that any object fits into 10,000 parts.
        max_concurrency: parts in flight.

    Raises:
        AlreadyExistsError: with ``mode="create"``.
        PreconditionError: the object is not the version given as `mode`.
    """
    if type(store) not in OURS:
        store = as_store(store)
    return store.put(
        path,
        file,
        attributes=attributes,
        tags=tags,
        mode=mode,
        use_multipart=use_multipart,
        chunk_size=chunk_size,
        max_concurrency=max_concurrency,
    )


def put_async(
    store: Any,
    path: PathInput,
    file: PutInput,
    *,
    attributes: Attributes | None = None,
    tags: dict[str, str] | None = None,
    mode: PutMode | None = None,
    use_multipart: bool | None = None,
    chunk_size: int = 5 * 1024 * 1024,
    max_concurrency: int = 12,
) -> Coroutine[Any, Any, PutResult]:
    """Write an object, to be awaited; see `put`."""
    if type(store) not in OURS:
        store = as_store(store)
    return store.put_async(
        path,
        file,
        attributes=attributes,
        tags=tags,
        mode=mode,
        use_multipart=use_multipart,
        chunk_size=chunk_size,
        max_concurrency=max_concurrency,
    )


def delete(store: Any, paths: PathsInput) -> None:
    """Delete one object or several.

    Args:
        store: where the objects are.
        paths: a key, or any iterable of keys or of entries of a listing.

    Raises:
        NotFoundError: an object does not exist, on stores that say so (S3 and memory do not).
    """
    return as_store(store).delete(paths)


def delete_async(store: Any, paths: PathsInput) -> Coroutine[Any, Any, None]:
    """Delete one object or several, to be awaited; see `delete`."""
    return as_store(store).delete_async(paths)


def delete_many(
    store: Any, paths: Iterable[PathInput], *, on_error: OnError = "raise"
) -> builtins.list[BaseError | None]:
    """Delete many objects, with an outcome for each.

    An object that does not exist counts as deleted.

    Args:
        store: where the objects are.
        paths: the keys.
        on_error: ``"raise"`` the first error, or ``"return"`` errors in the places of results.
    """
    return as_store(store).delete_many(paths, on_error=on_error)


def delete_many_async(
    store: Any, paths: Iterable[PathInput], *, on_error: OnError = "raise"
) -> Coroutine[Any, Any, builtins.list[BaseError | None]]:
    """Delete many objects, with an outcome for each, to be awaited; see `delete_many`."""
    return as_store(store).delete_many_async(paths, on_error=on_error)


def delete_prefix(store: Any, prefix: PathInput | None = None) -> DeleteReport:
    """Delete every object below a prefix (whole segments), or of the whole store.

    Returns:
        ``{"deleted": count, "failed": {key: error}}``.

    Raises:
        NotFoundError: the bucket does not exist. A prefix without objects has nothing to delete.
    """
    return as_store(store).delete_prefix(prefix)


def delete_prefix_async(
    store: Any, prefix: PathInput | None = None
) -> Coroutine[Any, Any, DeleteReport]:
    """Do what `delete_prefix` does, to be awaited."""
    return as_store(store).delete_prefix_async(prefix)


@overload
def copy(store: Any, from_: PathInput, to: PathInput, *, overwrite: bool = True) -> None: ...
@overload
def copy(  # noqa: F811
    store: Any,
    from_: PathInput,
    to: Any,
    path: PathInput | None = None,
    *,
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = 0.1,
    **options: Unpack[CopyOptions],
) -> TransferReport: ...
def copy(  # noqa: F811
    store: Any,
    from_: PathInput,
    to: Any,
    path: PathInput | None = None,
    *,
    overwrite: Any = True,
    **options: Any,
) -> Any:
    """Copy an object within a store, or to another store: ``copy(store, "a", "b")``, ``copy(store, "a", other, "b")``.

    Within a store the service makes the copy. Between stores it does so when both are its; otherwise the object passes
    through this process, in bounded memory, checked, in parts when it is large. Attributes go along where the target
    can keep them.

    Args:
        store: where the object is.
        from_: its key.
        to: the new key; or the store of the copy.
        path: the key in that store; the same as `from_` by default.
        overwrite: whether the target is replaced if it exists.
        options: between stores those of `holdall.CopyOptions`, with ``progress`` and ``progress_interval`` (see
            `download`).

    Returns:
        None for a copy within a store, a `TransferReport` for one between stores.

    Raises:
        NotFoundError: there is no object at `from_`.
        AlreadyExistsError: the target exists and `overwrite` is False.
    """
    if isinstance(to, str) or hasattr(to, "__fspath__"):
        _refuse_between(path, options)
        return as_store(store).copy(from_, to, overwrite=overwrite)
    from ._transfer import _copy_wait

    return _copy_wait(store, from_, to, path, overwrite=overwrite, **options)


@overload
def copy_async(
    store: Any, from_: PathInput, to: PathInput, *, overwrite: bool = True
) -> Coroutine[Any, Any, None]: ...
@overload
def copy_async(  # noqa: F811
    store: Any,
    from_: PathInput,
    to: Any,
    path: PathInput | None = None,
    *,
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = 0.1,
    **options: Unpack[CopyOptions],
) -> Coroutine[Any, Any, TransferReport]: ...
def copy_async(  # noqa: F811
    store: Any,
    from_: PathInput,
    to: Any,
    path: PathInput | None = None,
    *,
    overwrite: Any = True,
    **options: Any,
) -> Any:
    """Copy an object within a store or to another store, to be awaited; see `copy`."""
    if isinstance(to, str) or hasattr(to, "__fspath__"):
        _refuse_between(path, options)
        return as_store(store).copy_async(from_, to, overwrite=overwrite)
    from ._transfer import _copy_start

    return _copy_start(store, from_, to, path, overwrite=overwrite, **options)


def _refuse_between(path: Any, options: dict[str, Any]) -> None:
    """Refuse, for a copy within a store, what is for copies between stores."""
    others = (["path"] if path is not None else []) + sorted(options)
    if others:
        raise TypeError(
            f"{', '.join(others)}: for copies between stores, copy(store, from_, other_store, path, ...)"
        )


def rename(store: Any, from_: PathInput, to: PathInput, *, overwrite: bool = True) -> None:
    """Move an object within a store.

    Atomic on local files; elsewhere a copy and a deletion.

    Raises:
        NotFoundError: there is no object at `from_`.
        AlreadyExistsError: `to` exists and `overwrite` is False.
    """
    return as_store(store).rename(from_, to, overwrite=overwrite)


def rename_async(
    store: Any, from_: PathInput, to: PathInput, *, overwrite: bool = True
) -> Coroutine[Any, Any, None]:
    """Move an object within a store, to be awaited; see `rename`."""
    return as_store(store).rename_async(from_, to, overwrite=overwrite)


def list_with_delimiter(
    store: Any, prefix: PathInput | None = None, *, return_arrow: bool = False
) -> ListResult[Any]:
    """List one level: the objects and the common prefixes directly below `prefix`."""
    return as_store(store).list_with_delimiter(prefix, return_arrow=return_arrow)


def list_with_delimiter_async(
    store: Any, prefix: PathInput | None = None, *, return_arrow: bool = False
) -> Coroutine[Any, Any, ListResult[Any]]:
    """Do what `list_with_delimiter` does, to be awaited."""
    return as_store(store).list_with_delimiter_async(prefix, return_arrow=return_arrow)


def delete_version(store: Any, path: PathInput, version: str) -> None:
    """Delete one version of an object for good."""
    return as_store(store).delete_version(path, version)


def delete_version_async(store: Any, path: PathInput, version: str) -> Coroutine[Any, Any, None]:
    """Delete one version of an object for good, to be awaited; see `delete_version`."""
    return as_store(store).delete_version_async(path, version)


def restore_version(store: Any, path: PathInput, version: str) -> None:
    """Make a version of an object its current content again."""
    return as_store(store).restore_version(path, version)


def restore_version_async(store: Any, path: PathInput, version: str) -> Coroutine[Any, Any, None]:
    """Make a version of an object its current content again, to be awaited; see `restore_version`."""
    return as_store(store).restore_version_async(path, version)


def get_tags(store: Any, path: PathInput) -> dict[str, str]:
    """The tags of an object."""
    return as_store(store).get_tags(path)


def get_tags_async(store: Any, path: PathInput) -> Coroutine[Any, Any, dict[str, str]]:
    """The tags of an object, to be awaited; see `get_tags`."""
    return as_store(store).get_tags_async(path)


def put_tags(store: Any, path: PathInput, tags: dict[str, str]) -> None:
    """Replace all tags of an object; an empty dictionary removes them."""
    return as_store(store).put_tags(path, tags)


def put_tags_async(store: Any, path: PathInput, tags: dict[str, str]) -> Coroutine[Any, Any, None]:
    """Replace all tags of an object; an empty dictionary removes them, to be awaited; see `put_tags`."""
    return as_store(store).put_tags_async(path, tags)


def put_attributes(store: Any, path: PathInput, attributes: Attributes) -> None:
    """Replace all attributes of an object without sending its content again."""
    return as_store(store).put_attributes(path, attributes)


def put_attributes_async(
    store: Any, path: PathInput, attributes: Attributes
) -> Coroutine[Any, Any, None]:
    """Do what `put_attributes` does, to be awaited."""
    return as_store(store).put_attributes_async(path, attributes)


def sign(
    store: Any, method: HTTP_METHOD, paths: PathsInput, expires_in: timedelta
) -> str | builtins.list[str]:
    """Make presigned URLs (S3, GCS, Azure).

    Whoever holds such a URL can make one kind of request on one object until it expires.

    Args:
        store: where the objects are.
        method: the HTTP method, in upper case.
        paths: a key, or several.
        expires_in: how long the URLs are valid.

    Returns:
        One URL for one key, a list for several.
    """
    return as_store(store).sign(method, paths, expires_in)


def sign_async(
    store: Any, method: HTTP_METHOD, paths: PathsInput, expires_in: timedelta
) -> Coroutine[Any, Any, str | builtins.list[str]]:
    """Make presigned URLs (S3, GCS, Azure), to be awaited; see `sign`."""
    return as_store(store).sign_async(method, paths, expires_in)


def get_many(
    store: Any,
    paths: Iterable[PathInput],
    *,
    max_concurrency: int = 64,
    on_error: OnError = "raise",
) -> builtins.list[Bytes]:
    """Read many whole objects, in order.

    Args:
        store: where the objects are.
        paths: the keys.
        max_concurrency: requests in flight.
        on_error: ``"raise"`` the first error, or ``"return"`` errors in the places of results.
    """
    return as_store(store).get_many(paths, max_concurrency=max_concurrency, on_error=on_error)


def get_many_async(
    store: Any,
    paths: Iterable[PathInput],
    *,
    max_concurrency: int = 64,
    on_error: OnError = "raise",
) -> Coroutine[Any, Any, builtins.list[Bytes]]:
    """Read many whole objects, in order, to be awaited; see `get_many`."""
    return as_store(store).get_many_async(paths, max_concurrency=max_concurrency, on_error=on_error)


def head_many(
    store: Any,
    paths: Iterable[PathInput],
    *,
    max_concurrency: int = 64,
    on_error: OnError = "raise",
) -> builtins.list[ObjectMeta]:
    """Describe many objects, in order; arguments as of `get_many`."""
    return as_store(store).head_many(paths, max_concurrency=max_concurrency, on_error=on_error)


def head_many_async(
    store: Any,
    paths: Iterable[PathInput],
    *,
    max_concurrency: int = 64,
    on_error: OnError = "raise",
) -> Coroutine[Any, Any, builtins.list[ObjectMeta]]:
    """Describe many objects, in order; arguments as of `get_many`, to be awaited; see `head_many`."""
    return as_store(store).head_many_async(
        paths, max_concurrency=max_concurrency, on_error=on_error
    )


def put_many(
    store: Any,
    items: Mapping[str, Buffer] | Iterable[tuple[PathInput, Buffer]],
    *,
    max_concurrency: int = 64,
    on_error: OnError = "raise",
) -> builtins.list[PutResult]:
    """Write many objects, each with one request; arguments as of `get_many`.

    Args:
        store: where to write.
        items: a dictionary or pairs of key and content.
        max_concurrency: requests in flight.
        on_error: ``"raise"`` the first error, or ``"return"`` errors in the places of results.
    """
    return as_store(store).put_many(items, max_concurrency=max_concurrency, on_error=on_error)


def put_many_async(
    store: Any,
    items: Mapping[str, Buffer] | Iterable[tuple[PathInput, Buffer]],
    *,
    max_concurrency: int = 64,
    on_error: OnError = "raise",
) -> Coroutine[Any, Any, builtins.list[PutResult]]:
    """Do what `put_many` does, to be awaited."""
    return as_store(store).put_many_async(items, max_concurrency=max_concurrency, on_error=on_error)


def list(
    store: Any,
    prefix: PathInput | None = None,
    *,
    offset: str | None = None,
    chunk_size: int = 50,
    return_arrow: bool = False,
    substring_prefix: str | None = None,
    end_before: str | None = None,
    max_items: int | None = None,
) -> ListStream:
    """List objects, in the order of their keys (except on HTTP servers).

    Args:
        store: where the objects are.
        prefix: whole segments that the keys start with.
        offset: keys follow this one, which need not exist.
        chunk_size: entries in a chunk.
        return_arrow: whether chunks are Arrow record batches instead of lists of dictionaries.
        substring_prefix: text that the keys start with, in place of `prefix`; may end inside a segment.
        end_before: keys come before this one.
        max_items: at most this many entries.

    Returns:
        A stream of chunks, for ``for`` and ``async for``; ``collect()`` and ``collect_async()`` take all at once.
    """
    return as_store(store).list(
        prefix,
        offset=offset,
        chunk_size=chunk_size,
        return_arrow=return_arrow,
        substring_prefix=substring_prefix,
        end_before=end_before,
        max_items=max_items,
    )


def glob(
    store: Any, pattern: str, *, chunk_size: int = 50, return_arrow: bool = False
) -> ListStream:
    """List the objects whose keys match a pattern.

    `*` and `?` stay within a segment, `**` crosses segments, `[a-z]` and `{a,b}` are alternatives. Only keys with the
    literal beginning of the pattern are listed.
    """
    return as_store(store).glob(pattern, chunk_size=chunk_size, return_arrow=return_arrow)


def list_versions(
    store: Any, prefix: PathInput | None = None, *, chunk_size: int = 50
) -> ListStream:
    """List all versions of objects, newest first for each key, delete markers included.

    Raises:
        NotSupportedError: the store keeps no versions.
    """
    return as_store(store).list_versions(prefix, chunk_size=chunk_size)


def copy_between(
    source: Any, from_: PathInput, target: Any, to: PathInput, *, overwrite: bool = True
) -> CopyReport:
    """Copy an object from one store to another.

    The service makes the copy when both stores are its; otherwise the object streams through this process in bounded
    memory. Attributes go along where the target can keep them.

    Returns:
        ``{"bytes": length or 0 when the service made the copy, "server_side": bool}``.
    """
    return as_store(source).copy_to(from_, as_store(target), to, overwrite=overwrite)


def copy_between_async(
    source: Any, from_: PathInput, target: Any, to: PathInput, *, overwrite: bool = True
) -> Coroutine[Any, Any, CopyReport]:
    """Copy an object from one store to another, to be awaited; see `copy_between`."""
    return as_store(source).copy_to_async(from_, as_store(target), to, overwrite=overwrite)


if not TYPE_CHECKING:
    # The same in Rust: without a frame of Python, reading and failing cost less. Those above are what checkers see.
    from ._holdall import get, head
