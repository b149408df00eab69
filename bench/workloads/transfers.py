"""Large objects over HTTP on loopback: to memory, to files, from files, and where one connection is slow."""

from __future__ import annotations

import os
import shutil
import subprocess

from ..harness import CEILING, Prepared, workload
from ..server import serve_files

MIB = 1024 * 1024


def _scene(place, libraries, length, rate="0"):
    """Make a file of random bytes, serve it, and open the server with both libraries."""
    block = os.urandom(MIB)
    with open(place.folder / "large", "wb") as file:
        for _ in range(length // MIB):
            file.write(block)
    url = serve_files(place.folder, rate)
    if url is None:
        return None, {}
    options = {"allow_http": True, "timeout": "10m"}
    stores = {
        name: library.store.HTTPStore.from_url(url, client_options=options)
        for name, library in libraries.items()
    }
    return url, stores


def _stream(obstore, store, target):
    """Download as users of obstore do: from a stream of chunks into a file."""
    with open(target, "wb") as file:
        for chunk in obstore.get(store, "large").stream(min_chunk_size=4 * MIB):
            file.write(chunk)


def _curl(url, target):
    """Return what curl does with the same URL, where it is installed."""
    if shutil.which("curl") is None:
        return {}
    command = ["curl", "-s", "-o", str(target), f"{url}/large"]
    return {CEILING: lambda: subprocess.run(command, check=True)}


@workload("transfer: 1 GiB to a buffer", rate=True)
def to_buffer(place, libraries):
    length = place.size(1024, 128) * MIB
    url, stores = _scene(place, libraries, length)
    if url is None:
        return Prepared({}, length)
    holdall, obstore = libraries["holdall"], libraries["obstore"]
    buffer = bytearray(length)
    rounds = {
        "holdall": lambda: holdall.read_into(stores["holdall"], "large", buffer),
        "obstore": lambda: obstore.get(stores["obstore"], "large").bytes(),
    }
    return Prepared(rounds | _curl(url, "/dev/null"), length)


@workload("transfer: 1 GiB to bytes", rate=True)
def to_bytes(place, libraries):
    length = place.size(1024, 128) * MIB
    url, stores = _scene(place, libraries, length)
    if url is None:
        return Prepared({}, length)
    rounds = {
        name: lambda name=name, library=library: library.get(stores[name], "large").bytes()
        for name, library in libraries.items()
    }
    return Prepared(rounds | _curl(url, "/dev/null"), length)


@workload("transfer: 1 GiB to a file", rate=True)
def to_file(place, libraries):
    length = place.size(1024, 128) * MIB
    url, stores = _scene(place, libraries, length)
    if url is None:
        return Prepared({}, length)
    holdall, obstore = libraries["holdall"], libraries["obstore"]
    target = place.folder / "target"
    rounds = {
        "holdall": lambda: holdall.download(stores["holdall"], "large", target),
        "obstore": lambda: _stream(obstore, stores["obstore"], target),
    }
    return Prepared(rounds | _curl(url, target), length)


@workload("transfer: 256 MiB from a file", rate=True)
def from_file(place, libraries):
    length = place.size(256, 64) * MIB
    url, stores = _scene(place, libraries, length)
    if url is None:
        return Prepared({}, length)
    holdall, obstore = libraries["holdall"], libraries["obstore"]
    source = place.folder / "large"
    rounds = {
        "holdall": lambda: holdall.upload(stores["holdall"], "new", source),
        "obstore": lambda: obstore.put(stores["obstore"], "new", source, use_multipart=False),
    }
    return Prepared(rounds, length)


@workload("transfer: 256 MiB, 50 MiB/s a connection", rate=True)
def slow_connections(place, libraries):
    length = place.size(256, 128) * MIB
    url, stores = _scene(place, libraries, length, "50m")
    if url is None:
        return Prepared({}, length)
    holdall, obstore = libraries["holdall"], libraries["obstore"]
    target = place.folder / "target"
    rounds = {
        "holdall": lambda: holdall.download(stores["holdall"], "large", target),
        "obstore": lambda: _stream(obstore, stores["obstore"], target),
    }
    return Prepared(rounds, length)
