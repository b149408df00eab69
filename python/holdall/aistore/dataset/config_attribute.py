"""What a part of a sample is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class ConfigAttribute(ABC):
    """A part of every sample of a data set."""

    @abstractmethod
    def get_data_for_entry(self, filename: str) -> tuple[str, Any]:
        """The part's name in a shard, and its data for the sample of this name; None as data where it is missing."""
