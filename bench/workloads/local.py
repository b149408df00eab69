"""Files: small ones, where calls count, and long ones, where copies do."""

from __future__ import annotations

import asyncio

from ..harness import CEILING, Prepared, workload

MIB = 1024 * 1024


def _stores(place, libraries):
    return {
        name: library.store.LocalStore(place.folder / name, mkdir=True)
        for name, library in libraries.items()
    }


def _file(place, libraries, name, size):
    data = bytes(size)
    for folder in libraries:
        (place.folder / folder).mkdir(exist_ok=True)
        (place.folder / folder / name).write_bytes(data)
    return _stores(place, libraries)


def _each(libraries, stores, count, one):
    def round_of(library, store):
        def run():
            for _ in range(count):
                one(library, store)

        return run

    return {name: round_of(library, stores[name]) for name, library in libraries.items()}


@workload("local: get().bytes(), 1 KiB")
def get(place, libraries):
    stores = _file(place, libraries, "small", 1024)
    count = place.size(2_000, 500)
    rounds = _each(libraries, stores, count, lambda lib, s: lib.get(s, "small").bytes())
    path = place.folder / "holdall" / "small"

    def plain():
        for _ in range(count):
            with open(path, "rb") as file:
                file.read()

    return Prepared(rounds | {CEILING: plain}, count)


@workload("local: get_range, 512 B")
def get_range(place, libraries):
    stores = _file(place, libraries, "small", 1024)
    count = place.size(2_000, 500)
    rounds = _each(
        libraries, stores, count, lambda lib, s: lib.get_range(s, "small", start=0, end=512)
    )
    return Prepared(rounds, count)


@workload("local: get_ranges (100 x 4 KiB)")
def get_ranges(place, libraries):
    stores = _file(place, libraries, "long", 16 * MIB)
    count = place.size(200, 50)
    starts = list(range(0, 16 * MIB, 16 * MIB // 100))[:100]
    rounds = _each(
        libraries,
        stores,
        count,
        lambda lib, s: lib.get_ranges(
            s, "long", starts=starts, lengths=[4096] * len(starts), coalesce=0
        ),
    )
    return Prepared(rounds, count)


@workload("local: head")
def head(place, libraries):
    stores = _file(place, libraries, "small", 1024)
    count = place.size(2_000, 500)
    rounds = _each(libraries, stores, count, lambda lib, s: lib.head(s, "small"))
    path = place.folder / "holdall" / "small"

    def plain():
        for _ in range(count):
            path.stat()

    return Prepared(rounds | {CEILING: plain}, count)


@workload("local: put, 1 KiB")
def put(place, libraries):
    stores = _stores(place, libraries)
    count = place.size(1_000, 300)
    return Prepared(
        _each(libraries, stores, count, lambda lib, s: lib.put(s, "small", bytes(1024))), count
    )


@workload("local: gather(get_async, bytes_async)")
def gather(place, libraries):
    stores = _file(place, libraries, "small", 1024)
    count = place.size(1_000, 300)

    async def one(library, store):
        await (await library.get_async(store, "small")).bytes_async()

    async def all_of(library, store):
        await asyncio.gather(*[one(library, store) for _ in range(count)])

    rounds = {
        name: lambda library=library, name=name: asyncio.run(all_of(library, stores[name]))
        for name, library in libraries.items()
    }
    return Prepared(rounds, count)


@workload("local: get whole, 64 MiB", rate=True)
def whole(place, libraries):
    size = place.size(64, 32) * MIB
    stores = _file(place, libraries, "long", size)
    path = place.folder / "holdall" / "long"
    rounds = _each(libraries, stores, 1, lambda lib, s: lib.get(s, "long").bytes())
    return Prepared(rounds | {CEILING: path.read_bytes}, size)


@workload("local: stream, 256 MiB", rate=True)
def stream(place, libraries):
    size = place.size(256, 32) * MIB
    stores = _file(place, libraries, "long", size)
    path = place.folder / "holdall" / "long"

    def run(library, store):
        for _ in library.get(store, "long").stream(MIB):
            pass

    def plain():
        with open(path, "rb", buffering=0) as file:
            while file.read(MIB):
                pass

    return Prepared(_each(libraries, stores, 1, run) | {CEILING: plain}, size)


@workload("local: async stream, 64 MiB", rate=True)
def stream_async(place, libraries):
    size = place.size(64, 32) * MIB
    stores = _file(place, libraries, "long", size)

    async def run(library, store):
        async for _ in (await library.get_async(store, "long")).stream(MIB):
            pass

    rounds = {
        name: lambda library=library, name=name: asyncio.run(run(library, stores[name]))
        for name, library in libraries.items()
    }
    return Prepared(rounds, size)


@workload("local: put bytes, 64 MiB", rate=True)
def put_bytes(place, libraries):
    size = place.size(64, 32) * MIB
    stores, data = _stores(place, libraries), bytes(size)
    path = place.folder / "plain"
    rounds = _each(libraries, stores, 1, lambda lib, s: lib.put(s, "long", data))
    return Prepared(rounds | {CEILING: lambda: path.write_bytes(data)}, size)


@workload("local: put a file, 64 MiB", rate=True)
def put_file(place, libraries):
    size = place.size(64, 32) * MIB
    stores = _stores(place, libraries)
    source = place.folder / "source"
    source.write_bytes(bytes(size))
    rounds = _each(libraries, stores, 1, lambda lib, s: lib.put(s, "long", source))
    return Prepared(rounds, size)


@workload("local: delete 200 files")
def delete(place, libraries):
    stores = _stores(place, libraries)
    keys = [f"d/{i}" for i in range(200)]

    def run(library, store, folder):
        # The files are made by the same plain means for both.
        (folder / "d").mkdir(exist_ok=True)
        for key in keys:
            (folder / key).write_bytes(b"")
        library.delete(store, keys)

    rounds = {
        name: lambda library=library, name=name: run(library, stores[name], place.folder / name)
        for name, library in libraries.items()
    }
    return Prepared(rounds, len(keys))
