"""What type checkers see: every store is what obspec's protocols ask for."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROTOCOLS = [
    "Copy",
    "Delete",
    "Get",
    "GetRange",
    "GetRanges",
    "Head",
    "List",
    "ListWithDelimiter",
    "Put",
    "Rename",
]


@pytest.mark.parametrize("suffix", ["", "Async"])
def test_obspec(tmp_path, suffix):
    names = [name + suffix for name in PROTOCOLS]
    lines = [f"from obspec import {', '.join(names)}"]
    lines.append("from holdall.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store")
    for store in ("AzureStore", "GCSStore", "LocalStore", "MemoryStore", "S3Store"):
        lines.append(f"def {store.lower()}(store: {store}) -> None:")
        lines += [f"    x{name}: {name} = store" for name in names]
    program = tmp_path / "program.py"
    program.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "mypy", "--no-incremental", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
