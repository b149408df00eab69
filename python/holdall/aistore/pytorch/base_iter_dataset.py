"""The base of data sets that iterate."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from ..ais_source import AISSource
from ._resumable import Resumable
from ._sources import Prefixes, Sources, listed, objects, prefixes
from ._turns import Worker, in_turn


class AISBaseIterDataset(ABC, Resumable):
    """A base of data sets that iterate over objects. A subclass has ``__iter__``, which begins with `_reset_iterator` and
    takes its objects from `_get_worker_iter_info`.

    A loader gets the same samples in the same order for any number of workers. An epoch can be continued where it was left:
    `state_dict` and `load_state_dict`, or an `AISDataLoader`, which does it for its workers.

    Args:
        ais_source_list: Buckets and groups of objects, or one.
        prefix_map: Prefixes, or one, that names of a source's objects must have.
        partition_sources_by_worker: Whether each worker reads sources of its own, so that a source is listed by one worker
            alone. The order then depends on the number of workers.
        shuffle: Whether the order is another one in each epoch, see `set_epoch`; all names are held in memory then.
        seed: What the orders follow from.
        batch_size: Samples of a batch, where that cannot be found out; see `AISDataLoader`.
    """

    def __init__(
        self,
        ais_source_list: Sources,
        prefix_map: Prefixes | None = None,
        partition_sources_by_worker: bool = False,
        *,
        shuffle: bool = False,
        seed: int = 0,
        batch_size: int | None = None,
    ) -> None:
        self._ais_source_list = listed(ais_source_list, type(self).__name__)
        self._prefix_map = prefixes(prefix_map, self._ais_source_list, type(self).__name__)
        self._partition_sources_by_worker = partition_sources_by_worker
        super().__init__(batch_size)
        self._shuffle = shuffle
        self._seed = seed
        self._obj_iterator: Iterable[Any] | None = None

    _only_names = False
    """Whether names are all that is wanted of the objects of groups, whose sizes take a request each."""

    def _create_objects_iter(self, sources: list[AISSource] | None = None) -> Iterable[Any]:
        """The objects of sources, of all unless some are given, in this epoch's order."""
        chosen = self._ais_source_list if sources is None else sources
        found = objects(chosen, self._prefix_map, self._only_names)
        return self._shuffled(found) if self._shuffle else found

    def _shuffled(self, found: Iterable[Any]) -> Iterator[Any]:
        everything = list(found)
        random.Random(f"{self._seed}/{self._epoch}").shuffle(everything)
        yield from everything

    def _get_worker_iter_info(self) -> tuple[Iterator[Any], str]:
        """This worker's objects, and what the worker is called; empty for the only one."""
        worker = Worker.this()
        if self._partition_sources_by_worker and worker.count > 1:
            own = self._ais_source_list[worker.number :: worker.count]
            return self._counted(self._create_objects_iter(own), Worker(0, 1)), worker.name
        assert self._obj_iterator is not None, "call _reset_iterator first"
        return self._counted(self._obj_iterator, worker), worker.name

    def _counted(self, found: Iterable[Any], worker: Worker) -> Iterator[Any]:
        return in_turn(found, worker, self._start, self._skip, self.batch_size)

    @abstractmethod
    def __iter__(self) -> Iterator[Any]:
        """The samples."""

    def _reset_iterator(self) -> None:
        """Begin anew."""
        self._obj_iterator = self._create_objects_iter()

    def __len__(self) -> int:
        """The number of objects, which are listed for it."""
        return sum(1 for _ in objects(self._ais_source_list, self._prefix_map, True))
