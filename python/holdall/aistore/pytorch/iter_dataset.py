"""Objects one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._ahead import contents
from ._sources import Prefixes, Sources, progress
from .base_iter_dataset import AISBaseIterDataset


class AISIterDataset(AISBaseIterDataset):
    """Objects one after the other: pairs of name and content. Some are read before they are asked for.

    Args:
        ais_source_list: Buckets and groups of objects, or one.
        prefix_map: Prefixes, or one, that names of a source's objects must have.
        etl_name: An ETL that objects pass through.
        show_progress: Whether a bar is shown.
        partition_sources_by_worker: As of `AISBaseIterDataset`.
        **options: ``shuffle``, ``seed``, ``batch_size``, as of `AISBaseIterDataset`.
    """

    def __init__(
        self,
        ais_source_list: Sources,
        prefix_map: Prefixes | None = None,
        etl_name: str | None = None,
        show_progress: bool = False,
        partition_sources_by_worker: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(ais_source_list, prefix_map, partition_sources_by_worker, **options)
        self._etl_name = etl_name
        self._show_progress = show_progress

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        self._reset_iterator()
        own, worker = self._get_worker_iter_info()
        shown = progress(own, "AISIterDataset", worker, self._show_progress)
        pairs = contents(shown, self._etl_name)
        return self._delivered((obj.name, content) for obj, content in pairs)
