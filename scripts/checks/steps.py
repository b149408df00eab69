"""What is checked, in which order, and with which commands."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .counts import Counts, cargo_counts, pytest_counts, sdk_counts

PROJECT = Path(__file__).resolve().parents[2]
JUNIT = PROJECT / "target" / "pytest.xml"
PYTHON_FILES = ["python", "services", "scripts", "examples", "bench", "tests"]

#: Programs of the environment that `scripts/setup` made.
VENV = Path(sys.prefix)


@dataclass
class Step:
    """One named check: its commands, run in turn until one fails."""

    name: str
    commands: list[list[str]]
    folder: Path = PROJECT
    env: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    counts: Callable[[str], Counts] | None = (
        None  # reads the numbers of tests from what was printed
    )


def venv(program: str) -> str:
    return str(VENV / "bin" / program)


def existing(*folders: str) -> list[str]:
    return [folder for folder in folders if (PROJECT / folder).exists()]


def cargo(*arguments: str) -> list[str]:
    return ["cargo", *arguments]


STUBTEST = [
    sys.executable,
    "-m",
    "mypy.stubtest",
    "holdall",
    "--allowlist",
    "python/stubtest-allowlist.txt",
    "--mypy-config-file",
    "python/pyproject.toml",
]
PYTEST = [sys.executable, "-m", "pytest", "-q", "-ra", f"--junit-xml={JUNIT}"]

STEPS = [
    Step(
        "format",
        [
            cargo("fmt", "--all", "--check"),
            [venv("ruff"), "format", "--check", *existing(*PYTHON_FILES)],
        ],
    ),
    Step("ruff", [[venv("ruff"), "check", *existing(*PYTHON_FILES)]]),
    Step("spelling", [[venv("typos")]]),
    Step(
        "clippy",
        [cargo("clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings")],
    ),
    Step(
        "rustdoc",
        [cargo("doc", "--workspace", "--no-deps", "--locked")],
        env={"RUSTDOCFLAGS": "-D warnings"},
    ),
    Step(
        "rust",
        # What passing tests print is shown as well: those that cannot run say so there.
        [cargo("test", "--workspace", "--locked", "--no-fail-fast", "--", "--show-output")],
        counts=cargo_counts,
    ),
    Step("extension", [[venv("maturin"), "develop", "--locked", "-m", "python/Cargo.toml"]]),
    Step("stubs", [STUBTEST], needs=("extension",)),
    Step(
        "python",
        [[*PYTEST, "tests"]],
        PROJECT / "python",
        needs=("extension",),
        counts=lambda _: pytest_counts(JUNIT),
    ),
    # AIStore's own clients, each generation in an environment of its own, against the server of the command.
    Step(
        "sdk",
        [cargo("build", "--locked", "-p", "holdall-cli"), [sys.executable, "tests/sdk/run.py"]],
        counts=lambda _: sdk_counts(PROJECT / "target" / "sdk"),
    ),
    # Our own tools: scripts, services, examples (see pytest.ini).
    Step("tools", [PYTEST], counts=lambda _: pytest_counts(JUNIT)),
]

#: The steps that talk to services.
TESTS = ("rust", "python")

#: Prefixes of variables that could lead a test to somebody's real account.
ACCOUNTS = ("AWS_", "AZURE_", "GOOGLE_", "GCS_")


def environment(step: Step) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(ACCOUNTS)}
    env |= {
        "VIRTUAL_ENV": str(VENV),
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYO3_PYTHON": sys.executable,
        # A configured proxy is not for servers on this machine.
        "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1,localhost"])),
    }
    env["no_proxy"] = env["NO_PROXY"]
    env.pop("PYTHONPATH", None)
    if os.environ.get("CI") == "true":
        env["CARGO_INCREMENTAL"] = "0"
    return env | step.env
