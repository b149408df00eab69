"""What a workload is, and how it is measured."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

#: A round: does all operations of the workload once.
Round = Callable[[], object]

CEILING = "ceiling"


@dataclass(frozen=True)
class Place:
    """Where a workload runs."""

    folder: Path
    """An empty folder of its own."""
    url: str
    """Base URL of the HTTP server on loopback."""
    quick: bool

    def size(self, full: int, quick: int) -> int:
        """Return a count or a size in bytes, smaller in quick runs."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Prepared:
    """A workload that is ready to run."""

    rounds: dict[str, Round]
    """By name of the library; `CEILING` for the best that plain Python does."""
    count: int
    """How many operations (or bytes, for rates) one round does."""


@dataclass(frozen=True)
class Workload:
    """A named measurement."""

    name: str
    prepare: Callable[[Place, dict[str, ModuleType]], Prepared]
    rate: bool = False
    """Whether the number is bytes per second instead of time per operation."""


@dataclass
class Result:
    """The measured times of one workload, in seconds for one round."""

    name: str
    rate: bool
    count: int
    times: dict[str, list[float]] = field(default_factory=dict)

    def value(self, who: str) -> float | None:
        """Return the median: microseconds per operation, or gigabytes per second."""
        if who not in self.times:
            return None
        median = statistics.median(self.times[who])
        return self.count / median / 1e9 if self.rate else median / self.count * 1e6

    @property
    def ratio(self) -> float | None:
        """How many times faster holdall is than obstore."""
        if not {"holdall", "obstore"} <= self.times.keys():
            return None
        ours, theirs = (statistics.median(self.times[who]) for who in ("holdall", "obstore"))
        return theirs / ours


WORKLOADS: list[Workload] = []


def workload(name: str, *, rate: bool = False):
    """Register the decorated function as the preparation of a workload."""

    def register(prepare):
        WORKLOADS.append(Workload(name, prepare, rate))
        return prepare

    return register


def measure(
    workload: Workload, place: Place, libraries: dict[str, ModuleType], rounds: int
) -> Result:
    """Run a workload: one round of each library in turn to warm up, then `rounds` of each, alternating."""
    prepared = workload.prepare(place, libraries)
    result = Result(workload.name, workload.rate, prepared.count)
    for run in prepared.rounds.values():
        run()
    names = list(prepared.rounds)
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds):
            # Whoever goes first in one turn goes last in the next.
            for who in names if turn % 2 == 0 else reversed(names):
                run = prepared.rounds[who]
                start = time.perf_counter()
                run()
                result.times.setdefault(who, []).append(time.perf_counter() - start)
            gc.collect()
    finally:
        gc.enable()
    return result
