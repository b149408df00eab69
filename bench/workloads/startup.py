"""What a program pays before its first operation."""

from __future__ import annotations

import os
import subprocess
import sys

from ..harness import CEILING, Prepared, workload


def _program(code):
    # Installed packages have their bytecode; so shall this one, after the first run.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, env=env)


@workload("start: import")
def imports(place, libraries):
    rounds = {name: _program(f"import {name}") for name in libraries}
    return Prepared(rounds | {CEILING: _program("pass")}, 1)


@workload("start: open an S3 store")
def open_store(place, libraries):
    settings = {"region": "us-east-1", "access_key_id": "a", "secret_access_key": "b"}
    rounds = {
        name: lambda library=library: library.store.S3Store("bucket", config=settings)
        for name, library in libraries.items()
    }
    return Prepared(rounds, 1)
