"""Documents from anywhere and to anywhere: files, searches, catalogs."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections import deque
from typing import TYPE_CHECKING, Any

from holdall._holdall import StacClients, StacCrawl, StacPages, stac_write

from .config import Config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from .types import PathLikeObject

__all__ = ["Search", "crawl", "read_document", "search", "write_document"]


def _core(config: Config | None) -> StacClients:
    config = config or Config()
    return StacClients(config._client_json(client_override=config.client_override))


async def read_document(href: PathLikeObject, config: Config | None = None) -> dict[str, Any]:
    """Read an item, item collection, collection or catalog from a file, a URL, or any store.

    Lists of items, items line by line (NDJSON) and stac-geoparquet are read as item collections.

    Args:
        href: A path, or a URL of any server or store
        config: How it is reached

    Returns:
        The document. It has an absolute link to itself if its relative hrefs need one.
    """
    document: dict[str, Any] = json.loads(await _core(config).read_document(os.fspath(href)))
    return document


async def write_document(document: Any, href: PathLikeObject, config: Config | None = None) -> None:
    """Write an item, item collection, collection or catalog to a file or into any store.

    Args:
        document: A pystac object or a dictionary
        href: A path, or a URL of any store. Names that end with ``.parquet`` or ``.geoparquet`` get stac-geoparquet, those
            with ``.ndjson`` or ``.jsonl`` an item per line, all others JSON; with ``.gz`` after that, it is compressed.
        config: Its ``target_config`` is that of the store
    """
    as_dict = document if isinstance(document, dict) else document.to_dict()
    settings = (config or Config()).target_config
    await stac_write(os.fspath(href), json.dumps(as_dict, ensure_ascii=False), settings)


class Search:
    """What a STAC API finds, for ``async for``: items as dictionaries, page by page on the wire."""

    def __init__(self, core: StacClients, request: dict[str, Any], max_items: int | None) -> None:
        self._pages = StacPages(core, json.dumps(request))
        self._left = max_items
        self._begun: deque[dict[str, Any]] = deque()

    @property
    def position(self) -> dict[str, Any] | None:
        """The request for the next page, for `search` to go on with at another time; None after the last.

        It is plain data, which JSON can keep. Items of the page that was read last are not in it any more; iterating over this
        object again goes on with them.
        """
        position = self._pages.position
        return None if position is None else json.loads(position)

    async def pages(self) -> AsyncIterator[dict[str, Any]]:
        """Iterate over item collections, as the server gives them; first over what is left of a page that was begun."""
        if self._begun:
            features = list(self._begun)
            self._begun.clear()
            yield {"type": "FeatureCollection", "features": features}
        while (page := await self._next_page()) is not None:
            yield page

    async def _next_page(self) -> dict[str, Any] | None:
        if self._left is not None and self._left <= 0:
            return None
        text = await self._pages.next()
        if text is None:
            return None
        page: dict[str, Any] = json.loads(text)
        if self._left is not None:
            page["features"] = page["features"][: self._left]
            self._left -= len(page["features"])
        return page

    def __aiter__(self) -> Search:
        return self

    async def __anext__(self) -> dict[str, Any]:
        while not self._begun:
            page = await self._next_page()
            if page is None:
                raise StopAsyncIteration
            self._begun.extend(page["features"])
        return self._begun.popleft()

    async def item_collection(self) -> dict[str, Any]:
        """Return everything that is found as one item collection."""
        return {"type": "FeatureCollection", "features": [item async for item in self]}


def _texts(value: str | Sequence[str] | None) -> list[str] | None:
    """Return a list of texts; one alone is one, and not its letters."""
    if value is None:
        return None
    return [value] if isinstance(value, str) else list(value)


def _when(value: Any) -> str | None:
    """Return a time or a span of time as APIs read it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dt.datetime):
        # Without a zone it is UTC, as times of items are.
        whole = value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
        return whole.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, list | tuple) and len(value) == 2:
        return "/".join(_when(one) or ".." for one in value)
    raise TypeError(
        f"datetime is {value!r}: expected a text such as '2024-01-01T00:00:00Z/..', a datetime.datetime, or a pair of "
        "these, where None is an open end"
    )


def search(
    url: str | None = None,
    *,
    collections: str | Sequence[str] | None = None,
    ids: str | Sequence[str] | None = None,
    bbox: Sequence[float] | None = None,
    datetime: str | dt.datetime | Sequence[str | dt.datetime | None] | None = None,
    intersects: dict[str, Any] | None = None,
    filter: str | dict[str, Any] | None = None,
    limit: int | None = None,
    body: dict[str, Any] | None = None,
    max_items: int | None = None,
    position: dict[str, Any] | None = None,
    config: Config | None = None,
) -> Search:
    """Search a STAC API. No request is sent before somebody iterates.

    Args:
        url: The root of the API, its search, or the URL of a page
        collections: Only items of these collections, or of this one
        ids: Only these items, or this one
        bbox: Only items that touch this box: west, south, east, north
        datetime: Only items of this time or span of time: ``2024-01-01T00:00:00Z/..``, a `datetime.datetime`, or a pair of
            these, where None is an open end; UTC where they have no zone
        intersects: Only items that touch this GeoJSON geometry
        filter: A filter in CQL2, as text or JSON
        limit: Items per page
        body: Further fields of the search
        max_items: Items at most
        position: Where an earlier search stopped (`Search.position`), in place of everything above
        config: How the API is reached
    """
    fields = dict(body or {})
    given = {
        "collections": _texts(collections),
        "ids": _texts(ids),
        "bbox": None if bbox is None else list(bbox),
        "datetime": _when(datetime),
        "intersects": intersects,
        "limit": limit,
    }
    fields |= {name: value for name, value in given.items() if value is not None}
    if filter is not None:
        fields["filter"] = filter
        fields["filter-lang"] = "cql2-text" if isinstance(filter, str) else "cql2-json"
    if position is not None:
        if fields or url is not None:
            raise ValueError("a position is a whole search: give it without url and fields")
        return Search(_core(config), position, max_items)
    if url is None:
        raise ValueError("search needs the url of an API, or a position")
    if "?" in url or "/collections/" in url:
        if fields:
            raise ValueError(
                f"{url} is a page of its own: fields of a search go with the root of an API"
            )
        return Search(_core(config), {"href": url}, max_items)
    url = url.rstrip("/")
    href = url if url.endswith("/search") else f"{url}/search"
    return Search(_core(config), {"href": href, "body": fields}, max_items)


async def crawl(
    document: PathLikeObject | dict[str, Any], config: Config | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Iterate over all items below a catalog, a collection, or a page of a search.

    Args:
        document: A path, a URL of any server or store, or a dictionary with an absolute link to itself
        config: How documents are reached

    Yields:
        Items, level by level, in the order of the links
    """
    core = _core(config)
    whole = document if isinstance(document, dict) else await read_document(document, config)
    items = StacCrawl(core, json.dumps(whole, ensure_ascii=False))
    while (text := await items.next()) is not None:
        yield json.loads(text)
