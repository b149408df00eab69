"""A loader that goes on where it was left."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ._resumable import LeftOut, Resumable, WithoutLeftOut, numbers_of
from ._torch import data, torch


class _Order:
    """A sampler whose order follows from the loader's seed and epoch, from the batch on where the loader begins.

    Workers that stay keep the sampler of their first epoch, so it asks the loader anew each time.
    """

    def __init__(self, sampler: Any, loader: AISDataLoader) -> None:
        self._sampler = sampler
        self._loader = loader

    def __iter__(self) -> Iterator[Any]:
        # Only now, when the first batch is asked for: loaders draw the seeds of their workers from the same generator,
        # and those with workers that stay do so once.
        self._loader._seed_order()
        yield from islice(iter(self._sampler), self._loader._first, None)

    def __len__(self) -> int:
        return len(self._sampler)


class AISDataLoader(data.DataLoader):  # type: ignore[misc, type-arg]
    """PyTorch's loader, with an order that follows from a seed, and a state from which another loader goes on exactly,
    with any number of workers.

    Epochs are counted from 0. `state_dict` says which one it is and how many batches were given; it may be asked for
    between any two batches.

    Args:
        dataset: Any data set; those that iterate have `AISBaseIterDataset` as their base, or are an
            `AISMultiShardStream`.
        seed: What the order of ``shuffle=True`` follows from, together with the epoch.
        *args: Those of ``torch.utils.data.DataLoader``.
        **kwargs: Those of ``torch.utils.data.DataLoader``.

    Raises:
        ValueError: When ``generator`` is given too.
    """

    def __init__(self, dataset: Any, *args: Any, seed: int = 0, **kwargs: Any) -> None:
        if kwargs.get("generator") is not None:
            raise ValueError("give seed instead of generator: the order must be found again")
        kwargs["generator"] = torch.Generator()
        super().__init__(dataset, *args, **kwargs)
        batches: Any = self.batch_sampler
        given: list[Any] = [self.sampler, batches, getattr(batches, "sampler", None)]
        for sampler in given:
            if getattr(sampler, "generator", self) is None:
                # One that was given: its order would follow from the process's random numbers.
                sampler.generator = self.generator
        self._seed = seed
        self._epoch = 0
        # Batches given in the present iteration, its first one, and where the next one begins.
        self._passed = 0
        self._next = 0
        self._per_batch = self.batch_size or 1
        if isinstance(dataset, data.IterableDataset) and not isinstance(dataset, Resumable):
            raise TypeError(
                f"{type(dataset).__name__} cannot be continued: it is no AISBaseIterDataset"
            )
        if isinstance(dataset, Resumable) and dataset._may_leave_out():
            self.collate_fn = WithoutLeftOut(self.collate_fn, self._auto_collation)

    collate_fn: Any
    _first = 0

    @property
    def _index_sampler(self) -> Any:
        sampler = super()._index_sampler
        return sampler if isinstance(self.dataset, Resumable) else _Order(sampler, self)

    def _seed_order(self) -> None:
        self.generator.manual_seed(self._seed + self._epoch)

    def _prepare(self) -> None:
        """Tell the data set, or the order, where to begin."""
        self._seed_order()
        dataset = self.dataset
        if not isinstance(dataset, Resumable):
            return
        dataset.batch_size = self._per_batch
        dataset._keeps_places = dataset._may_leave_out()
        start = self._first * self._per_batch
        reordered = dataset._shuffle and dataset._epoch != self._epoch
        if self.persistent_workers and (reordered or dataset._start != start):
            # Workers that stay have the data set as it was.
            self._iterator = None
        dataset.load_state_dict({"epoch": self._epoch, "start": start, "given": 0})

    def __iter__(self) -> Any:
        self._first = self._passed = self._next
        self._next = 0
        self._prepare()
        batches = super().__iter__()
        if isinstance(self.dataset, Resumable):
            # Workers have a copy by now; others may iterate over this one.
            self.dataset._keeps_places = False
        return self._batches(batches)

    def _batches(self, batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            self._passed += 1
            if not isinstance(batch, LeftOut):
                yield batch
        self._epoch += 1
        self._passed = 0

    def state_dict(self) -> dict[str, int]:
        """Which epoch it is, and how many batches of it were given."""
        return {
            "epoch": self._epoch,
            "batches": self._passed,
            "batch_size": self._per_batch,
            "seed": self._seed,
        }

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after the batches that had been given: the next iteration gives the rest of that epoch.

        Raises:
            TypeError: When the state is no dictionary.
            ValueError: When it is none of `state_dict`, or its batches have another size, and so begin at other samples;
                the loader is as it was then.
        """
        epoch, batches, size, seed = numbers_of(
            state, self, ("epoch", "batches", "batch_size"), "seed"
        )
        if size != self._per_batch:
            raise ValueError(
                f"the state is of batches of {size} samples, this loader's have {self._per_batch}"
            )
        self._epoch = epoch
        self._passed = self._next = batches
        self._seed = seed
