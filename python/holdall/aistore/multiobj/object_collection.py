"""What selects objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any


class ObjectCollection(ABC):
    """Names of objects, listed or described."""

    @abstractmethod
    def get_value(self) -> dict[str, Any]:
        """As it is sent."""

    @abstractmethod
    def __iter__(self) -> Iterator[str]:
        """The names."""
