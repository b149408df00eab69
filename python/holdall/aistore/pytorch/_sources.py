"""What data sets are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..ais_source import AISSource
from ..multiobj.object_group import ObjectGroup

Sources = AISSource | list[AISSource]
Prefixes = Mapping[AISSource, str | list[str] | None]


def listed(sources: Any, owner: str) -> list[AISSource]:
    """One source or several as a list."""
    if not sources:
        raise ValueError(f"<{owner}> ais_source_list must be provided")
    found: list[Any] = [sources] if isinstance(sources, AISSource | str) else list(sources)
    for source in found:
        if not hasattr(source, "list_all_objects_iter"):
            raise TypeError(
                f"<{owner}> sources are buckets or groups of objects, not {type(source).__name__}: use "
                "client.bucket(name)"
            )
    return found


def prefixes(given: Any, sources: list[AISSource], owner: str) -> Prefixes:
    """The prefixes of sources; those of anything else would be of no use to who gave them."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise TypeError(
            f"<{owner}> prefix_map is a mapping from sources to prefixes, not {type(given).__name__}"
        )
    for source in given:
        if source not in sources:
            raise ValueError(
                f"<{owner}> prefix_map has {source!r}, which is none of the sources: use the same object in both"
            )
    return given


def positive(value: float | None, name: str, owner: str) -> None:
    """Refuse a size of which nothing would come."""
    if value is not None and not value > 0:
        raise ValueError(f"<{owner}> {name} must be more than 0, not {value}")


def objects(
    sources: Iterable[AISSource], prefixes: Prefixes, only_names: bool = False
) -> Iterator[Any]:
    """The objects of all sources, in the order of sources and prefixes; with `only_names`, those of groups are not asked
    for, one by one, what they are."""
    for source in sources:
        wanted = prefixes.get(source)
        if wanted is None:
            wanted = ""
        for prefix in [wanted] if isinstance(wanted, str) else wanted:
            if only_names and isinstance(source, ObjectGroup):
                yield from source.list_all_objects_iter(prefix=prefix, props=None)
            else:
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
