"""Stores as fsspec file systems.

>>> import fsspec
>>> from holdall.fsspec import register
>>> register("s3")  # from now on fsspec opens s3:// URLs through holdall
>>> fs = fsspec.filesystem("s3", region="eu-central-1", skip_signature=True)  # doctest: +SKIP
"""

from __future__ import annotations

import asyncio
import os
import warnings
import weakref
from collections import defaultdict
from functools import lru_cache, partial
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import fsspec
from fsspec.asyn import AsyncFileSystem, sync
from fsspec.callbacks import NoOpCallback
from fsspec.compression import compr
from fsspec.core import get_compression
from fsspec.implementations.local import make_path_posix
from fsspec.utils import other_paths

from ._foreign import as_store
from ._fsspec_files import BufferedFile, CompressedFile, TextFile
from ._ops import copy_async
from ._transfer import download_async, upload_async
from .exceptions import BaseError
from .store import LocalStore, MemoryStore, from_url

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

__all__ = ["SUPPORTED_PROTOCOLS", "AsyncFsspecStore", "BufferedFile", "FsspecStore", "register"]

SUPPORTED_PROTOCOLS: set[str] = {
    "abfs",
    "abfss",
    "adl",
    "ais",
    "az",
    "azure",
    "file",
    "gcs",
    "gs",
    "http",
    "https",
    "memory",
    "s3",
    "s3a",
}
"""All protocols that can be registered."""

_NO_BUCKET = {"file", "memory"}

_OWN = "holdall-"
"""What the protocols start with that fsspec knows without `register`: ``holdall-s3://bucket/key``."""

_LISTING_SECONDS = 10
"""How long listings are kept unless the caller says otherwise: other writers are seen soon."""

_COALESCE_BYTES = 1024 * 1024

_NO_CALLBACK = NoOpCallback()


