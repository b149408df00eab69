"""Small objects in memory: what the way from Python to Rust and back costs."""

from __future__ import annotations

import asyncio
import contextlib

from ..harness import CEILING, Prepared, workload

BODY = bytes(1024)


def _stores(libraries, count=1):
    stores = {name: library.store.MemoryStore() for name, library in libraries.items()}
    for name, library in libraries.items():
        for i in range(count):
            library.put(stores[name], f"data/{i}", BODY)
    return stores


def _each(libraries, stores, count, one):
    def round_of(library, store):
        def run():
            for _ in range(count):
                one(library, store)

        return run

    return {name: round_of(library, stores[name]) for name, library in libraries.items()}


@workload("memory: get().bytes()")
def get(place, libraries):
    count = place.size(20_000, 5_000)
    rounds = _each(
        libraries, _stores(libraries), count, lambda lib, s: lib.get(s, "data/0").bytes()
    )
    return Prepared(rounds, count)


@workload("memory: get_range")
def get_range(place, libraries):
    count = place.size(20_000, 5_000)
    rounds = _each(
        libraries,
        _stores(libraries),
        count,
        lambda lib, s: lib.get_range(s, "data/0", start=0, end=512),
    )
    return Prepared(rounds, count)


@workload("memory: get_ranges (10)")
def get_ranges(place, libraries):
    count = place.size(5_000, 1_000)
    starts, ends = list(range(0, 1000, 100)), list(range(50, 1050, 100))
    rounds = _each(
        libraries,
        _stores(libraries),
        count,
        lambda lib, s: lib.get_ranges(s, "data/0", starts=starts, ends=ends),
    )
    return Prepared(rounds, count)


@workload("memory: head")
def head(place, libraries):
    count = place.size(20_000, 5_000)
    rounds = _each(libraries, _stores(libraries), count, lambda lib, s: lib.head(s, "data/0"))
    return Prepared(rounds, count)


@workload("memory: put")
def put(place, libraries):
    count = place.size(20_000, 5_000)
    rounds = _each(libraries, _stores(libraries), count, lambda lib, s: lib.put(s, "x", BODY))
    return Prepared(rounds, count)


@workload("memory: missing object")
def missing(place, libraries):
    def one(library, store):
        with contextlib.suppress(FileNotFoundError):
            library.head(store, "missing")

    count = place.size(10_000, 2_000)
    return Prepared(_each(libraries, _stores(libraries), count, one), count)


def _gathered(libraries, stores, count, one):
    async def all_of(library, store):
        await asyncio.gather(*[one(library, store, i) for i in range(count)])

    return {
        name: lambda library=library, name=name: asyncio.run(all_of(library, stores[name]))
        for name, library in libraries.items()
    }


@workload("memory: gather(get_range_async)")
def gather_ranges(place, libraries):
    count = place.size(5_000, 1_000)
    rounds = _gathered(
        libraries,
        _stores(libraries),
        count,
        lambda lib, s, i: lib.get_range_async(s, "data/0", start=0, end=512),
    )
    return Prepared(rounds, count)


@workload("memory: await get_async, bytes_async")
def sequential(place, libraries):
    count = place.size(5_000, 1_000)
    stores = _stores(libraries)

    async def all_of(library, store):
        for _ in range(count):
            await (await library.get_async(store, "data/0")).bytes_async()

    rounds = {
        name: lambda library=library, name=name: asyncio.run(all_of(library, stores[name]))
        for name, library in libraries.items()
    }
    return Prepared(rounds, count)


@workload("memory: get_many")
def get_many(place, libraries):
    count = place.size(20_000, 5_000)
    stores = _stores(libraries, count)
    keys = [f"data/{i}" for i in range(count)]
    content = dict.fromkeys(keys, BODY)
    ours, theirs = stores["holdall"], stores["obstore"]
    obstore, holdall = libraries["obstore"], libraries["holdall"]
    rounds = {
        "holdall": lambda: holdall.get_many(ours, keys),
        # obstore has no such call; this is the fastest way to the same result.
        "obstore": lambda: [obstore.get(theirs, key).bytes() for key in keys],
        CEILING: lambda: [content[key] for key in keys],
    }
    return Prepared(rounds, count)


@workload("memory: put_many")
def put_many(place, libraries):
    count = place.size(20_000, 5_000)
    items = [(f"data/{i}", BODY) for i in range(count)]
    stores = _stores(libraries)
    obstore, holdall = libraries["obstore"], libraries["holdall"]
    rounds = {
        "holdall": lambda: holdall.put_many(stores["holdall"], items),
        "obstore": lambda: [obstore.put(stores["obstore"], key, data) for key, data in items],
        CEILING: lambda: dict(items),
    }
    return Prepared(rounds, count)


@workload("memory: put in parts, 64 MiB", rate=True)
def put_parts(place, libraries):
    size = place.size(64, 32) * 1024 * 1024
    stores, data = _stores(libraries), bytes(size)
    rounds = {
        name: lambda library=library, name=name: library.put(stores[name], "big", data)
        for name, library in libraries.items()
    }
    return Prepared(rounds, size)


@workload("memory: stream 64 MiB", rate=True)
def stream(place, libraries):
    size = place.size(64, 32) * 1024 * 1024
    stores, data = _stores(libraries), bytes(size)
    for name, library in libraries.items():
        library.put(stores[name], "big", data, use_multipart=False)

    def run(library, store):
        for _ in library.get(store, "big").stream(1024 * 1024):
            pass

    rounds = {
        name: lambda library=library, name=name: run(library, stores[name])
        for name, library in libraries.items()
    }
    return Prepared(rounds, size)
