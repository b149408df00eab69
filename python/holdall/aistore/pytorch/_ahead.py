"""Contents of objects, read before they are asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from ..bucket import Bucket
from ..etl.etl_config import ETLConfig
from ..obj.object import Object

T = TypeVar("T")
R = TypeVar("R")

GROUP = 32
"""Objects that are read at once."""

GROUP_BYTES = 64 << 20
"""Bytes after which a group is closed, where sizes are known."""


def ahead(items: Iterable[T], work: Callable[[T], R], depth: int) -> Iterator[R]:
    """The results in the order of the items, with `depth` of them in the making."""
    # Threads, made in the process that iterates: a forked or spawned worker has its own.
    with ThreadPoolExecutor(depth, thread_name_prefix="holdall-read-ahead") as pool:
        waiting: deque[Future[R]] = deque()
        try:
            source = iter(items)
            for item in islice(source, depth):
                waiting.append(pool.submit(work, item))
            while waiting:
                result = waiting.popleft().result()
                for item in islice(source, 1):
                    waiting.append(pool.submit(work, item))
                yield result
        finally:
            for future in waiting:
                future.cancel()


def groups(objects: Iterable[Any]) -> Iterator[list[Any]]:
    """Neighbours of one bucket, as many as are read at once. The first groups are small, so that samples come soon."""
    group: list[Any] = []
    size, most = 0, 4
    for obj in objects:
        if group and (len(group) >= most or size >= GROUP_BYTES or not _same_bucket(group[0], obj)):
            yield group
            group, size, most = [], 0, min(most * 2, GROUP)
        group.append(obj)
        size += size_of(obj)
    if group:
        yield group


def size_of(obj: Any) -> int:
    """The object's size where the listing told it, else 0."""
    props = obj.props_cached
    return int(props.size) if props is not None and isinstance(props.size, int) else 0


def _same_bucket(one: Any, other: Any) -> bool:
    if type(one) is not Object or type(other) is not Object:
        return False
    return one._bck_details is other._bck_details or (
        one.query_params == other.query_params
        and (one.bucket_name == other.bucket_name and one._client is other._client)
    )


def read_group(group: list[Any]) -> list[bytes]:
    """The contents of objects of one bucket."""
    first = group[0]
    if type(first) is not Object or first.query_params.keys() - {"provider"}:
        return [bytes(obj.get_reader().read_all()) for obj in group]
    bucket = Bucket(first.bucket_name, client=first._client, provider=first.bucket_provider)
    return [bytes(content) for content in bucket.get_many([obj.name for obj in group])]


def contents(objects: Iterable[Any], etl_name: str | None) -> Iterator[tuple[Any, bytes]]:
    """Objects and their contents, in the objects' order."""
    if etl_name is None:
        # Two groups: one is being used up while the other is read.
        pairs = ahead(groups(objects), lambda group: (group, read_group(group)), 2)
        for group, read in pairs:
            yield from zip(group, read, strict=True)
        return
    etl = ETLConfig(etl_name)

    def transformed(obj: Any) -> tuple[Any, bytes]:
        return obj, obj.get_reader(etl=etl).read_all()

    yield from ahead(objects, transformed, 4)
