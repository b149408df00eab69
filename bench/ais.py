"""`python -m bench.ais`: AIStore's official SDK and `holdall.aistore`, in one process, alternating, on one server.

The server is ours, in a process of its own, and keeps everything in memory. For each workload the command prints the median
of the rounds and the ratio, and, for long reads, the processor time of this process per gigabyte.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import holdall

_SERVER = """
import sys
from holdall import aistore
with aistore.serve() as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""

_PACKAGES = {"holdall": "holdall.aistore", "aistore": "aistore.sdk"}
_GIB = 1024**3

Round = Callable[[], object]
Wanted = Callable[[str], bool]


@contextmanager
def serving() -> Iterator[str]:
    """A server in a process of its own."""
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout and run.stdin
        yield run.stdout.readline().strip()
        run.stdin.close()


@dataclass(frozen=True)
class Workload:
    """A named measurement: a round does `count` operations, or moves that many bytes."""

    name: str
    count: int
    rate: bool
    rounds: dict[str, Round]


def _clients(url: str) -> dict[str, Any]:
    return {
        who: importlib.import_module(f"{package}.client").Client(url)
        for who, package in _PACKAGES.items()
    }


def _times(count: int, call: Callable[[int], object]) -> Round:
    def run() -> None:
        for at in range(count):
            call(at)

    return run


def small(clients: dict[str, Any], count: int, wanted: Wanted) -> Iterator[Workload]:
    """Objects of 1 KiB, one after the other."""
    names = ["GET, 1 KiB", "PUT, 1 KiB"]
    if not any(map(wanted, names)):
        return
    data = bytes(range(256)) * 4
    objects = {who: client.bucket("bench").object("small") for who, client in clients.items()}
    objects["holdall"].get_writer().put_content(data)
    reads = {
        who: _times(count, lambda _, made=made: made.get_reader().read_all())
        for who, made in objects.items()
    }
    yield Workload(names[0], count, False, reads)
    writes = {
        who: _times(count, lambda _, made=made: made.get_writer().put_content(data))
        for who, made in objects.items()
    }
    yield Workload(names[1], count, False, writes)


def listing(clients: dict[str, Any], count: int, wanted: Wanted) -> Iterator[Workload]:
    """Names of many objects."""
    name = f"list {count:,} names"
    if not wanted(name):
        return
    many = clients["holdall"].bucket("names").create()
    for start in range(0, count, 10_000):
        many.put_many({f"dir-{i % 100}/object-{i:08}": b"" for i in range(start, start + 10_000)})
    buckets = {who: client.bucket("names") for who, client in clients.items()}
    rounds = {
        who: lambda bucket=bucket: bucket.list_all_objects(props="name")
        for who, bucket in buckets.items()
    }
    yield Workload(name, count, False, rounds)


def batches(clients: dict[str, Any], count: int, wanted: Wanted) -> Iterator[Workload]:
    """Many objects with one request."""
    name = f"get-batch, {count:,} x 4 KiB"
    if not wanted(name):
        return
    objects = [f"batch-{i}" for i in range(count)]
    clients["holdall"].bucket("bench").put_many({of: b"x" * 4096 for of in objects})

    def read(client: Any) -> None:
        found = client.batch(objects, bucket=client.bucket("bench")).get()
        assert sum(len(data) for _, data in found) == 4096 * count

    rounds = {who: lambda client=client: read(client) for who, client in clients.items()}
    yield Workload(name, count, False, rounds)


_DATA_SETS = {
    "AISMapDataset": "map_dataset",
    "AISIterDataset": "iter_dataset",
    "AISBatchIterDataset": "batch_iter_dataset",
}


def loading(clients: dict[str, Any], count: int, wanted: Wanted) -> Iterator[Workload]:
    """Samples through PyTorch's loader, in the data sets that fetch each object and in those that fetch batches."""
    names = {
        f"{kind}, {workers} workers": (kind, workers) for kind in _DATA_SETS for workers in (0, 2)
    }
    if not any(map(wanted, names)):
        return
    try:
        from torch.utils.data import DataLoader
    except ImportError:
        print("loader: not run, PyTorch is not installed", file=sys.stderr)
        return
    data = {f"sample-{i:06}": bytes(16 * 1024) for i in range(count)}
    clients["holdall"].bucket("samples").create().put_many(data)

    def epochs(kind: str, workers: int) -> dict[str, Round]:
        rounds: dict[str, Round] = {}
        for who, client in clients.items():
            package = _PACKAGES[who].removesuffix(".sdk")
            sets = importlib.import_module(f"{package}.pytorch.{_DATA_SETS[kind]}")
            more = {"client": client} if kind == "AISBatchIterDataset" else {}
            made = getattr(sets, kind)(ais_source_list=client.bucket("samples"), **more)
            loader = DataLoader(made, batch_size=32, num_workers=workers, collate_fn=len)
            rounds[who] = lambda loader=loader: _whole(loader, count)
        return rounds

    for name, (kind, workers) in names.items():
        yield Workload(name, count, False, epochs(kind, workers))


