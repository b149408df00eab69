"""What stac-asset does not have: uploads and copies, descriptions, verification, partial reads."""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, overload

from holdall._holdall import StacClients, StacHints, StacPlan

from . import _pystac
from ._functions import DEFAULT_MAX_CONCURRENT_DOWNLOADS, move_document
from .config import Config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdall._holdall import Bytes

    from .client import Client
    from .types import MessageQueue, PathLikeObject

__all__ = [
    "AssetFile",
    "AssetInfo",
    "PlannedAsset",
    "copy_item",
    "copy_item_collection",
    "info",
    "open_asset",
    "plan",
    "upload_item",
    "upload_item_collection",
    "verify",
]


async def upload_item(
    item: Any,
    target: PathLikeObject,
    file_name: str | None = "",
    config: Config | None = None,
    messages: MessageQueue | None = None,
    clients: list[Client] | None = None,
    hrefs: str = "absolute",
    max_concurrent: int = DEFAULT_MAX_CONCURRENT_DOWNLOADS,
) -> Any:
    """Put an item and its assets into a store, with ``file:size`` and ``file:checksum`` written down.

    Args:
        item: A `pystac.Item`, which is changed in place, or a dictionary, of which a changed copy is returned.
        target: The directory in the store: ``s3://bucket/prefix``, or a URL of any other store, or a path.
        file_name: The name of the item's file; by default its id. None writes no file.
        config: Which assets, how they are called, how they are reached; ``checksum`` is ``sha2-256`` if it is not set.
        messages: An optional queue to use for progress reporting
        clients: Pre-configured clients to use for access
        hrefs: ``absolute``, or ``relative`` to the item's file, or ``self-contained``: in place of one file, each item is
            written beside its assets, and a ``catalog.json`` that links them, all with relative hrefs
        max_concurrent: The maximum number of transfers at one time

    Returns:
        The item, with the new hrefs

    Raises:
        DownloadError: assets failed
    """
    config = (config or Config()).copy()
    config.checksum = config.checksum or "sha2-256"
    return await _publish(
        item, target, file_name, None, config, messages, clients, hrefs, max_concurrent
    )


async def copy_item(
    item: Any,
    target: PathLikeObject,
    file_name: str | None = "",
    config: Config | None = None,
    messages: MessageQueue | None = None,
    clients: list[Client] | None = None,
    hrefs: str = "absolute",
    max_concurrent: int = DEFAULT_MAX_CONCURRENT_DOWNLOADS,
) -> Any:
    """Copy an item and its assets from store to store, with no local disk in between.

    Inside one service the service copies, unless a checksum is asked for. Arguments are those of `upload_item`.
    """
    return await _publish(
        item, target, file_name, None, config or Config(), messages, clients, hrefs, max_concurrent
    )


async def upload_item_collection(
    item_collection: Any,
    target: PathLikeObject,
    path_template: str | None = None,
    file_name: str | None = "item-collection.json",
    config: Config | None = None,
    messages: MessageQueue | None = None,
    clients: list[Client] | None = None,
    hrefs: str = "absolute",
    max_concurrent: int = DEFAULT_MAX_CONCURRENT_DOWNLOADS,
) -> Any:
    """Put many items and their assets into a store; see `upload_item`.

    Args:
        path_template: The directory of each item below the target; ``${id}`` if it is not given.
    """
    config = (config or Config()).copy()
    config.checksum = config.checksum or "sha2-256"
    return await _publish(
        item_collection, target, file_name, path_template, config, messages, clients, hrefs,
        max_concurrent,
    )  # fmt: skip


async def copy_item_collection(
    item_collection: Any,
    target: PathLikeObject,
    path_template: str | None = None,
    file_name: str | None = "item-collection.json",
    config: Config | None = None,
    messages: MessageQueue | None = None,
    clients: list[Client] | None = None,
    hrefs: str = "absolute",
    max_concurrent: int = DEFAULT_MAX_CONCURRENT_DOWNLOADS,
) -> Any:
    """Copy many items and their assets from store to store; see `copy_item` and `upload_item_collection`."""
    return await _publish(
        item_collection, target, file_name, path_template, config or Config(), messages, clients,
        hrefs, max_concurrent,
    )  # fmt: skip


async def _publish(
    document: Any,
    target: PathLikeObject,
    file_name: str | None,
    path_template: str | None,
    config: Config,
    messages: MessageQueue | None,
    clients: list[Client] | None,
    hrefs: str,
    max_concurrent: int,
) -> Any:
    if hrefs not in ("absolute", "relative", "self-contained"):
        raise ValueError(f"hrefs is {hrefs!r}: expected 'absolute', 'relative' or 'self-contained'")
    as_dict = _as_dict(document)
    rewriting = {
        "hrefs": hrefs,
        "keep_unselected": True,
        "describe_files": True,
    }
    result, _ = await move_document(
        as_dict,
        os.fspath(target),
        file_name,
        path_template,
        config,
        messages,
        clients,
        rewriting,
        max_concurrent,
        None,
        compare_source=True,
    )
    return result if isinstance(document, dict) else _take_over(document, result)


