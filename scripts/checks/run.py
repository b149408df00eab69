"""Runs one step and keeps what it printed."""

import shlex
import subprocess
import sys
import time
from dataclasses import dataclass

from .counts import Counts
from .steps import JUNIT, Step, environment


@dataclass
class Result:
    """How a step ended. A step that is not a suite of tests counts as one test."""

    name: str
    ok: bool
    seconds: float
    counts: Counts
    is_suite: bool = False

    def said(self) -> str:
        if self.is_suite and (self.ok or self.counts.failures):
            numbers = self.counts
            return (
                f"{numbers.passed} passed, {numbers.failed} failed, {numbers.skipped_tests} skipped"
            )
        if self.counts.skipped_tests:
            return "not run"
        return "ok" if self.ok else "FAILED"


def not_run(name: str, why: str) -> Result:
    return Result(name, True, 0, Counts(skipped_tests=1, skipped=[why]))


def checked(name: str, ok: bool, seconds: float, why: str) -> Result:
    """The result of a step that is not a suite of tests."""
    counts = Counts(passed=1) if ok else Counts(failed=1, failures=[why])
    return Result(name, ok, seconds, counts)


def run(step: Step) -> Result:
    """Runs the commands of a step, passing on what they print."""
    JUNIT.unlink(missing_ok=True)  # so that no older report is read
    began = time.monotonic()
    output: list[str] = []
    status = 0
    for command in step.commands:
        print(f"\n== {step.name}: {shlex.join(command)}", flush=True)
        status = _passing_on(command, step, output)
        if status:
            break
    seconds = time.monotonic() - began
    why = f"'{shlex.join(command)}' ended with {status}"
    if step.counts is None:
        return checked(step.name, status == 0, seconds, why)
    counts = step.counts("".join(output))
    if status == 0 and counts.passed + counts.failed == 0:
        status, why = 1, "no test ran"
    if status and not counts.failed:
        # It did not compile, or its runner broke.
        counts.failed, counts.failures = 1, [why]
    return Result(step.name, status == 0, seconds, counts, is_suite=True)


def _passing_on(command: list[str], step: Step, output: list[str]) -> int:
    with subprocess.Popen(
        command,
        cwd=step.folder,
        env=environment(step),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            output.append(line)
    return process.returncode
