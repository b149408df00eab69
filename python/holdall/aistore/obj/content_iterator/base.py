"""What iterates over the content of an object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..object_client import ObjectClient


@dataclass
class StreamBounds:
    """Where an iteration really begins, and where it has to end (None: nobody knows)."""

    start: int = 0
    expected_end: int | None = None


class BaseContentIterProvider(ABC):
    """Makes iterators over the content of an object.

    Args:
        client: asks for the object.
        chunk_size: bytes of a piece.
    """

    def __init__(self, client: ObjectClient, chunk_size: int) -> None:
        self._client = client
        self._chunk_size = chunk_size

    @property
    def client(self) -> ObjectClient:
        """Asks for the object."""
        return self._client

    @abstractmethod
    def read_all(self) -> Any:
        """The whole content."""

    @abstractmethod
    def create_iter(
        self, offset: int = 0, bounds: StreamBounds | None = None
    ) -> Generator[bytes, None, None]:
        """Iterate over the content from `offset` on; `bounds` are told what the server makes of it."""
