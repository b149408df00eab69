"""The base of data sets that iterate."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from ..ais_source import AISSource
from ._sources import Prefixes, Sources, listed, objects, positive, prefixes
from ._torch import data
from ._turns import Worker, in_turn


class AISBaseIterDataset(ABC, data.IterableDataset):  # type: ignore[misc, type-arg]
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
        positive(batch_size, "batch_size", type(self).__name__)
        self._partition_sources_by_worker = partition_sources_by_worker
        self._shuffle = shuffle
        self._seed = seed
        self.batch_size = batch_size
        self._obj_iterator: Iterable[Any] | None = None
        self._epoch = 0
        # Of the present epoch: the first sample, those of this process after it that are passed over, and those given.
        self._start = 0
        self._skip = 0
        self._given = 0

    def _create_objects_iter(self, sources: list[AISSource] | None = None) -> Iterable[Any]:
        """The objects of sources, of all unless some are given, in this epoch's order."""
        chosen = self._ais_source_list if sources is None else sources
        found = objects(chosen, self._prefix_map)
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

    def _delivered(self, samples: Iterable[Any]) -> Iterator[Any]:
        """The samples, each remembered as it is given."""
        self._given = self._skip
        for sample in samples:
            # Before it is given: who takes it may not come back.
            self._given += 1
            yield sample
        self._start = self._skip = self._given = 0

    @abstractmethod
    def __iter__(self) -> Iterator[Any]:
        """The samples."""

    def _reset_iterator(self) -> None:
        """Begin anew."""
        self._obj_iterator = self._create_objects_iter()

    def __len__(self) -> int:
        """The number of objects, which are listed for it."""
        return sum(1 for _ in self._create_objects_iter())

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch: the order follows from it with ``shuffle``. An epoch that was to be continued is continued only
        under its own number."""
        if epoch != self._epoch:
            self._start = self._skip = self._given = 0
        self._epoch = epoch

    def state_dict(self) -> dict[str, int]:
        """How far the epoch is, in this process: what `load_state_dict` continues from."""
        return {"epoch": self._epoch, "start": self._start, "given": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue an epoch: the next iteration begins after the samples that had been given. With a plain loader with
        workers, it holds until `set_epoch` names another epoch."""
        self._epoch = state["epoch"]
        if data.get_worker_info() is None:
            self._start, self._skip = state["start"] + state["given"], 0
        else:
            # A loader that keeps the states of its workers gives each its own.
            self._start, self._skip = state["start"], state["given"]
        self._given = self._skip
