"""Objects by number."""

from __future__ import annotations

from ..etl.etl_config import ETLConfig
from ._ahead import groups, read_group
from ._sources import Prefixes, Sources
from .base_map_dataset import AISBaseMapDataset


class AISMapDataset(AISBaseMapDataset):
    """Objects by number: pairs of name and content. A loader's batch is read with all its objects at once.

    Args:
        ais_source_list: Buckets and groups of objects, or one.
        prefix_map: Prefixes, or one, that names of a source's objects must have.
        etl_name: An ETL that objects pass through.
    """

    def __init__(
        self,
        ais_source_list: Sources | None = None,
        prefix_map: Prefixes | None = None,
        etl_name: str | None = None,
    ) -> None:
        super().__init__(ais_source_list or [], prefix_map)
        self._etl_name = etl_name

    def __len__(self) -> int:
        """The number of objects."""
        return len(self._obj_list)

    def __getitem__(self, index: int) -> tuple[str, bytes]:
        obj = self._object(index)
        return obj.name, obj.get_reader(etl=ETLConfig(self._etl_name)).read_all()

    def __getitems__(self, indices: list[int]) -> list[tuple[str, bytes]]:
        """Several objects."""
        # A subclass that has samples of its own makes each of them.
        if self._etl_name or type(self).__getitem__ is not AISMapDataset.__getitem__:
            return super().__getitems__(indices)
        samples = []
        for group in groups([self._object(index) for index in indices]):
            contents = read_group(group)
            samples += [(obj.name, content) for obj, content in zip(group, contents, strict=True)]
        return samples
