"""Who of the workers gives which sample, so that the loader puts them together in one order.

A loader takes batches from its workers in turn. So a worker gives the samples of its turns only: with batches of B samples
and N workers, worker w gives B from w * B on, then B from (w + N) * B on, and so forth. The batches are then those of no
workers at all, in the same order.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ._torch import data

T = TypeVar("T")

_DEEPEST = 24


@dataclass(frozen=True)
class Worker:
    """This process's place among the workers."""

    number: int
    count: int

    @classmethod
    def this(cls) -> Worker:
        """The worker that this process is; the only one outside of a loader's workers."""
        info = data.get_worker_info()
        return cls(0, 1) if info is None else cls(info.id, info.num_workers)

    @property
    def name(self) -> str:
        """How it is called in progress bars; empty for the only one."""
        return f" (Worker {self.number})" if self.count > 1 else ""

    def has(self, turn: int) -> bool:
        """Whether it is this worker's turn."""
        return turn % self.count == self.number


def asked_at_once() -> int:
    """How many samples the loader that is asking takes for a batch; 1 where nobody can tell.

    Workers are not told. But the loader asks for as many samples as its list of indices has, and that list lies on the
    stack while it asks.
    """
    frame = sys._getframe(1)
    for _ in range(_DEEPEST):
        if frame.f_back is None:
            break
        frame = frame.f_back
        if frame.f_code.co_name == "fetch":
            asked = frame.f_locals.get("possibly_batched_index")
            return len(asked) if isinstance(asked, list) and asked else 1
    return 1


def in_turn(
    items: Iterable[T], worker: Worker, start: int, skip: int, at_once: int | None
) -> Iterator[T]:
    """This worker's items of those from `start` on, without the first `skip` of its own."""
    # Known only when somebody asks for the first item.
    batch = at_once or (asked_at_once() if worker.count > 1 else 1)
    for index, item in enumerate(items):
        if index < start or not worker.has((index - start) // batch):
            continue
        if skip:
            skip -= 1
            continue
        yield item
