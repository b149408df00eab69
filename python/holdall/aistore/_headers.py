"""Headers, whose names have no case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any


class CaseInsensitiveDict(MutableMapping[str, Any]):
    """A dictionary that finds keys in any case, and shows them as they were last set."""

    __slots__ = ("_kept",)

    def __init__(
        self,
        data: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None,
        **more: Any,
    ) -> None:
        self._kept: dict[str, tuple[str, Any]] = {}
        if data is not None:
            pairs = data.items() if isinstance(data, Mapping) else data
            for key, value in pairs:
                self._kept[key.lower()] = (key, value)
        for key, value in more.items():
            self._kept[key.lower()] = (key, value)

    def __setitem__(self, key: str, value: Any) -> None:
        self._kept[key.lower()] = (key, value)

    def __getitem__(self, key: str) -> Any:
        return self._kept[key.lower()][1]

    def __delitem__(self, key: str) -> None:
        del self._kept[key.lower()]

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    def lower_items(self) -> Iterator[tuple[str, Any]]:
        """Pairs with their keys in lower case."""
        return ((lower, value) for lower, (_, value) in self._kept.items())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(self.lower_items()) == {key.lower(): value for key, value in other.items()}

    __hash__ = None  # type: ignore[assignment]

    def copy(self) -> CaseInsensitiveDict:
        """Another one with the same pairs."""
        return CaseInsensitiveDict(self._kept.values())

    def __repr__(self) -> str:
        return str(dict(self.items()))


def joined(pairs: Iterable[tuple[str, str]]) -> CaseInsensitiveDict:
    """Headers of a reply; those that came more than once are joined by a comma, as HTTP allows."""
    headers = CaseInsensitiveDict()
    kept = headers._kept
    for key, value in pairs:
        lower = key.lower()
        before = kept.get(lower)
        kept[lower] = (key, value if before is None else f"{before[1]}, {value}")
    return headers
