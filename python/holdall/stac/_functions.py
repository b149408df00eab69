"""Downloading, checking and reading."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from holdall._holdall import StacPlan, stac_check_name, stac_write

from . import _pystac
from ._run import Job, run_jobs
from .client import Client, Clients, reading
from .config import Config
from .errors import DownloadError, DownloadWarning
from .strategy import ErrorStrategy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pystac import Asset, Collection, Item, ItemCollection

    from .types import MessageQueue, PathLikeObject

__all__ = [
    "DEFAULT_MAX_CONCURRENT_DOWNLOADS",
    "assert_asset_exists",
    "asset_exists",
    "download_asset",
    "download_collection",
    "download_file",
    "download_item",
    "download_item_collection",
    "open_href",
    "read_href",
]

DEFAULT_MAX_CONCURRENT_DOWNLOADS: int = 500
"""The default number of downloads that can be active at once."""

Document = TypeVar("Document")


async def download_item(
    item: Item,
    directory: PathLikeObject,
    file_name: str | None = None,
    infer_file_name: bool = True,
    config: Config | None = None,
    messages: MessageQueue | None = None,
    clients: list[Client] | None = None,
    keep_non_downloaded: bool = False,
    max_concurrent_downloads: int = DEFAULT_MAX_CONCURRENT_DOWNLOADS,
    stream: bool | None = None,
) -> Item:
    """Download an item's assets into a directory.

    Args:
        item: A `pystac.Item`, which is changed in place, or a dictionary, of which a changed copy is returned.
        directory: The output directory that will hold the items and assets: a path, or a URL of any store.
        file_name: The name of the item file to save. If not provided, will not be saved.
        infer_file_name: If ``file_name`` is None, infer the file name from the item's id. This argument is unused if
            ``file_name`` is not None.
        config: The download configuration
        messages: An optional queue to use for progress reporting
        clients: Pre-configured clients to use for access
        keep_non_downloaded: Keep all assets on the item, even if they're not downloaded.
        max_concurrent_downloads: The maximum number of downloads that can be active at one time.
        stream: Handed to clients written in Python; files are never held in memory by the others.

    Returns:
        The item, with the updated asset hrefs and self href.

    Raises:
        DownloadError: assets failed
    """
    if isinstance(item, dict):
        if file_name is None and infer_file_name:
            file_name = ""
        return cast(
            "Item",
            await _download_document(
                item, directory, file_name, None, config, messages, clients,
                keep_non_downloaded, max_concurrent_downloads, stream,
            ),
        )  # fmt: skip
    if file_name is None and infer_file_name:
        file_name = f"{item.id}.json"
    plan = _pystac.Plan(config, clients, file_name is not None)
    plan.add(item, directory, file_name, keep_non_downloaded)
    await _execute(plan, messages, max_concurrent_downloads, stream)
    if file_name is not None:
        await _pystac.save(item, plan.config)
    return item


async def download_collection(
    collection: Collection,
    directory: PathLikeObject,
    file_name: str | None = "collection.json",
    config: Config | None = None,
    messages: MessageQueue | None = None,
    clients: list[Client] | None = None,
    keep_non_downloaded: bool = False,
    max_concurrent_downloads: int = DEFAULT_MAX_CONCURRENT_DOWNLOADS,
    stream: bool | None = True,
) -> Collection:
    """Download a collection's assets into a directory.

    Does not download the collection's items' assets -- use `download_item_collection` to download multiple items.

    Args:
        collection: A `pystac.Collection`, which is changed in place, or a dictionary, of which a changed copy is returned.
        directory: The destination directory: a path, or a URL of any store.
        file_name: The name of the collection file to save. If not provided, will not be saved.
        config: The download configuration
        messages: An optional queue to use for progress reporting
        clients: Pre-configured clients to use for access
        keep_non_downloaded: Keep all assets on the collection, even if they're not downloaded.
        max_concurrent_downloads: The maximum number of downloads that can be active at one time.
        stream: As in `download_item`

    Returns:
        The collection, with updated asset hrefs
    """
    if isinstance(collection, dict):
        return cast(
            "Collection",
            await _download_document(
                collection, directory, file_name, None, config, messages, clients,
                keep_non_downloaded, max_concurrent_downloads, stream,
            ),
        )  # fmt: skip
    plan = _pystac.Plan(config, clients, file_name is not None)
    plan.add(collection, directory, file_name, keep_non_downloaded)
    await _execute(plan, messages, max_concurrent_downloads, stream)
    if file_name:
        await _pystac.save(collection, plan.config)
    return collection


async def download_item_collection(
    item_collection: ItemCollection,
    directory: PathLikeObject,
    path_template: str | None = None,
    file_name: str | None = "item-collection.json",
    config: Config | None = None,
    messages: MessageQueue | None = None,
    clients: list[Client] | None = None,
    keep_non_downloaded: bool = False,
    max_concurrent_downloads: int = DEFAULT_MAX_CONCURRENT_DOWNLOADS,
    stream: bool | None = None,
) -> ItemCollection:
    """Download the assets of many items.

    Args:
        item_collection: A `pystac.ItemCollection`, which is changed in place, or a dictionary, of which a changed copy is
            returned.
        directory: The destination directory: a path, or a URL of any store.
        path_template: The directory of each item below it; ``${id}`` if it is not given. A third positional argument
            that ends in ``.json`` and has no variables is the file name, which stood there once.
        file_name: The name of the item collection file to save. If not provided, will not be saved.
        config: The download configuration
        messages: An optional queue to use for progress reporting
        clients: Pre-configured clients to use for access
        keep_non_downloaded: Keep all assets on the items, even if they're not downloaded.
        max_concurrent_downloads: The maximum number of downloads that can be active at one time.
        stream: As in `download_item`

    Returns:
        The item collection, with updated asset hrefs
    """
    if path_template is not None and path_template.endswith(".json") and "${" not in path_template:
        path_template, file_name = None, path_template
    if isinstance(item_collection, dict):
        return cast(
            "ItemCollection",
            await _download_document(
                item_collection, directory, file_name, path_template, config, messages, clients,
                keep_non_downloaded, max_concurrent_downloads, stream,
            ),
        )  # fmt: skip
    if file_name:
        stac_check_name(file_name, "the document")
    plan = _pystac.Plan(config, clients, False)
    plan.add_items(item_collection, directory, path_template, keep_non_downloaded)
    await _execute(plan, messages, max_concurrent_downloads, stream)
    if file_name:
        await _pystac.save_items(item_collection, directory, file_name, plan.config)
    return item_collection


async def _execute(
    plan: _pystac.Plan,
    messages: MessageQueue | None,
    max_concurrent: int,
    stream: bool | None,
) -> None:
    try:
        await run_jobs(plan.jobs, plan.clients, plan.config, messages, max_concurrent, stream)
    finally:
        await plan.clients.close_all()
    plan.finish()
    _report([job.error for job in plan.jobs if job.error is not None], plan.config)


def _report(errors: list[Exception], config: Config) -> None:
    if config.warn:
        for error in errors:
            warnings.warn(str(error), DownloadWarning, stacklevel=4)
    elif errors:
        raise DownloadError(errors)


async def _download_document(
    document: dict[str, Any],
    directory: PathLikeObject,
    file_name: str | None,
    path_template: str | None,
    config: Config | None,
    messages: MessageQueue | None,
    clients: list[Client] | None,
    keep_non_downloaded: bool,
    max_concurrent: int,
    stream: bool | None,
) -> dict[str, Any]:
    """Download what a plain dictionary describes. An empty file name stands for the one that the document suggests."""
    hrefs = "relative" if document.get("type") != "FeatureCollection" else "absolute"
    result, _ = await move_document(
        document,
        os.fspath(directory),
        file_name,
        path_template,
        config or Config(),
        messages,
        clients,
        {
            "hrefs": hrefs if file_name is not None else "as-given",
            "keep_unselected": keep_non_downloaded,
        },
        max_concurrent,
        stream,
    )
    return result


async def move_document(
    document: dict[str, Any],
    directory: str,
    file_name: str | None,
    path_template: str | None,
    config: Config,
    messages: MessageQueue | None,
    clients: list[Client] | None,
    rewriting: dict[str, Any],
    max_concurrent: int,
    stream: bool | None,
    compare_source: bool = False,
) -> tuple[dict[str, Any], list[Job]]:
    """Plan, run and rewrite a document; returns it with the jobs."""
    config.validate()
    plan = StacPlan(
        json.dumps(document, ensure_ascii=False),
        None,
        directory,
        config._plan_json(path_template),
    )
    if file_name == "":
        file_name = plan.file_name()
    is_catalog = rewriting.get("hrefs") == "self-contained"
    if is_catalog:
        plan.check_written("catalog.json", True)
    elif file_name:
        plan.check_written(file_name, False)
    jobs = []
    for key, owner, places, target, kind, size, sum_, same, refused in plan.jobs():
        (href, hints), *others = places or [("", None)]
        job = Job(key, owner, href, target, hints, others, kind, size, sum_)
        job.same_as, job.error = same, refused
        jobs.append(job)
    cache = Clients(config, clients)
    try:
        await run_jobs(jobs, cache, config, messages, max_concurrent, stream, compare_source)
    finally:
        await cache.close_all()
    place = join(directory, file_name) if file_name and not is_catalog else None
    settings = {
        "hrefs": "absolute",
        "self_place": place,
        "keep_failed": config.error_strategy == ErrorStrategy.KEEP,
        "keep_unselected": False,
        "alternate": config.keep_alternate,
        "describe_files": config.checksum is not None,
        "target_config": config.target_config,
    } | rewriting
    if is_catalog:
        settings["hrefs"] = "absolute"
    outcomes = [None if job.error is not None else (job.bytes, job.digest) for job in jobs]
    text = plan.finish(outcomes, json.dumps(settings))
    _report([job.error for job in jobs if job.error is not None], config)
    if is_catalog:
        await plan.write_catalog(outcomes, json.dumps(settings), "catalog.json")
    if place is not None:
        await stac_write(place, text, config.target_config)
    return json.loads(text), jobs


def join(directory: str, name: str) -> str:
    """Return the place of a name in a directory, which may be a URL."""
    if "://" in directory:
        return f"{directory.rstrip('/')}/{_pystac.in_url(name)}"
    return str(Path(directory) / name)


async def download_asset(
    key: str,
    asset: Asset,
    path: Path,
    config: Config,
    messages: MessageQueue | None = None,
    clients: Clients | None = None,
    stream: bool | None = None,
) -> Asset:
    """Download an asset.

    Args:
        key: The asset key
        asset: The asset
        path: The path to which the asset will be downloaded
        config: The download configuration
        messages: An optional queue to use for progress reporting
        clients: A async-safe cache of clients. If not provided, a new one will be created.
        stream: As in `download_item`

    Returns:
        The asset with an updated href

    Raises:
        ValueError: Raised if the asset does not have an absolute href
    """
    cache = Clients(config) if clients is None else clients
    path = Path(path)
    if not path.parent.exists():
        if not config.make_directory:
            raise FileNotFoundError(f"output directory does not exist: {path.parent}")
        path.parent.mkdir(parents=True, exist_ok=True)
    places = _pystac.places(asset, config)
    if not places:
        raise ValueError(
            f"asset '{key}' does not have an absolute href: its href is relative, and it has no owner with a self href"
        )
    job = _pystac.job(key, asset, asset.href, str(path), getattr(asset, "owner", None))
    (job.href, job.hints), *job.others = places
    own = config.copy()
    own.overwrite, own.fail_fast = True, False
    try:
        await run_jobs([job], cache, own, messages, 1, stream)
    finally:
        if clients is None:
            await cache.close_all()
    if job.error is not None:
        raise job.error
    asset.href = str(path)
    return asset


async def assert_asset_exists(
    asset: Asset,
    config: Config | None = None,
    clients: list[Client] | None = None,
) -> None:
    """Assert that an asset exists.

    Raises the source error if it does not.

    Args:
        asset: The asset the check for existence: a `pystac.Asset`, or a dictionary
        config: The download configuration to use for the existence check
        clients: Any pre-configured clients to use for the existence check

    Raises:
        Exception: An exception from the underlying client.
    """
    config = config or Config()
    cache = Clients(config, clients)
    places = _pystac.places(asset, config)
    if not places:
        raise ValueError("asset does not have an absolute href")
    first: Exception | None = None
    try:
        for href, _ in places:
            try:
                client = await cache.get_client(href)
                await client.assert_href_exists(href)
                return
            except Exception as error:
                first = first or error
    finally:
        await cache.close_all()
    assert first is not None
    raise first


async def asset_exists(
    asset: Asset,
    config: Config | None = None,
    clients: list[Client] | None = None,
) -> bool:
    """Return true if an asset exists.

    Args:
        asset: The asset the check for existence
        config: The download configuration to use for the existence check
        clients: Any pre-configured clients to use for the existence check
    """
    try:
        await assert_asset_exists(asset, config, clients)
    except Exception:
        return False
    return True


async def open_href(
    href: str, config: Config | None = None, clients: list[Client] | None = None
) -> AsyncIterator[bytes]:
    """Open an href and yield byte chunks.

    Args:
        href: The href to read
        config: The download configuration to use
        clients: Any pre-configured clients to use

    Yields:
        The bytes from the href
    """
    cache = Clients(config or Config(), clients)
    client = await cache.get_client(href)
    try:
        async with reading(client.open_href(href)) as body:
            async for chunk in body:
                yield chunk
    finally:
        await cache.close_all()


async def read_href(
    href: str, config: Config | None = None, clients: list[Client] | None = None
) -> bytes:
    """Read an href and return its bytes.

    Args:
        href: The href to read
        config: The download configuration to use
        clients: Any pre-configured clients to use

    Returns:
        The bytes from the href
    """
    cache = Clients(config or Config(), clients)
    client = await cache.get_client(href)
    try:
        core = client._core() if isinstance(client, Client) else None
        if core is not None:
            return bytes(await core.read(href))
        async with reading(client.open_href(href)) as body:
            return b"".join([chunk async for chunk in body])
    finally:
        await cache.close_all()


async def download_file(
    href: str,
    destination: PathLikeObject,
    config: Config | None = None,
    clients: list[Client] | None = None,
) -> None:
    """Download a file to the local filesystem, or into any store.

    Args:
        href: The source href
        destination: The destination file path, or a URL of a store
        config: The download configuration
        clients: Pre-configured clients to use for access
    """
    config = config or Config()
    cache = Clients(config, clients)
    own = config.copy()
    own.overwrite, own.make_directory, own.fail_fast = True, False, False
    job = Job(None, None, href, os.fspath(destination))
    try:
        await run_jobs([job], cache, own, None, 1, None)
    finally:
        await cache.close_all()
    if job.error is not None:
        raise job.error
