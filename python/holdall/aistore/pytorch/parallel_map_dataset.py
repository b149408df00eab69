"""Large objects by number."""

from __future__ import annotations

from typing import Any

from ._sources import Prefixes, Sources
from .base_map_dataset import AISBaseMapDataset


class AISParallelMapDataset(AISBaseMapDataset):
    """Large objects by number, each read in parts at once: pairs of name and ``ParallelBuffer``, which is to be closed.

    Args:
        ais_source_list: Buckets and groups of objects, or one.
        prefix_map: Prefixes, or one, that names of a source's objects must have.
        num_workers: Parts of an object that are read at once.
    """

    def __init__(
        self,
        ais_source_list: Sources | None = None,
        prefix_map: Prefixes | None = None,
        num_workers: int = 16,
    ) -> None:
        super().__init__(ais_source_list or [], prefix_map)
        self._num_workers = num_workers

    @property
    def num_workers(self) -> int:
        """Parts of an object that are read at once."""
        return self._num_workers

    def __len__(self) -> int:
        """The number of objects."""
        return len(self._obj_list)

    def __getitem__(self, index: int) -> tuple[str, Any]:
        obj = self._object(index)
        return obj.name, obj.get_reader(num_workers=self._num_workers).read_all()
