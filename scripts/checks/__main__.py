"""Runs the checks that were asked for and ends with what happened."""

import argparse
import os
import signal
import sys
from contextlib import nullcontext

from .run import Result, not_run, run
from .services import Services
from .steps import STEPS, TESTS


def main() -> int:
    options = parse()
    in_ci = os.environ.get("CI") == "true"
    steps = [step for step in STEPS if not options.only or step.name in options.only]
    wants_services = not options.fast and any(step.name in TESTS for step in steps)
    results: list[Result] = []
    with Services(in_ci, options.full) if wants_services else nullcontext() as services:
        for step in steps:
            if services and step.name in TESTS and not services.waited_for:
                results.append(services.ready())
            blocked = [r.name for r in results if not r.ok and r.name in step.needs]
            results.append(not_run(step.name, f"{blocked[0]} failed") if blocked else run(step))
    if options.fast:
        results.append(not_run("services", "left out by --fast, and every suite on them"))
    return summary(results)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "scripts/test",
        description="Run every check of the project, or some. With CI=true in the environment, every service "
        "but MinIO has to start, and all are stopped at the end; otherwise those that can be had are used, and stay.",
    )
    parser.add_argument("--fast", action="store_true", help="leave out the suites on real services")
    parser.add_argument("--full", action="store_true", help="also use MinIO")
    names = [step.name for step in STEPS]
    parser.add_argument(
        "--only", nargs="+", metavar="CHECK", choices=names, help=f"some of: {', '.join(names)}"
    )
    return parser.parse_args()


def summary(results: list[Result]) -> int:
    print("\n== summary")
    for result in results:
        print(f"  {result.name:<14} {result.said():<44} {result.seconds:6.1f} s")
    failures = [f"{r.name}: {name}" for r in results for name in r.counts.failures]
    skipped = [f"{r.name}: {name}" for r in results for name in r.counts.skipped]
    if skipped:
        print(f"\nNot run ({len(skipped)}):")
        print("".join(f"  {line}\n" for line in skipped), end="")
    if failures:
        print(f"\nFailed ({len(failures)}):")
        print("".join(f"  {line}\n" for line in failures), end="")
    counts = [result.counts for result in results]
    passed, failed = sum(c.passed for c in counts), sum(c.failed for c in counts)
    print(
        f"\n{passed} passed, {failed} failed, {sum(c.skipped_tests for c in counts)} skipped",
        flush=True,
    )
    return 1 if failed or not all(r.ok for r in results) else 0


if __name__ == "__main__":
    # An ended terminal or job is an interruption too, so that the services are stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