class FsspecStore(AsyncFileSystem):
    """A file system of fsspec over the stores of one protocol; one store per bucket is kept.

    What `ls` has listed is kept for some seconds, and `info`, `exists` and `isdir` believe it: they may not see yet what
    other writers did. Reading does not depend on it, and work on trees or patterns (``get``, ``cat``, ``cp``, ``mv`` and
    ``rm`` with ``recursive=True``, with ``*`` or with lists) begins with listing anew.

    Objects appear when files are closed, and never by halves; in a transaction (``with fs.transaction:``) what `open`
    writes appears when it ends. `rm` takes no notice of objects that do not exist, as the services themselves; all other
    failures are raised.

    Args:
        protocol: the scheme of the URLs.
        config: settings of the stores.
        client_options: settings of the HTTP client.
        retry_config: how failed requests are repeated.
        credential_provider: a callable that returns credentials.
        asynchronous: whether the methods with an underscore are awaited by the caller.
        max_cache_size: how many stores are kept.
        loop: the event loop of synchronous calls; fsspec's own by default.
        batch_size: how many operations of fsspec run at once.
        use_listings_cache: whether `ls` keeps what it finds (in `dircache`).
        listings_expiry_time: for how many seconds; None for as long as the file system lives.
        max_paths: how many listings are kept.
        store: a store to use for every path, in place of one per bucket.
        kwargs: more settings of the stores.
    """

    cachable = True
    protocol: Any = "holdall"

    def __init__(
        self,
        protocol: str | None = None,
        *args: Any,
        config: Any = None,
        client_options: Any = None,
        retry_config: Any = None,
        credential_provider: Any = None,
        asynchronous: bool = False,
        max_cache_size: int = 10,
        loop: Any = None,
        batch_size: int | None = None,
        use_listings_cache: bool = True,
        listings_expiry_time: float | None = _LISTING_SECONDS,
        max_paths: int | None = None,
        store: Any = None,
        **kwargs: Any,
    ) -> None:
        if protocol is not None and protocol != type(self).protocol:
            self.protocol = protocol
            # fsspec strips protocols by class; this one is that of the instance.
            self._strip_protocol = partial(_strip, protocol)  # type: ignore[method-assign]
        self._scheme = self.protocol.removeprefix(_OWN)
        if store is None and self._scheme not in SUPPORTED_PROTOCOLS:
            warnings.warn(f"Unknown protocol: {self.protocol}; requests may fail.", stacklevel=2)
        self._config = config
        self._client_options = client_options
        self._retry_config = retry_config
        self._credential_provider = credential_provider
        self._config_kwargs = kwargs
        self._store = None if store is None else as_store(store)
        cached = lru_cache(maxsize=max_cache_size)(self._construct_store)
        self._construct_store = cached  # type: ignore[method-assign]
        super().__init__(
            *args,
            asynchronous=asynchronous,
            loop=loop,
            batch_size=batch_size,
            use_listings_cache=use_listings_cache,
            listings_expiry_time=listings_expiry_time,
            max_paths=max_paths,
        )

    # Paths

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return _strip(cls.protocol, path)

    def _split_path(self, path: str) -> tuple[str, str]:
        """Split a path or URL into bucket and key; the bucket is empty where there is none."""
        url = urlsplit(path) if "://" in path else None
        if self._scheme in _NO_BUCKET or self._store is not None:
            if url is not None:
                path = f"{url.netloc}{url.path}" if self._scheme == "memory" else url.path
            if self._scheme == "file":
                trailing = "/" if path.endswith("/") and len(path) > 1 else ""
                path = make_path_posix(path).rstrip("/") + trailing or "/"
            return "", path
        if url is not None:
            if url.scheme != self.protocol:
                raise ValueError(f"Expected protocol to be {self.protocol}. Got {url.scheme}")
            query = f"?{url.query}" if url.query else ""
            return url.netloc, url.path.lstrip("/") + query
        bucket, _, key = path.partition("/")
        return bucket, key

    def _construct_store(self, bucket: str) -> Any:
        if self._store is not None:
            return self._store
        if self._scheme == "file":
            return LocalStore(**self._config_kwargs)
        if self._scheme == "memory":
            return MemoryStore()
        return from_url(
            f"{self._scheme}://{bucket}",
            config=self._config,
            client_options=self._client_options,
            retry_config=self._retry_config,
            credential_provider=self._credential_provider,
            **self._config_kwargs,
        )

    def _at(self, path: str) -> tuple[Any, str]:
        """Return the store and the key of a path."""
        bucket, key = self._split_path(path)
        return self._construct_store(bucket), key.strip("/")

    def _name(self, path: str, key: str) -> str:
        """Return the path of another key of the same bucket."""
        bucket, own = self._split_path(path)
        root = "/" if self._scheme == "file" or own.startswith("/") else ""
        return f"{bucket}/{key}" if bucket else f"{root}{key}"

    def invalidate_cache(self, path: str | None = None) -> None:
        """Forget listings: all of them, or those above a path."""
        if path is None:
            self.dircache.clear()
        else:
            path = self._strip_protocol(path)
            self.dircache.pop(path, None)
            while path:
                path = path.rpartition("/")[0]
                self.dircache.pop(path, None)
        super().invalidate_cache(path)

    def _list_anew(self, path: Any, recursive: bool) -> None:
        """Forget listings before work on many objects: what others have written since belongs to it."""
        if recursive or not isinstance(path, str) or has_magic(path):
            self.dircache.clear()

    # Looking

    def _entry(self, path: str, meta: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": self._name(path, meta["path"]),
            "size": meta["size"],
            "type": "file",
            "e_tag": meta["e_tag"],
            "last_modified": meta["last_modified"],
            "version": meta["version"],
        }

    def _cached_info(self, path: str) -> dict[str, Any] | None:
        """Return what the listings at hand say of a path; None when they say nothing."""
        for bare in {self._strip_protocol(path), path.rstrip("/")}:
            if bare in self.dircache:
                return {"name": path, "size": 0, "type": "directory"}
            parent = bare.rpartition("/")[0]
            if parent not in self.dircache:
                continue
            for entry in self.dircache[parent]:
                if entry["name"].rstrip("/") == bare:
                    if entry["type"] == "directory":
                        return {"name": path, "size": 0, "type": "directory"}
                    return entry
            raise FileNotFoundError(path)
        return None

    async def _info(self, path: str, **_: Any) -> dict[str, Any]:
        cached = self._cached_info(path)
        if cached is not None:
            return cached
        store, key = self._at(path)
        name = self._strip_protocol(path)
        if key and not path.endswith("/"):
            try:
                meta = await store.head_async(key)
            except FileNotFoundError:
                pass
            else:
                return self._entry(path, meta)
        found = await store.list(f"{key}/" if key else None, max_items=1).collect_async()
        is_root = not key
        if found or is_root or await self._is_empty_directory(name):
            return {"name": name, "size": 0, "type": "directory"}
        raise FileNotFoundError(path)

    async def _is_empty_directory(self, name: str) -> bool:
        return self._scheme == "file" and await asyncio.to_thread(os.path.isdir, name)

    async def _ls(
        self, path: str, detail: bool = True, refresh: bool = False, **_: Any
    ) -> list[Any]:
        bare = self._strip_protocol(path)
        entries = None if refresh else self.dircache.get(bare)
        if entries is None:
            entries = await self._list_level(path, bare)
        return list(entries) if detail else sorted(entry["name"] for entry in entries)

    async def _list_level(self, path: str, bare: str) -> list[dict[str, Any]]:
        store, key = self._at(path)
        level = await store.list_with_delimiter_async(key or None)
        entries = [
            {"name": self._name(path, prefix), "size": 0, "type": "directory"}
            for prefix in level["common_prefixes"]
        ]
        # An object whose key is the directory itself is its marker, not one of its entries.
        entries += [self._entry(path, meta) for meta in level["objects"] if meta["path"] != key]
        if self._scheme == "file":
            entries += await asyncio.to_thread(_empty_directories, bare, entries)
        if not entries and key:
            try:
                return [self._entry(path, await store.head_async(key))]
            except FileNotFoundError:
                if not await self._is_empty_directory(bare):
                    raise FileNotFoundError(path) from None
        self.dircache[bare] = entries
        return entries

    async def _find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        prefix: str = "",
        **kwargs: Any,
    ) -> Any:
        if maxdepth is not None or withdirs:
            found = await super()._find(
                path, maxdepth=maxdepth, withdirs=withdirs, detail=True, **kwargs
            )
            if prefix:
                start = self._strip_protocol(path) + "/" + prefix
                found = {name: info for name, info in found.items() if name.startswith(start)}
        else:
            store, key = self._at(path)
            start = f"{key}/{prefix}" if key else prefix
            stream = store.list(substring_prefix=start, chunk_size=1000)
            found = {}
            async for chunk in stream:
                for meta in chunk:
                    entry = self._entry(path, meta)
                    found[entry["name"]] = entry
            if not found and key and not prefix:
                try:
                    entry = self._entry(path, await store.head_async(key))
                    found[entry["name"]] = entry
                except FileNotFoundError:
                    pass
        return found if detail else sorted(found)

    def modified(self, path: str) -> datetime:
        """Return when an object was written, in UTC."""
        written = self.info(path).get("last_modified")
        if written is None:
            raise IsADirectoryError(f"{path} is a directory, of which no time is kept")
        return written

    def created(self, path: str) -> datetime:
        """Return when an object was written: stores replace objects, they do not change them."""
        return self.modified(path)

    def checksum(self, path: str) -> int:
        """Return a number that changes when an object does."""
        info = self.info(path)
        return hash((info.get("e_tag"), info["size"], info.get("last_modified")))

    def sign(self, path: str, expiration: int = 100, method: str = "GET", **kwargs: Any) -> str:
        """Return a presigned URL for reading an object (or for another `method`), valid for `expiration` seconds."""
        from datetime import timedelta

        if kwargs:
            raise TypeError(f"sign takes method, and not {', '.join(sorted(kwargs))}")
        store, key = self._at(path)
        return store.sign(method, key, timedelta(seconds=expiration))

    # Reading

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        store, key = self._at(path)
        if start is None and end is None:
            return bytes(await (await store.get_async(key)).bytes_async())
        if end is None and start is not None and start < 0:
            suffix: Any = {"range": {"suffix": -start}}
            try:
                return bytes(await (await store.get_async(key, options=suffix)).bytes_async())
            except BaseError:
                # Services have no last bytes of an empty object.
                if await _length_if_there(store, key) != 0:
                    raise
                return b""
        if (start or 0) < 0 or end is None or end < 0:
            size = (await store.head_async(key))["size"]
            first, last = slice(start, end).indices(size)[:2]
        else:
            first, last = start or 0, end
        if last <= first:
            return b""
        try:
            return bytes(await store.get_range_async(key, start=first, end=last))
        except BaseError:
            # Nor do they have ranges that begin at the end.
            size = await _length_if_there(store, key)
            if size is None or first < size:
                raise
            return b""

    async def _cat(
        self,
        path: Any,
        recursive: bool = False,
        on_error: str = "raise",
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> Any:
        self._list_anew(path, recursive)
        paths = await self._expand_path(path, recursive=recursive)
        if recursive or len(paths) > 1:
            paths = [one for one in paths if not await self._isdir(one)]
        if isinstance(path, str) and not recursive and len(paths) == 1:
            return _Content(await self._cat_file(paths[0], **kwargs), paths[0])
        if not paths:
            raise FileNotFoundError(path)
        done = await super()._cat(paths, on_error=on_error, batch_size=batch_size, **kwargs)
        return done if isinstance(done, dict) else {paths[0]: done}

    async def _cat_ranges(
        self,
        paths: list[str],
        starts: Any,
        ends: Any,
        max_gap: int | None = None,
        batch_size: int | None = None,
        on_error: str = "return",
        **_: Any,
    ) -> list[Any]:
        del batch_size
        starts = starts if isinstance(starts, (list, tuple)) else [starts] * len(paths)
        ends = ends if isinstance(ends, (list, tuple)) else [ends] * len(paths)
        if not len(paths) == len(starts) == len(ends):
            raise ValueError("paths, starts and ends differ in length")
        plain, others = defaultdict(list), []
        for i, (path, start, end) in enumerate(zip(paths, starts, ends, strict=True)):
            simple = start is not None and end is not None and 0 <= start < end
            plain[path].append(i) if simple else others.append(i)
        coalesce = _COALESCE_BYTES if max_gap is None else max_gap

        async def ranges(path: str, which: list[int]) -> list[Any]:
            store, key = self._at(path)

            async def get(some: list[int]) -> list[Any]:
                return await store.get_ranges_async(
                    key,
                    starts=[starts[i] for i in some],
                    ends=[ends[i] for i in some],
                    coalesce=coalesce,
                )

            try:
                return await get(which)
            except BaseError:
                size = await _length_if_there(store, key)
                within = [i for i in which if size is None or starts[i] < size]
                if len(within) == len(which):
                    raise
            found = dict(zip(within, await get(within), strict=True)) if within else {}
            return [found.get(i, b"") for i in which]

        jobs: list[Any] = [(which, ranges(path, which)) for path, which in plain.items()]
        jobs += [([i], self._as_list(self._cat_file(paths[i], starts[i], ends[i]))) for i in others]
        done = await asyncio.gather(*(job for _, job in jobs), return_exceptions=True)
        out: list[Any] = [None] * len(paths)
        for (which, _), result in zip(jobs, done, strict=True):
            if isinstance(result, BaseException):
                if on_error == "raise":
                    raise result
                for i in which:
                    out[i] = result
            else:
                for i, data in zip(which, result, strict=True):
                    out[i] = bytes(data)
        return out

    @staticmethod
    async def _as_list(one: Any) -> list[Any]:
        return [await one]

    async def _get_file(
        self, rpath: str, lpath: str, callback: Any = _NO_CALLBACK, **_: Any
    ) -> None:
        if os.path.isdir(lpath):
            if await self._isdir(rpath):
                return
            raise IsADirectoryError(f"{lpath} is a directory, in whose place {rpath} cannot be put")
        store, key = self._at(rpath)
        try:
            await download_async(store, key, lpath, progress=_teller(callback))
        except FileNotFoundError:
            if not await self._isdir(rpath):
                raise
            os.makedirs(lpath, exist_ok=True)

    async def _get(self, rpath: Any, lpath: Any, recursive: bool = False, **kwargs: Any) -> Any:
        self._list_anew(rpath, recursive)
        return await super()._get(rpath, lpath, recursive=recursive, **kwargs)

    # Writing

    async def _put(self, lpath: Any, rpath: Any, recursive: bool = False, **kwargs: Any) -> Any:
        self._list_anew(lpath, recursive)
        return await super()._put(lpath, rpath, recursive=recursive, **kwargs)

    def touch(self, path: str, truncate: bool = True, **kwargs: Any) -> None:
        """Create an empty object; with ``truncate=False`` only where there is none.

        Raises:
            NotImplementedError: there is one, and the store cannot set its time without writing it again.
        """
        try:
            self.pipe_file(path, b"", mode="overwrite" if truncate else "create", **kwargs)
        except FileExistsError:
            if self._scheme != "file":
                text = f"{path} exists, and its time cannot be set without writing it again"
                raise NotImplementedError(text) from None
            os.utime(self._strip_protocol(path))
            self.invalidate_cache(path)

    async def _pipe_file(
        self, path: str, value: Any, mode: str = "overwrite", **kwargs: Any
    ) -> None:
        store, key = self._at(path)
        await store.put_async(key, value, mode=mode, attributes=kwargs.get("attributes"))
        self.invalidate_cache(path)

    async def _put_file(
        self,
        lpath: str,
        rpath: str,
        mode: str = "overwrite",
        callback: Any = _NO_CALLBACK,
        **kwargs: Any,
    ) -> None:
        if os.path.isdir(lpath):
            await self._makedirs(rpath, exist_ok=True)
            return
        if mode not in ("overwrite", "create"):
            raise ValueError(f"mode is 'overwrite' or 'create', not {mode!r}")
        store, key = self._at(rpath)
        await upload_async(
            store,
            key,
            Path(lpath),
            overwrite=mode == "overwrite",
            attributes=kwargs.get("attributes"),
            progress=_teller(callback),
        )
        self.invalidate_cache(rpath)

    async def _cp_file(self, path1: str, path2: str, **_: Any) -> None:
        (source, from_), (target, to) = self._at(path1), self._at(path2)
        try:
            if source is target:
                await source.copy_async(from_, to)
            else:
                await copy_async(source, from_, target, to)
        except FileNotFoundError:
            if not await self._isdir(path1):
                raise
            await self._makedirs(path2, exist_ok=True)
        self.invalidate_cache(path2)

    async def _rm_file(self, path: str, **_: Any) -> None:
        store, key = self._at(path)
        await store.delete_async(key)
        self.invalidate_cache(path)

    async def _rm(
        self, path: Any, recursive: bool = False, batch_size: int | None = None, **kwargs: Any
    ) -> None:
        del batch_size
        self._list_anew(path, recursive)
        paths = await self._expand_path(path, recursive=recursive, maxdepth=kwargs.get("maxdepth"))
        if self._scheme == "file" and not recursive:
            for one in paths:
                if not await asyncio.to_thread(os.path.lexists, self._strip_protocol(one)):
                    raise FileNotFoundError(one)
        await self._delete(paths)

    async def _delete(self, paths: list[str]) -> None:
        """Delete objects, and local directories."""
        by_store = defaultdict(list)
        for path in paths:
            store, key = self._at(path)
            if key:
                by_store[id(store)].append((store, key))
        failures: list[BaseException] = []
        try:
            for pairs in by_store.values():
                keys = [key for _, key in pairs]
                done = await pairs[0][0].delete_many_async(keys, on_error="return")
                failures += [error for error in done if error is not None]
            if not failures and self._scheme == "file":
                names = [self._strip_protocol(path) for path in paths]
                await asyncio.to_thread(_remove_directories, names)
        finally:
            for path in paths:
                self.invalidate_cache(path)
        if failures:
            if len(failures) > 1:
                failures[0].add_note(f"{len(failures) - 1} more could not be deleted")
            raise failures[0]

    async def _copy(self, path1: Any, path2: Any, recursive: bool = False, **kwargs: Any) -> Any:
        self._list_anew(path1, recursive)
        return await super()._copy(path1, path2, recursive=recursive, **kwargs)

    def mv(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Move objects: they are copied, and when all copies are there, just what was copied is deleted.

        Raises:
            ValueError: a target is among what is to be moved.
            IsADirectoryError: the source is a directory, and `recursive` is not set.
        """
        sync(self.loop, self._mv, path1, path2, recursive=recursive, maxdepth=maxdepth, **kwargs)

    async def _mv(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        if self._strip_protocol(path1) == self._strip_protocol(path2):
            return
        self.dircache.clear()
        sources, targets = path1, path2
        if not (isinstance(path1, list) and isinstance(path2, list)):
            sources, targets = await self._to_move(path1, path2, recursive, maxdepth)
        moved = {self._strip_protocol(path) for path in sources}
        for target in targets:
            if self._strip_protocol(target) in moved:
                raise ValueError(f"{target} is among what is to be moved")
        await super()._copy(sources, targets, on_error="raise", **kwargs)
        await self._delete(sources)

    async def _to_move(
        self, path1: Any, path2: Any, recursive: bool, maxdepth: int | None
    ) -> tuple[list[str], list[str]]:
        """Return sources and their targets, by the rules of `cp`."""
        sources = await self._expand_path(path1, recursive=recursive, maxdepth=maxdepth)
        if not isinstance(path1, str):
            return sources, other_paths(sources, path2, flatten=True)
        if not recursive or maxdepth is not None:
            sources = [path for path in sources if not await self._isdir(path)]
            if not sources and not has_magic(path1):
                raise IsADirectoryError(f"{path1} is a directory: it is moved with recursive=True")
        is_dir = path2.endswith("/") or await self._isdir(path2)
        below = len(sources) == 1 if has_magic(path1) else is_dir and not path1.endswith("/")
        return sources, other_paths(sources, path2, exists=below)

    async def _mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        # Stores have no directories but those that keys imply; a local one is made for programs that look for it.
        if self._scheme == "file":
            make = os.makedirs if create_parents else os.mkdir
            await asyncio.to_thread(make, self._strip_protocol(path))
        self.invalidate_cache(path)

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:
        if self._scheme == "file":
            name = self._strip_protocol(path)
            await asyncio.to_thread(os.makedirs, name, exist_ok=exist_ok)
        self.invalidate_cache(path)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory; on stores other than local files there is none to remove."""
        if self._scheme == "file":
            os.rmdir(self._strip_protocol(path))
        self.invalidate_cache(path)

    # Opening

    def open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | str | None = None,
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Open a file: ``r``, ``w``, ``x`` or ``a``, as text or, with ``b``, as bytes.

        What is written appears when the file is closed, and not at all when a ``with`` block ends with an exception, which
        leaves the object as it was. `fsspec.open` gives files of which only fsspec knows how their block ended: there,
        what was written until an exception is published.

        Args:
            path: the path or URL.
            mode: how to open it; ``x`` raises `FileExistsError` where there is an object, at the latest when it is closed.
            block_size: bytes fetched at once, or gathered before a part is sent.
            cache_options: an option of other file systems, which is left alone.
            compression: how the content is compressed; ``"infer"`` goes by the name.
            kwargs: ``encoding``, ``errors`` and ``newline`` of text; options of `BufferedFile`.
        """
        is_text = "b" not in mode
        text = {}
        if is_text:
            mode = mode.replace("t", "") + "b"
            text = {k: kwargs.pop(k) for k in ("encoding", "errors", "newline") if k in kwargs}
        codec = get_compression(self._strip_protocol(path), compression)
        file = super().open(
            path, mode, block_size=block_size, cache_options=cache_options, **kwargs
        )
        if codec is None and not is_text:
            return file
        opened: Any = file
        try:
            if codec is not None:
                opened = CompressedFile(compr[codec](file, mode=mode[0]), file)
            if is_text:
                opened = TextFile(opened, **text)
                opened.begin(file.tell())
        except BaseException:
            file.discard()
            raise
        file.outer = weakref.ref(opened)
        return opened

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | str | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> BufferedFile:
        del cache_options
        if isinstance(block_size, int) and "buffer_size" not in kwargs:
            kwargs["buffer_size"] = block_size
        return BufferedFile(self, path, mode, autocommit=autocommit, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (
            type(self).protocol,
            self.protocol,
            self.storage_args,
            self.storage_options,
        )


def _teller(callback: Any) -> Any:
    """Return what tells a callback of fsspec how far a transfer is; None for one that does not listen."""
    if isinstance(callback, NoOpCallback):
        return None

    def tell(now: Any) -> None:
        if now.bytes != callback.size:
            callback.set_size(now.bytes)
        callback.absolute_update(now.bytes_done)

    return tell


def _strip(protocol: str, path: Any) -> Any:
    """Return a path without its protocol and without a slash at the end; local paths become absolute."""
    if isinstance(path, list):
        return [_strip(protocol, part) for part in path]
    path = os.fspath(path)
    if protocol.removeprefix(_OWN) == "file":
        if path.startswith((f"{protocol}:", "file:")):
            path = urlsplit(path).path or "/"
        return make_path_posix(path).rstrip("/") or "/"
    if "://" in path:
        path = path.split("://", 1)[1]
    return path.rstrip("/")


def _rebuild(registered: str, protocol: str, args: Any, options: Any) -> FsspecStore:
    cls = FsspecStore
    if registered != FsspecStore.protocol:
        present = fsspec.registry.get(registered)
        is_ours = isinstance(present, type) and issubclass(present, FsspecStore)
        cls = present if is_ours else _class_of(registered, False)
    return cls(protocol, *[arg for arg in args if arg != protocol], **options)


def _empty_directories(path: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    known = {entry["name"] for entry in entries}
    try:
        with os.scandir(path) as found:
            names = [entry.path for entry in found if entry.is_dir()]
    except OSError:
        return []
    return [{"name": n, "size": 0, "type": "directory"} for n in sorted(names) if n not in known]


def _remove_directories(paths: Iterable[str]) -> None:
    for path in sorted(paths, reverse=True):
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)


class _Content(bytes):
    """The content of one file: `bytes`, as fsspec says, and found under its path, as in obstore."""

    path: str

    def __new__(cls, data: bytes, path: str) -> _Content:
        content = super().__new__(cls, data)
        content.path = path
        return content

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key.rstrip("/") == self.path.rstrip("/"):
                return bytes(self)
            raise KeyError(key)
        return super().__getitem__(key)


async def _length_if_there(store: Any, key: str) -> int | None:
    """Return how long an object is; None when even that cannot be found out."""
    try:
        return (await store.head_async(key))["size"]
    except BaseError:
        return None


def AsyncFsspecStore(store: Any, **kwargs: Any) -> FsspecStore:
    """Return a file system over one store: paths are keys. An older name; `FsspecStore(store=...)` does the same."""
    return FsspecStore("memory", store=store, skip_instance_cache=True, **kwargs)


def _class_of(protocol: str, asynchronous: bool) -> type[FsspecStore]:
    name = f"FsspecStore_{protocol}"
    members = {"protocol": protocol, "asynchronous": asynchronous, "__module__": __name__}
    return type(name, (FsspecStore,), members)


def _own(protocol: str) -> type[FsspecStore]:
    return _class_of(_OWN + protocol, False)


# The entry points of the package; `register` takes over the plain names. Nobody else has ``ais``.
AISFileSystem = _class_of("ais", False)
S3FileSystem = _own("s3")
GCSFileSystem = _own("gs")
AzureFileSystem = _own("az")
HTTPFileSystem = _own("https")
LocalFileSystem = _own("file")
MemoryFileSystem = _own("memory")


def register(protocol: str | Iterable[str] | None = None, *, asynchronous: bool = False) -> None:
    """Make fsspec open URLs of a protocol through holdall, in place of whatever did before.

    Args:
        protocol: one protocol, or several; all but ``file`` and ``memory`` when it is None.
        asynchronous: whether the file systems are for asynchronous callers.

    Raises:
        ValueError: a protocol is empty, or none was given.
    """
    if protocol is None:
        protocol = sorted(SUPPORTED_PROTOCOLS - _NO_BUCKET)
    protocols = [protocol] if isinstance(protocol, str) else list(protocol)
    if not protocols or not all(isinstance(p, str) and p for p in protocols):
        raise ValueError("protocol is a non-empty str, or several of them")
    for one in protocols:
        fsspec.register_implementation(one, _class_of(one, asynchronous), clobber=True)
