"""Installs what is missing, by name and version, with each registry's ordinary client."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from . import paths

_ONE_AT_A_TIME = threading.Lock()  # two Go builds at once need twice the memory and end no sooner


class Unavailable(Exception):
    """This machine cannot have the service; the text says how to get it."""


def say(text: str) -> None:
    # In one write: services are started side by side.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def go_program(module: str, version: str, name: str) -> Path:
    """The program built from `module@version`. `name` is what it is called among ours."""
    program = paths.BIN / f"{name}-{version}"
    if program.exists():
        return program
    if not shutil.which("go"):
        raise Unavailable(
            f"no Go toolchain to build {module}@{version} with: install Go from https://go.dev/dl/"
        )
    with _ONE_AT_A_TIME:
        say(f"{name}: building {module}@{version} (some minutes, once)")
        paths.BIN.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=paths.HOME) as out:
            # Two compilations at a time leave a small machine usable and its memory free.
            env = {"GOBIN": out, "GOMAXPROCS": "2"}
            _run(name, ["go", "install", "-p", "2", f"{module}@{version}"], env)
            (built,) = Path(out).iterdir()
            built.replace(program)
    return program


def npm_package(package: str, version: str) -> Path:
    """The folder of an installed npm package."""
    folder = paths.NPM / "node_modules" / package
    manifest = folder / "package.json"
    if manifest.exists() and json.loads(manifest.read_text())["version"] == version:
        return folder
    if not shutil.which("npm"):
        raise Unavailable(
            f"no npm to install {package}@{version} with: install Node.js with npm from https://nodejs.org/, "
            "or `apt-get install nodejs npm`"
        )
    say(f"{package}: installing {package}@{version} from npm")
    paths.NPM.mkdir(parents=True, exist_ok=True)
    command = [
        "npm",
        "install",
        "--prefix",
        str(paths.NPM),
        "--no-audit",
        "--no-fund",
        "--save-exact",
    ]
    _run(package, [*command, f"{package}@{version}"], {})
    return folder


def debian_packages(*packages: str) -> None:
    """Installs Debian packages, as root or through sudo when that asks for no password."""
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    by_hand = f"install {' and '.join(packages)}: `sudo apt-get install {' '.join(packages)}` on Debian and Ubuntu"
    if not shutil.which("apt-get"):
        raise Unavailable(by_hand)
    prefix: list[str] = []
    if os.geteuid() != 0:
        if (
            not shutil.which("sudo")
            or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode
        ):
            raise Unavailable(by_hand)
        prefix = ["sudo", "-n"]
    say(f"{packages[0]}: running {' '.join(prefix + command)}")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    if _try([*prefix, *command], env).returncode:
        # The machine's package list may be old or, in a container, absent.
        _run(packages[0], [*prefix, "apt-get", "update"], env)
        _run(packages[0], [*prefix, *command], env)


def _run(name: str, command: list[str], env: dict[str, str]) -> None:
    done = _try(command, env)
    if done.returncode:
        tail = "\n".join((done.stdout or "").splitlines()[-15:])
        raise RuntimeError(f"{name}: `{' '.join(command)}` ended with {done.returncode}:\n{tail}")


def _try(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    if shutil.which("nice"):
        command = ["nice", "-n", "10", *command]
    return subprocess.run(
        command,
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
