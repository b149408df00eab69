"""Stand-ins for other packages."""

from __future__ import annotations

import subprocess
import sys

import pytest

from holdall import compat

PROGRAM = """
import obstore
import obstore.store
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.exceptions import NotFoundError
from obstore.fsspec import FsspecStore, register
store = obstore.store.MemoryStore()
obstore.put(store, "a", b"1")
print(obstore.get(store, "a").bytes(), type(store).__module__)
"""


def run(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_program_runs_unchanged(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    assert run("-m", "holdall.compat", str(script)) == "Bytes(b'1') holdall.store\n"
    installed = "import holdall.compat; holdall.compat.install('obstore')"
    assert run("-c", f"{installed}\n{PROGRAM}") == "Bytes(b'1') holdall.store\n"


def test_undone():
    code = "from holdall import compat; compat.install(); compat.uninstall(); import obstore; print(obstore.__name__)"
    assert run("-c", code) == "obstore\n"


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="it replaces obstore"):
        compat.install("boto3")