def _as_dict(document: Any) -> dict[str, Any]:
    """Return the dictionary of a pystac object, with absolute hrefs."""
    if isinstance(document, dict):
        return document
    if hasattr(document, "items") and not hasattr(document, "assets"):
        # Items stay as they are.
        features = [_as_dict(item) for item in document.items]
        return {**document.extra_fields, "type": "FeatureCollection", "features": features}
    if not hasattr(document, "clone"):
        kind = type(document).__name__
        raise TypeError(
            f"the document is a {kind}: expected a pystac object or a dictionary; read_document reads files"
        )
    copied = document.clone()
    copied.set_self_href(document.get_self_href())
    if document.get_self_href() is not None:
        copied.make_asset_hrefs_absolute()
    return copied.to_dict(include_self_link=True, transform_hrefs=False)


def _take_over(document: Any, result: dict[str, Any]) -> Any:
    """Change a pystac object into what a dictionary says."""
    if hasattr(document, "items") and not hasattr(document, "assets"):
        for item, changed in zip(document.items, result["features"], strict=True):
            _take_over(item, changed)
        return document
    changed = type(document).from_dict(result)
    document.assets = changed.assets
    for asset in document.assets.values():
        asset.set_owner(document)
    document.links = changed.links
    for link in document.links:
        link.set_owner(document)
    document.stac_extensions = changed.stac_extensions
    return document


@dataclass
class PlannedAsset:
    """One asset that would be moved."""

    owner_id: str | None
    """The id of its item or collection."""

    key: str
    """Its key."""

    href: str
    """Where it would be read first."""

    target: str
    """Where it would be written."""

    media_type: str | None
    """Its media type, as the document says."""

    size: int | None
    """Its ``file:size`` in bytes, as the document says."""


def plan(
    document: Any,
    directory: PathLikeObject,
    path_template: str | None = None,
    config: Config | None = None,
) -> list[PlannedAsset]:
    """Return what a download, an upload or a copy would move, and move nothing. No request is sent.

    A file that several items share is there once.

    Args:
        document: A pystac object or a dictionary
        directory: The directory, or the place in a store
        path_template: The directory of each item of a collection below it; ``${id}`` if it is not given
        config: Which assets, and how their files are called

    Raises:
        AssetOverwriteError: two assets would be written to one file
        HrefError: an asset has no href
    """
    config = config or Config()
    config.validate()
    text = json.dumps(_as_dict(document), ensure_ascii=False)
    made = StacPlan(text, None, os.fspath(directory), config._plan_json(path_template))
    planned = []
    for key, owner, places, target, media_type, size, _, same_as, refused in made.jobs():
        if not places and refused is not None:
            raise refused
        if same_as is None:
            planned.append(PlannedAsset(owner, key, places[0][0], target, media_type, size))
    return planned


@dataclass
class AssetInfo:
    """One asset, as its document describes it and as its server does."""

    owner_id: str | None
    """The id of its item or collection."""

    key: str
    """Its key."""

    href: str | None
    """The absolute href that was asked."""

    client: str | None
    """The name of the client that reads it."""

    media_type: str | None
    """Its media type, as the document says."""

    size: int | None
    """Its length in bytes, as the server says, or else the document."""

    alternates: list[str] = field(default_factory=list)
    """Keys of its alternates."""

    access: str | None = None
    """What access needs, as the document says."""

    exists: bool | None = None
    """Whether it exists; None when nobody asked."""

    error: Exception | None = None
    """Why it cannot be read, or what is wrong with it."""

    files: int | None = None
    """How many files it is, for a directory that `verify` counted; its ``size`` is that of all of them."""


async def info(
    document: Any, config: Config | None = None, *, offline: bool = False
) -> list[AssetInfo]:
    """Describe the assets of an item, item collection or collection.

    Args:
        document: A pystac object or a dictionary
        config: Which assets, and how they are reached
        offline: Ask no server; what the document says is all there is.
    """
    return await _look(document, config, "document" if offline else "existence")


async def verify(
    document: Any, config: Config | None = None, content: bool = True
) -> list[AssetInfo]:
    """Compare assets with the ``file:size`` and ``file:checksum`` of their document.

    Args:
        document: A pystac object or a dictionary
        config: Which assets, and how they are reached
        content: Read the assets that have a checksum; otherwise compare lengths only.

    Returns:
        Every asset; those that are missing or wrong have an ``error``.
    """
    return await _look(document, config, "content" if content else "size")