def _whole(loader: Any, count: int) -> None:
    assert sum(loader) == count


def large(clients: dict[str, Any], size: int, workers: int, wanted: Wanted) -> Iterator[Workload]:
    """One large object: with one request, and in parts side by side."""
    name = f"read {size / _GIB:g} GiB"
    names = [name, f"{name}, {workers} workers"]
    if not any(map(wanted, names)):
        return
    objects = {who: client.bucket("bench").object("large") for who, client in clients.items()}
    objects["holdall"].get_writer().put_content(bytes(size))

    def whole(made: Any) -> None:
        assert len(made.get_reader().read_all()) == size

    def parts(made: Any) -> None:
        with made.get_reader(num_workers=workers).read_all() as buffer:
            assert len(buffer) == size

    rounds = {who: lambda made=made: whole(made) for who, made in objects.items()}
    yield Workload(names[0], size, True, rounds)
    rounds = {who: lambda made=made: parts(made) for who, made in objects.items()}
    yield Workload(names[1], size, True, rounds)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(workload: Workload, rounds: int) -> dict[str, Any]:
    """Run a workload: each library in turn, whoever went first going last in the next turn."""
    times: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    names = list(workload.rounds)
    for run in workload.rounds.values():
        run()
    for turn in range(rounds):
        for who in names if turn % 2 == 0 else reversed(names):
            gc.collect()
            used, start = _cpu(), time.perf_counter()
            workload.rounds[who]()
            times.setdefault(who, []).append(time.perf_counter() - start)
            cpu.setdefault(who, []).append(_cpu() - used)
    median = {who: statistics.median(values) for who, values in times.items()}
    return {
        "workload": workload.name,
        "seconds": median,
        "cpu_seconds": {who: statistics.median(values) for who, values in cpu.items()},
        "ratio": median["aistore"] / median["holdall"],
        "count": workload.count,
        "rate": workload.rate,
    }


def _line(row: dict[str, Any]) -> str:
    cells = []
    for who in _PACKAGES:
        seconds, count = row["seconds"][who], row["count"]
        if row["rate"]:
            per_gb = row["cpu_seconds"][who] / (count / 1e9)
            cells.append(f"{count / seconds / 1e9:.2f} GB/s, {per_gb:.2f} s/GB")
        else:
            cells.append(f"{seconds / count * 1e6:,.1f} µs")
    return f"{row['workload']:<28}{cells[0]:>26}{cells[1]:>26}{row['ratio']:>9.1f} x"


def main() -> int:
    """Run the chosen workloads."""
    parser = argparse.ArgumentParser(prog="python -m bench.ais", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="names that contain one of these")
    parser.add_argument("--quick", action="store_true", help="less data and fewer rounds")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="rounds of each (default 5, quick 3)"
    )
    parser.add_argument("--workers", type=int, default=4, metavar="N", help="of parallel reads")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there as well")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    if holdall._holdall._debug_build:
        print("warning: the extension is a debug build; its numbers mean nothing", file=sys.stderr)
    quick = arguments.quick
    rounds = arguments.rounds or (3 if quick else 5)
    print(f"medians of {rounds} rounds; ratio: how many times faster holdall is; s/GB: processor\n")
    print(f"{'workload':<28}{'holdall':>26}{'aistore':>26}{'ratio':>11}")
    rows = []

    def wanted(name: str) -> bool:
        return not arguments.only or any(word in name for word in arguments.only)

    with serving() as url:
        clients = _clients(url)
        clients["holdall"].bucket("bench").create()
        plans = [
            small(clients, 200 if quick else 2_000, wanted),
            listing(clients, 10_000 if quick else 100_000, wanted),
            batches(clients, 200 if quick else 1_000, wanted),
            loading(clients, 320 if quick else 3_200, wanted),
            large(clients, _GIB // 16 if quick else _GIB, arguments.workers, wanted),
        ]
        for plan in plans:
            for workload in plan:
                if not wanted(workload.name):
                    continue
                rows.append(measure(workload, rounds))
                print(_line(rows[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
