"""What data sets are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..ais_source import AISSource

Sources = AISSource | list[AISSource]
Prefixes = Mapping[AISSource, str | list[str] | None]


def listed(sources: Any, owner: str) -> list[AISSource]:
    """One source or several as a list."""
    if not sources:
        raise ValueError(f"<{owner}> ais_source_list must be provided")
    return [sources] if isinstance(sources, AISSource) else list(sources)


def objects(sources: Iterable[AISSource], prefixes: Prefixes) -> Iterator[Any]:
    """The objects of all sources, in the order of sources and prefixes."""
    for source in sources:
        wanted = prefixes.get(source)
        if wanted is None:
            wanted = ""
        for prefix in [wanted] if isinstance(wanted, str) else wanted:
            yield from source.list_all_objects_iter(prefix=prefix)


def progress(items: Iterable[Any], title: str, worker: str, shown: bool) -> Iterable[Any]:
    """The items, with a bar on the console where that is wanted."""
    if not shown:
        return items
    try:
        from alive_progress import alive_it
    except ImportError as error:
        raise ImportError(
            "show_progress needs alive_progress: pip install 'holdall[torch]'"
        ) from error
    counted: Any = items
    bar: Iterable[Any] = alive_it(counted, title=title + worker, force_tty=worker == "")
    return bar
