"""The numbers of tests, and the names of those that failed or did not run, from the reports of their runners."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped_tests: int = 0
    failures: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)  # lines that name what did not run and say why


RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", re.MULTILINE)
FAILED = re.compile(r"^test (.+) \.\.\. FAILED$", re.MULTILINE)
IGNORED = re.compile(r"^test (.+) \.\.\. ignored(?:, (.*))?$", re.MULTILINE)
# What a Rust test prints when its service is missing: its runner has no way to say it, and counts it as passed.
SKIPPED = re.compile(r"^SKIPPED (.+)$", re.MULTILINE)


def cargo_counts(output: str) -> Counts:
    """Reads what `cargo test -- --show-output` prints."""
    numbers = [tuple(map(int, found)) for found in RESULT.findall(output)]
    missing = sorted(set(SKIPPED.findall(output)))
    ignored = [f"{name}: {why or 'ignored'}" for name, why in IGNORED.findall(output)]
    return Counts(
        passed=sum(n[0] for n in numbers) - len(missing),
        failed=sum(n[1] for n in numbers),
        skipped_tests=sum(n[2] for n in numbers) + len(missing),
        failures=FAILED.findall(output),
        skipped=missing + ignored,
    )


def pytest_counts(report: Path) -> Counts:
    """Reads pytest's JUnit report. Skipped tests are listed by file and reason."""
    if not report.exists():
        return Counts()
    counts = Counts()
    skipped: Counter[tuple[str, str]] = Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        file = case.get("classname", "").removeprefix("tests.")
        name = f"{file}::{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            counts.failed += 1
            counts.failures.append(name)
        elif skip is None or skip.get("type") == "pytest.xfail":
            counts.passed += 1  # a failure that the test announces is what it expects
        else:
            counts.skipped_tests += 1
            skipped[file, (skip.get("message") or "no reason given").splitlines()[0]] += 1
    counts.skipped = [
        f"{file}: {why}" + (f" ({n} tests)" if n > 1 else "") for (file, why), n in skipped.items()
    ]
    return counts


def sdk_counts(folder: Path) -> Counts:
    """Reads the reports of the official SDK's generations, one file each."""
    total = Counts()
    for report in sorted(folder.glob("*.xml")):
        counts = pytest_counts(report)
        total.passed += counts.passed
        total.failed += counts.failed
        total.skipped_tests += counts.skipped_tests
        total.failures += [f"{report.stem}: {name}" for name in counts.failures]
        total.skipped += [f"{report.stem}: {name}" for name in counts.skipped]
    return total
