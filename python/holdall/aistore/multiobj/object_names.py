"""Objects by their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .object_collection import ObjectCollection


class ObjectNames(ObjectCollection):
    """A list of names."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def get_value(self) -> dict[str, Any]:
        return {"objnames": self._names}

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __str__(self) -> str:
        return str(self._names)
