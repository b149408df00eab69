"""The base of data sets with numbered samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ._sources import Prefixes, Sources, listed, objects, prefixes
from ._torch import data


class AISBaseMapDataset(ABC, data.Dataset):  # type: ignore[misc, type-arg]
    """A base of data sets whose samples are objects with numbers. The objects are listed when it is made.

    Args:
        ais_source_list: Buckets and groups of objects, or one.
        prefix_map: Prefixes, or one, that names of a source's objects must have.
    """

    def __init__(self, ais_source_list: Sources, prefix_map: Prefixes | None = None) -> None:
        self._ais_source_list = listed(ais_source_list, type(self).__name__)
        self._prefix_map = prefixes(prefix_map, self._ais_source_list, type(self).__name__)
        self._obj_list = self._create_objects_list()

    def _create_objects_list(self) -> list[Any]:
        return list(objects(self._ais_source_list, self._prefix_map))

    def get_obj_list(self) -> list[Any]:
        """The objects."""
        return self._obj_list

    def _object(self, index: int) -> Any:
        try:
            return self._obj_list[index]
        except IndexError:
            raise IndexError(
                f"<{type(self).__name__}> index must be in bounds of dataset"
            ) from None

    @abstractmethod
    def __getitem__(self, index: int) -> Any:
        """One sample."""

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """Several samples."""
        return [self[index] for index in indices]
