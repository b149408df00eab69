"""4 KiB objects over HTTP on loopback: one connection, and many requests at once."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

from ..harness import CEILING, Prepared, workload
from ..server import BODY


def _stores(place, libraries):
    options = {"allow_http": True}
    return {
        name: library.store.HTTPStore.from_url(place.url, client_options=options)
        for name, library in libraries.items()
    }


@workload("http: get().bytes(), 4 KiB")
def get(place, libraries):
    stores, count = _stores(place, libraries), place.size(1_000, 200)

    def run(library, store):
        for _ in range(count):
            library.get(store, "object").bytes()

    address = urlsplit(place.url)
    connection = socket.create_connection((address.hostname, address.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = f"GET /object HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()

    def plain():
        # The same bytes over a bare socket, without a look at what they mean.
        for _ in range(count):
            connection.sendall(request)
            received = connection.recv(65536)
            length = received.index(b"\r\n\r\n") + 4 + len(BODY) - len(received)
            while length:
                length -= len(connection.recv(length))

    rounds = {
        name: lambda library=library, name=name: run(library, stores[name])
        for name, library in libraries.items()
    }
    return Prepared(rounds | {CEILING: plain}, count)


@workload("http: get_async, 32 at a time")
def get_async(place, libraries):
    stores, count, at_once = _stores(place, libraries), place.size(2_000, 400), 32

    async def run(library, store):
        async def worker():
            for _ in range(count // at_once):
                await (await library.get_async(store, "object")).bytes_async()

        await asyncio.gather(*[worker() for _ in range(at_once)])

    rounds = {
        name: lambda library=library, name=name: asyncio.run(run(library, stores[name]))
        for name, library in libraries.items()
    }
    return Prepared(rounds, count // at_once * at_once)


@workload("http: get_many, 32 at a time")
def get_many(place, libraries):
    stores, count = _stores(place, libraries), place.size(2_000, 400)
    holdall, obstore = libraries["holdall"], libraries["obstore"]
    keys = [f"object-{i}" for i in range(count)]

    async def peer():
        limit = asyncio.Semaphore(32)

        async def one(key):
            async with limit:
                return await (await obstore.get_async(stores["obstore"], key)).bytes_async()

        return await asyncio.gather(*[one(key) for key in keys])

    rounds = {
        "holdall": lambda: holdall.get_many(stores["holdall"], keys, max_concurrency=32),
        "obstore": lambda: asyncio.run(peer()),
    }
    return Prepared(rounds, count)
