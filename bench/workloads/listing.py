"""Listings: keys as dictionaries and as Arrow batches."""

from __future__ import annotations

import os

from ..harness import CEILING, Prepared, workload


def _memory(libraries, count):
    stores = {name: library.store.MemoryStore() for name, library in libraries.items()}
    for name, library in libraries.items():
        for i in range(count):
            library.put(stores[name], f"dataset/{i % 100:02}/part-{i:07}.bin", b"")
    return stores


def _rounds(libraries, stores, **arguments):
    def run(library, store):
        for _ in library.list(store, **arguments):
            pass

    return {
        name: lambda library=library, name=name: run(library, stores[name])
        for name, library in libraries.items()
    }


@workload("list: memory to dicts")
def dicts(place, libraries):
    count = place.size(100_000, 20_000)
    rounds = _rounds(libraries, _memory(libraries, count), chunk_size=1000)
    return Prepared(rounds, count)


@workload("list: memory to dicts, chunks of 50")
def small_chunks(place, libraries):
    count = place.size(100_000, 20_000)
    return Prepared(_rounds(libraries, _memory(libraries, count)), count)


@workload("list: memory to Arrow")
def arrow(place, libraries):
    count = place.size(100_000, 20_000)
    stores = _memory(libraries, count)
    return Prepared(_rounds(libraries, stores, chunk_size=10_000, return_arrow=True), count)


def _files(place, libraries, count):
    for name in libraries:
        for i in range(count):
            if i < 100:
                (place.folder / name / f"{i:02}").mkdir(parents=True, exist_ok=True)
            (place.folder / name / f"{i % 100:02}" / f"part-{i:07}.bin").touch()
    return {
        name: library.store.LocalStore(place.folder / name) for name, library in libraries.items()
    }


@workload("list: files to dicts")
def files(place, libraries):
    count = place.size(20_000, 2_000)
    rounds = _rounds(libraries, _files(place, libraries, count), chunk_size=1000)

    def plain():
        for folder, _, names in os.walk(place.folder / "holdall"):
            for name in names:
                os.stat(os.path.join(folder, name))

    return Prepared(rounds | {CEILING: plain}, count)


@workload("list: files, one level")
def level(place, libraries):
    stores = _files(place, libraries, 2_000)
    rounds = {
        name: lambda library=library, name=name: library.list_with_delimiter(stores[name], "07")
        for name, library in libraries.items()
    }
    return Prepared(rounds, 1)
