"""What data sets can be made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .obj.object import Object


class AISSource(ABC):
    """Objects of a bucket: all of them, or a group."""

    @property
    @abstractmethod
    def client(self) -> Any:
        """Sends the requests."""

    @abstractmethod
    def list_all_objects_iter(self, prefix: str = "", props: str = "name,size") -> Iterable[Object]:
        """The objects whose names have the prefix."""

    @abstractmethod
    def list_urls(
        self, prefix: str = "", etl: Any = None, *, etl_name: str | None = None
    ) -> Iterable[str]:
        """The URLs of the objects whose names have the prefix, transformed by `etl` if it is given."""