async def _look(document: Any, config: Config | None, depth: str) -> list[AssetInfo]:
    config = config or Config()
    as_dict = _as_dict(document)
    if as_dict.get("type") == "Catalog" and "assets" not in as_dict:
        raise ValueError("a catalog has no assets of its own: take the items that crawl() finds")
    core = StacClients(config._client_json(client_override=config.client_override))
    text = json.dumps(as_dict, ensure_ascii=False)
    rows = await core.info(text, None, config._plan_json(None), depth)
    return [AssetInfo(*row) for row in rows]


class AssetFile(io.RawIOBase):
    """A seekable file over an asset, wherever it is; reads are ranges of its content.

    For programs that read a file object (rasterio, xarray, tifffile) and for asynchronous ones, which use `read_range` and
    `read_ranges`. All reads are of the file as it was opened: where it is another by now, as far as its server says, they
    raise `OSError`.
    """

    def __init__(
        self,
        core: StacClients,
        href: str,
        hints: StacHints | None,
        size: int,
        tag: str | None = None,
    ) -> None:
        self._core = core
        self._hints = hints
        self._version = (size, tag)
        self._position = 0
        self.name = href
        """The href."""
        self.size = size
        """The length in bytes."""

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move the position."""
        self._check_open()
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}
        if whence not in start:
            raise ValueError(f"whence is {whence}: expected 0, 1 or 2")
        position = start[whence] + offset
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        self._position = position
        return position

    def readinto(self, buffer: Any, /) -> int:
        """Read into a buffer."""
        view = memoryview(buffer).cast("B")
        data = self._read(len(view))
        view[: len(data)] = memoryview(data)
        return len(data)

    def readall(self) -> bytes:
        """Return everything from the position on, which one request brings."""
        return bytes(self._read(self.size))

    def _read(self, most: int) -> Bytes | bytes:
        self._check_open()
        start, end = self._position, min(self._position + most, self.size)
        if end <= start:
            return b""
        data = self._core.read_range_sync(self.name, self._version, start, end, self._hints)
        self._position += len(data)
        return data

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    async def read_range(self, start: int, end: int) -> bytes:
        """Return the bytes from ``start`` up to ``end``, as far as there are any.

        Raises:
            ValueError: ``start`` is negative, or ``end`` is before it; or the file is closed
        """
        self._check_open()
        if start < 0 or end < start:
            raise ValueError(f"no range from {start} to {end}: expected 0 <= start <= end")
        end = min(end, self.size)
        if start >= end:
            return b""
        return bytes(await self._core.read_range(self.name, self._version, start, end, self._hints))

    async def read_ranges(self, starts: Sequence[int], ends: Sequence[int]) -> list[bytes]:
        """Return several ranges, which are read at the same time."""
        import asyncio

        pairs = zip(starts, ends, strict=True)
        return list(await asyncio.gather(*(self.read_range(start, end) for start, end in pairs)))


@overload
def open_asset(
    asset: Any, config: Config | None = None, *, buffer_size: Literal[0]
) -> AssetFile: ...


@overload
def open_asset(
    asset: Any, config: Config | None = None, *, buffer_size: int = ...
) -> io.BufferedReader: ...


def open_asset(
    asset: Any, config: Config | None = None, *, buffer_size: int = 1024 * 1024
) -> io.BufferedReader | AssetFile:
    """Open an asset for reading, with the credentials that a download would use.

    Args:
        asset: A `pystac.Asset`, a dictionary with an ``href``, or an href
        config: How it is reached
        buffer_size: Bytes that are read at once; at least ``file:header_size``, where the asset has it, so that one request
            brings the whole header. 0 gives the `AssetFile` itself: each read is a request.

    Returns:
        A seekable file; its ``raw`` is an `AssetFile`, which reads ranges asynchronously too. It is of the version that was
        there when it was opened: where the asset changes, reading raises `OSError`.
    """
    config = config or Config()
    if isinstance(asset, str | os.PathLike):
        places: list[tuple[str, StacHints | None]] = [(os.fspath(asset), None)]
        extra: dict[str, Any] = {}
    else:
        places = _pystac.places(asset, config)
        extra = asset if isinstance(asset, dict) else asset.extra_fields
        if not places:
            raise ValueError("asset does not have an absolute href")
    header = extra.get("file:header_size")
    if isinstance(header, int) and buffer_size > 0:
        buffer_size = max(buffer_size, header)
    core = StacClients(config._client_json(client_override=config.client_override))
    first: Exception | None = None
    for href, hints in places:
        try:
            size, tag = core.head_sync(href, hints)
        except Exception as error:
            first = first or error
            continue
        if size is None:
            raise OSError(f"the server does not say how long {href.partition('?')[0]} is")
        raw = AssetFile(core, href, hints, size, tag)
        return io.BufferedReader(raw, buffer_size) if buffer_size else raw
    assert first is not None
    raise first
