"""Data sets that go on where they were left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import index
from typing import Any

from ._sources import positive
from ._torch import data


def numbers_of(state: Any, owner: Any, counts: tuple[str, ...], *others: str) -> list[int]:
    """The numbers of a state: `counts`, which are not below zero, and others. Files of checkpoints that are damaged, or of
    something else, have what they have.

    Raises:
        TypeError: When the state is no dictionary.
        ValueError: When a number is missing, is none, or counts less than nothing.
    """
    name = type(owner).__name__
    remedy = f"give what {name}.state_dict() returned"
    if not isinstance(state, Mapping):
        raise TypeError(
            f"{name}.load_state_dict: a state is a dictionary, not {type(state).__name__}: {remedy}"
        )
    found = []
    for key in (*counts, *others):
        if key not in state:
            raise ValueError(f"{name}.load_state_dict: the state has no {key!r}: {remedy}")
        number = _whole(state[key])
        if number is None or (number < 0 and key in counts):
            wanted = "a count" if key in counts else "a whole number"
            raise ValueError(
                f"{name}.load_state_dict: {key!r} is {state[key]!r:.60}, not {wanted}: {remedy}"
            )
        found.append(number)
    return found


def _whole(value: Any) -> int | None:
    """The number, which checkpoints may have as NumPy's or PyTorch's."""
    if isinstance(value, bool):
        return None
    try:
        return index(value)
    except (TypeError, ValueError, RuntimeError):
        # A tensor of many numbers, or of fractions, says so in any of these ways.
        return None


class LeftOut:
    """Stands for a sample that could not be had, so that those after it keep their places; and for a batch of such."""


class WithoutLeftOut:
    """Puts batches together of the samples that are there.

    Args:
        collate: what puts them together then.
        batched: whether it is given lists of samples; otherwise each by itself.
    """

    def __init__(self, collate: Callable[[Any], Any], batched: bool) -> None:
        self._collate = collate
        self._batched = batched

    def __call__(self, given: Any) -> Any:
        if not self._batched:
            return given if isinstance(given, LeftOut) else self._collate(given)
        there = [sample for sample in given if not isinstance(sample, LeftOut)]
        return self._collate(there) if there else LeftOut()


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

    _keeps_places = False
    """Whether the iteration that begins gives a `LeftOut` in place of what is left out: to a loader that takes them out of
    its batches."""

    def _may_leave_out(self) -> bool:
        """Whether `_keeps_places` is of use."""
        return False

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
        return self._remembered(samples, self._keeps_places)

    def _remembered(self, samples: Iterable[Any], keeps_places: bool) -> Iterator[Any]:
        self._given = self._skip
        for sample in samples:
            # Before it is given: who takes it may not come back.
            self._given += 1
            if keeps_places or not isinstance(sample, LeftOut):
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
        workers, it holds until `set_epoch` names another epoch.

        Raises:
            TypeError: When the state is no dictionary.
            ValueError: When it is none of `state_dict`; the data set is as it was then.
        """
        self._epoch, start, given = numbers_of(state, self, ("epoch", "start", "given"))
        if data.get_worker_info() is None:
            self._start, self._skip = start + given, 0
        else:
            # A loader that keeps the states of its workers gives each its own.
            self._start, self._skip = start, given
        self._given = self._skip
