"""Blocking interfaces for functions.

They work inside a running event loop too, where they block it. If you have *any* async code in your application, prefer
the top-level functions.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from . import _functions, _more
from ._functions import DEFAULT_MAX_CONCURRENT_DOWNLOADS
from .client import Client, Clients
from .config import Config

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from pystac import Asset, Collection, Item, ItemCollection

    from ._more import AssetInfo
    from .types import MessageQueue, PathLikeObject

__all__ = [
    "assert_asset_exists",
    "asset_exists",
    "copy_item",
    "copy_item_collection",
    "download_asset",
    "download_collection",
    "download_file",
    "download_item",
    "download_item_collection",
    "info",
    "read_href",
    "upload_item",
    "upload_item_collection",
    "verify",
]

T = TypeVar("T")


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; on a thread of its own where this one has a loop already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    result: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            result.append(asyncio.run(coroutine))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def download_item(
    item: Item,
    directory: PathLikeObject,
    file_name: str | None = None,
    infer_file_name: bool = True,
    config: Config | None = None,
    messages: MessageQueue | None = None,
    clients: list[Client] | None = None,
    keep_non_downloaded: bool = False,
    max_concurrent_downloads: int = DEFAULT_MAX_CONCURRENT_DOWNLOADS,
) -> Item:
    """Download an item's assets, synchronously; see `holdall.stac.download_item`."""
    return _run(
        _functions.download_item(
            item,
            directory,
            file_name=file_name,
            infer_file_name=infer_file_name,
            config=config,
            messages=messages,
            clients=clients,
            keep_non_downloaded=keep_non_downloaded,
            max_concurrent_downloads=max_concurrent_downloads,
        )
    )


def download_collection(
    collection: Collection,
    directory: PathLikeObject,
    file_name: str | None = "collection.json",
    config: Config | None = None,
    messages: MessageQueue | None = None,
    clients: list[Client] | None = None,
    keep_non_downloaded: bool = False,
    max_concurrent_downloads: int = DEFAULT_MAX_CONCURRENT_DOWNLOADS,
) -> Collection:
    """Download a collection's assets, synchronously; see `holdall.stac.download_collection`."""
    return _run(
        _functions.download_collection(
            collection,
            directory,
            file_name=file_name,
            config=config,
            messages=messages,
            clients=clients,
            keep_non_downloaded=keep_non_downloaded,
            max_concurrent_downloads=max_concurrent_downloads,
        )
    )


def download_item_collection(
    item_collection: ItemCollection,
    directory: PathLikeObject,
    path_template: str | None = None,
    file_name: str | None = "item-collection.json",
    config: Config | None = None,
    messages: MessageQueue | None = None,
    clients: list[Client] | None = None,
    keep_non_downloaded: bool = False,
    max_concurrent_downloads: int = DEFAULT_MAX_CONCURRENT_DOWNLOADS,
) -> ItemCollection:
    """Download the assets of many items, synchronously; see `holdall.stac.download_item_collection`."""
    return _run(
        _functions.download_item_collection(
            item_collection,
            directory,
            path_template=path_template,
            file_name=file_name,
            config=config,
            messages=messages,
            clients=clients,
            keep_non_downloaded=keep_non_downloaded,
            max_concurrent_downloads=max_concurrent_downloads,
        )
    )


def download_asset(
    key: str,
    asset: Asset,
    path: Path,
    config: Config,
    messages: MessageQueue | None = None,
    clients: Clients | None = None,
) -> Asset:
    """Download an asset, synchronously; see `holdall.stac.download_asset`."""
    return _run(
        _functions.download_asset(
            key, asset, path, config=config, messages=messages, clients=clients
        )
    )


def assert_asset_exists(
    asset: Asset,
    config: Config | None = None,
    clients: list[Client] | None = None,
) -> None:
    """Assert that an asset exists, synchronously; see `holdall.stac.assert_asset_exists`."""
    _run(_functions.assert_asset_exists(asset, config, clients))


def asset_exists(
    asset: Asset,
    config: Config | None = None,
    clients: list[Client] | None = None,
) -> bool:
    """Return true if an asset exists, synchronously."""
    return _run(_functions.asset_exists(asset, config, clients))


def read_href(
    href: str, config: Config | None = None, clients: list[Client] | None = None
) -> bytes:
    """Read an href and return its bytes, synchronously."""
    return _run(_functions.read_href(href, config, clients))


def download_file(
    href: str,
    destination: PathLikeObject,
    config: Config | None = None,
    clients: list[Client] | None = None,
) -> None:
    """Download a file, synchronously; see `holdall.stac.download_file`."""
    _run(_functions.download_file(href, destination, config, clients))


def upload_item(item: Any, target: PathLikeObject, **options: Any) -> Any:
    """Upload an item and its assets, synchronously; see `holdall.stac.upload_item`."""
    return _run(_more.upload_item(item, target, **options))


def upload_item_collection(item_collection: Any, target: PathLikeObject, **options: Any) -> Any:
    """Upload items and their assets, synchronously; see `holdall.stac.upload_item_collection`."""
    return _run(_more.upload_item_collection(item_collection, target, **options))


def copy_item(item: Any, target: PathLikeObject, **options: Any) -> Any:
    """Copy an item and its assets, synchronously; see `holdall.stac.copy_item`."""
    return _run(_more.copy_item(item, target, **options))


def copy_item_collection(item_collection: Any, target: PathLikeObject, **options: Any) -> Any:
    """Copy items and their assets, synchronously; see `holdall.stac.copy_item_collection`."""
    return _run(_more.copy_item_collection(item_collection, target, **options))


def info(document: Any, config: Config | None = None) -> list[AssetInfo]:
    """Describe the assets of a document, synchronously; see `holdall.stac.info`."""
    return _run(_more.info(document, config))


def verify(document: Any, config: Config | None = None, content: bool = True) -> list[AssetInfo]:
    """Compare assets with their document, synchronously; see `holdall.stac.verify`."""
    return _run(_more.verify(document, config, content))
