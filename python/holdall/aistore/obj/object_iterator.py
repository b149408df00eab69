"""Entries of a listing, page after page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from ..types import BucketEntry, BucketList


class ObjectIterator(Iterator[BucketEntry]):
    """Iterates over a listing, and asks for a page when it has shown the one before.

    Args:
        list_objects: called with ``uuid=`` and ``token=``; returns a page.
        list_objects_async: the same, to be awaited; without it there is no ``async for``.
    """

    def __init__(
        self,
        list_objects: Callable[..., BucketList],
        list_objects_async: Callable[..., Awaitable[BucketList]] | None = None,
    ) -> None:
        self._list_objects = list_objects
        self._list_objects_async = list_objects_async
        self._page: Iterator[BucketEntry] = iter(())
        self._uuid = ""
        self._token = ""
        self._is_last = False

    def __iter__(self) -> ObjectIterator:
        return self

    def _take(self, page: BucketList) -> None:
        self._page = iter(page.entries)
        self._uuid, self._token = page.uuid, page.continuation_token
        self._is_last = not self._token

    def __next__(self) -> BucketEntry:
        while True:
            for entry in self._page:
                return entry
            if self._is_last:
                raise StopIteration
            self._take(self._list_objects(uuid=self._uuid, token=self._token))

    def __aiter__(self) -> AsyncIterator[BucketEntry]:
        if self._list_objects_async is None:
            raise TypeError("this listing cannot be awaited")
        return self

    async def __anext__(self) -> BucketEntry:
        while True:
            for entry in self._page:
                return entry
            if self._is_last:
                raise StopAsyncIteration
            more: Any = self._list_objects_async
            self._take(await more(uuid=self._uuid, token=self._token))
