"""Objects as files: reads and writes of the sizes that programs use."""

from __future__ import annotations

from ..harness import CEILING, Prepared, workload

MIB = 1024 * 1024


def _stores(place, libraries, size, data=None):
    data = bytes(size) if data is None else data
    for name in libraries:
        (place.folder / name).mkdir()
        (place.folder / name / "long").write_bytes(data)
    return {
        name: library.store.LocalStore(place.folder / name) for name, library in libraries.items()
    }


@workload("file: read 64 KiB at a time", rate=True)
def read(place, libraries):
    size = place.size(128, 32) * MIB
    stores = _stores(place, libraries, size)

    def run(library, store):
        reader = library.open_reader(store, "long")
        while len(reader.read(64 * 1024)):
            pass

    def plain():
        with open(place.folder / "holdall" / "long", "rb") as file:
            while file.read(64 * 1024):
                pass

    rounds = {
        name: lambda library=library, name=name: run(library, stores[name])
        for name, library in libraries.items()
    }
    return Prepared(rounds | {CEILING: plain}, size)


@workload("file: readline")
def readline(place, libraries):
    count = place.size(100_000, 20_000)
    stores = _stores(place, libraries, 0, b"a line of forty bytes, or not far away\n" * count)

    def run(library, store):
        reader = library.open_reader(store, "long")
        while len(reader.readline()):
            pass

    def plain():
        with open(place.folder / "holdall" / "long", "rb") as file:
            while file.readline():
                pass

    rounds = {
        name: lambda library=library, name=name: run(library, stores[name])
        for name, library in libraries.items()
    }
    return Prepared(rounds | {CEILING: plain}, count)


@workload("file: write 100 B at a time")
def write(place, libraries):
    count = place.size(50_000, 10_000)
    stores, piece = _stores(place, libraries, 0), bytes(100)

    def run(library, store):
        with library.open_writer(store, "written") as writer:
            for _ in range(count):
                writer.write(piece)

    def plain():
        with open(place.folder / "plain", "wb") as file:
            for _ in range(count):
                file.write(piece)

    rounds = {
        name: lambda library=library, name=name: run(library, stores[name])
        for name, library in libraries.items()
    }
    return Prepared(rounds | {CEILING: plain}, count)
