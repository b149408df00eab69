"""`python -m bench`: measures holdall and obstore, and prints a table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import holdall
import obstore

from . import report, workloads
from .harness import WORKLOADS, Place, measure
from .server import nginx, serving

LIBRARIES = {"holdall": holdall, "obstore": obstore}
_SHARED_MEMORY = Path("/dev/shm")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=workloads.__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="WORD", help="workloads whose names contain one of these"
    )
    parser.add_argument("--quick", action="store_true", help="less data and fewer rounds")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="rounds of each library (default 9, quick 3)"
    )
    parser.add_argument(
        "--folder", type=Path, help="where files are made (default /dev/shm, if present)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there as well")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    return parser.parse_args()


def main() -> int:
    """Run the chosen workloads."""
    arguments = _arguments()
    chosen = [
        workload
        for workload in WORKLOADS
        if not arguments.only or any(word in workload.name for word in arguments.only)
    ]
    if arguments.list:
        print("\n".join(workload.name for workload in chosen))
        return 0
    if not chosen:
        print("no workload has such a name; --list shows them", file=sys.stderr)
        return 2
    if holdall._holdall._debug_build:
        print("warning: the extension is a debug build; its numbers mean nothing", file=sys.stderr)
    rounds = arguments.rounds or (3 if arguments.quick else 9)
    parent = arguments.folder or (_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None)
    for name, value in report.machine().items():
        print(f"{name}: {value}")
    print(f"HTTP server: {'nginx' if nginx() else 'a loop in Python'}")
    print(
        f"\nmedians of {rounds} rounds; ratio: how many times faster holdall is\n\n{report.HEADER}"
    )
    results = []
    with serving() as url:
        for workload in chosen:
            with tempfile.TemporaryDirectory(prefix="holdall-bench-", dir=parent) as folder:
                place = Place(Path(folder), url, arguments.quick)
                results.append(measure(workload, place, LIBRARIES, rounds))
            print(report.line(results[-1]), flush=True)
    print(f"\n{report.summary(results)}")
    if arguments.json:
        arguments.json.write_text(report.as_json(results) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
