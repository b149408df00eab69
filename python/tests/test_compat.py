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
    assert run("-m", "holdall.compat", str(script)) == "Bytes(b'1') obstore.store\n"
    installed = "import holdall.compat; holdall.compat.install('obstore')"
    assert run("-c", f"{installed}\n{PROGRAM}") == "Bytes(b'1') obstore.store\n"


def test_undone():
    code = "from holdall import compat; compat.install(); compat.uninstall(); import obstore; print(obstore.__name__)"
    assert run("-c", code) == "obstore\n"


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="it replaces aistore, obstore"):
        compat.install("boto3")


def test_zarr_takes_our_stores():
    code = """
import holdall.compat
holdall.compat.install()
import zarr
from obstore.store import MemoryStore
from zarr.storage import ObjectStore
store = MemoryStore()
array = zarr.create_array(ObjectStore(store), shape=(100, 100), chunks=(10, 10), dtype="f4")
array[:] = 1
print(float(zarr.open_array(ObjectStore(store))[:].sum()), len(store.list().collect()))
"""
    assert run("-c", code) == "10000.0 101\n"
