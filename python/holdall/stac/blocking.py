"""Blocking interfaces for functions.

They work inside a running event loop too, where they block it. If you have *any* async code in your application, prefer
the top-level functions.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from . import _documents, _functions, _more

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .config import Config
    from .types import PathLikeObject

__all__ = [
    "assert_asset_exists",
    "asset_exists",
    "copy_item",
    "copy_item_collection",
    "crawl",
    "download_asset",
    "download_collection",
    "download_file",
    "download_item",
    "download_item_collection",
    "info",
    "read_document",
    "read_href",
    "search",
    "upload_item",
    "upload_item_collection",
    "verify",
    "write_document",
]

P = ParamSpec("P")
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


def _blocking(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Return the same function for those who wait; its parameters are those of the other."""

    @functools.wraps(function)
    def waited(*args: P.args, **kwargs: P.kwargs) -> T:
        return _run(function(*args, **kwargs))

    waited.__module__ = __name__
    # stac-asset's blocking functions do not show this one; it is taken all the same.
    signature = inspect.signature(function)
    shown = [own for own in signature.parameters.values() if own.name != "stream"]
    waited.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    waited.__doc__ = (
        f"{function.__doc__}\n\nThis is `holdall.stac.{function.__name__}`, synchronously."
    )
    return waited


assert_asset_exists = _blocking(_functions.assert_asset_exists)
asset_exists = _blocking(_functions.asset_exists)
copy_item = _blocking(_more.copy_item)
copy_item_collection = _blocking(_more.copy_item_collection)
download_asset = _blocking(_functions.download_asset)
download_collection = _blocking(_functions.download_collection)
download_file = _blocking(_functions.download_file)
download_item = _blocking(_functions.download_item)
download_item_collection = _blocking(_functions.download_item_collection)
info = _blocking(_more.info)
read_document = _blocking(_documents.read_document)
read_href = _blocking(_functions.read_href)
upload_item = _blocking(_more.upload_item)
upload_item_collection = _blocking(_more.upload_item_collection)
verify = _blocking(_more.verify)
write_document = _blocking(_documents.write_document)


def search(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return what a STAC API finds as one item collection; arguments are those of `holdall.stac.search`."""
    return _run(_documents.search(*args, **kwargs).item_collection())


def crawl(
    document: PathLikeObject | dict[str, Any], config: Config | None = None
) -> list[dict[str, Any]]:
    """Return all items below a catalog, a collection, or a page of a search; see `holdall.stac.crawl`."""

    async def items() -> list[dict[str, Any]]:
        return [item async for item in _documents.crawl(document, config)]

    return _run(items())
