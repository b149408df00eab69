"""Data sets that go on where they were left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ._sources import positive
from ._torch import data


class Resumable(data.IterableDataset):  # type: ignore[misc, type-arg]
    """A data set that iterates, and knows how far its epoch is.

    A subclass gives what `_delivered` passes on, of samples without the first `_start`, of which this process passes over
    `_skip`.

    Args:
        batch_size: Samples of a batch, where that cannot be found out; see `AISDataLoader`.

    Raises:
        ValueError: When that is no size.
    """

    _shuffle = False
    """Whether the order is another one in each epoch."""

    def __init__(self, batch_size: int | None = None) -> None:
        positive(batch_size, "batch_size", type(self).__name__)
        self.batch_size = batch_size
        self._epoch = 0
        # Of the present epoch: the first sample, those of this process after it that are passed over, and those given.
        self._start = 0
        self._skip = 0
        self._given = 0

    def _delivered(self, samples: Iterable[Any]) -> Iterator[Any]:
        """The samples, each remembered as it is given."""
        self._given = self._skip
        for sample in samples:
            # Before it is given: who takes it may not come back.
            self._given += 1
            yield sample
        self._start = self._skip = self._given = 0

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
