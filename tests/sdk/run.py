"""Runs these tests with each generation of the official SDK, in an environment of its own.

Environments are kept in ``target/sdk``; ``python tests/sdk/run.py 2.0.0`` runs one generation only, and
what follows ``--`` goes to pytest.
"""

import subprocess
import sys
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = PROJECT / "target" / "sdk"

#: The newest, the last of the generation before, and the one whose spellings old programs have.
GENERATIONS = ("2.0.0", "1.25.0", "1.10.0")


def report(generation: str) -> Path:
    """Where the results of a generation are."""
    return ENVIRONMENTS / f"{generation}.xml"


def environment(generation: str) -> Path:
    """The Python of the generation's environment, which is made if it is not there."""
    folder = ENVIRONMENTS / generation
    python = folder / "bin" / "python"
    requirements = Path(__file__).with_name("requirements.txt").read_text()
    wanted = f"aistore=={generation}\n{requirements}"
    stamp = folder / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(folder, clear=True, with_pip=True)
        (folder / "wanted.txt").write_text(wanted)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([python, *install, "--requirement", folder / "wanted.txt"], check=True)
        (folder / "wanted.txt").rename(stamp)
    return python


def main(arguments: list[str]) -> int:
    if "--" in arguments:
        at = arguments.index("--")
        arguments, more = arguments[:at], arguments[at + 1 :]
    else:
        more = []
    status = 0
    for old in ENVIRONMENTS.glob("*.xml"):
        old.unlink()  # so that no older report is read
    for generation in arguments or GENERATIONS:
        python = environment(generation)
        print(f"-- aistore {generation}", flush=True)
        command = [python, "-m", "pytest", "-q", "-ra", f"--junit-xml={report(generation)}"]
        status |= subprocess.run([*command, *more], cwd=Path(__file__).parent).returncode
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
