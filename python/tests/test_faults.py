"""A network that breaks, stalls and trickles, for every operation: right bytes or a typed error, and nothing torn."""

from __future__ import annotations

import contextlib
import json
import os
import random
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from conftest import s3_settings

import holdall
from holdall.exceptions import BaseError
from holdall.store import S3Store

KIB, MIB = 1024, 1024 * 1024
SMALL = random.Random(1).randbytes(10 * KIB)
LARGE = random.Random(2).randbytes(12 * MIB + 5)
NEW = random.Random(3).randbytes(12 * MIB + 7)

#: What goes wrong, in terms of toxiproxy: type, attributes, and which way.
TOXICS = {
    "answers cut after 100 kB": ("limit_data", {"bytes": 100_000}, "downstream"),
    "answers cut in the head": ("limit_data", {"bytes": 100}, "downstream"),
    "requests cut after 100 kB": ("limit_data", {"bytes": 100_000}, "upstream"),
    "reset at once": ("reset_peer", {"timeout": 0}, "downstream"),
    "reset after a while": ("reset_peer", {"timeout": 30}, "downstream"),
    "silence": ("timeout", {"timeout": 0}, "downstream"),
    "silence after the request": ("timeout", {"timeout": 0}, "upstream"),
    "tiny pieces": (
        "slicer",
        {"average_size": 700, "size_variation": 600, "delay": 1},
        "downstream",
    ),
    "a slow end": ("slow_close", {"delay": 300}, "downstream"),
    "late, more or less": ("latency", {"latency": 20, "jitter": 20}, "downstream"),
}

#: Those that cost time and nothing else.
HARMLESS = {"tiny pieces", "a slow end", "late, more or less"}

#: Those that let nobody through.
FATAL = {"answers cut in the head", "reset at once", "silence", "silence after the request"}


class Proxy:
    """A way to the S3 server that can be spoiled."""

    def __init__(self, api: str, upstream: str) -> None:
        self.api = api
        described = self._ask(
            "POST",
            "/proxies",
            {"name": f"faults-{os.getpid()}", "listen": "127.0.0.1:0", "upstream": upstream},
        )
        self.name, self.url = described["name"], f"http://{described['listen']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.api + path, data, method=method)
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    @contextlib.contextmanager
    def spoiled(self, toxic: str, toxicity: float) -> Iterator[None]:
        """Spoil this share of new connections meanwhile."""
        kind, attributes, stream = TOXICS[toxic]
        self._ask(
            "POST",
            f"/proxies/{self.name}/toxics",
            {
                "name": "fault",
                "type": kind,
                "attributes": attributes,
                "stream": stream,
                "toxicity": toxicity,
            },
        )
        try:
            yield
        finally:
            self._ask("DELETE", f"/proxies/{self.name}/toxics/fault")

    def close(self) -> None:
        self._ask("DELETE", f"/proxies/{self.name}")


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    api = os.environ.get("HOLDALL_TEST_TOXIPROXY_URL")
    if not api:
        pytest.skip("toxiproxy is not running (services/up)")
    proxy = Proxy(api, urlsplit(s3_settings()["endpoint"]).netloc)
    yield proxy
    proxy.close()


def open_store(url: str | None = None) -> S3Store:
    settings = s3_settings() | ({"endpoint": url} if url else {})
    return S3Store(
        "test-bucket",
        prefix=f"faults-{os.getpid()}",
        **settings,
        client_options={"allow_http": True, "timeout": "700ms", "connect_timeout": "700ms"},
        retry_config={
            "max_retries": 2,
            "retry_timeout": timedelta(seconds=20),
            "backoff": {
                "init_backoff": timedelta(milliseconds=10),
                "max_backoff": timedelta(milliseconds=50),
                "base": 2,
            },
        },
    )


def read_in_pieces(store: S3Store, folder: Path) -> bytes:
    return b"".join(bytes(piece) for piece in holdall.get(store, "large").stream())


def read_as_file(store: S3Store, folder: Path) -> bytes:
    with holdall.open_reader(store, "large") as file:
        return file.read()


def read_into(store: S3Store, folder: Path) -> bytes:
    buffer = bytearray(len(LARGE))
    holdall.read_into(store, "large", buffer, part_size=MIB, retries=2)
    return bytes(buffer)


def download(store: S3Store, folder: Path) -> bytes:
    holdall.download(store, "large", folder / "file", part_size=MIB, retries=2)
    return (folder / "file").read_bytes()


def ranges(store: S3Store, folder: Path) -> bytes:
    parts = holdall.get_ranges(store, "large", starts=[0, 5 * MIB], ends=[MIB, 6 * MIB], coalesce=0)
    return b"".join(bytes(part) for part in parts)


#: What is read, and what has to come out.
READS: dict[str, tuple[Callable[[S3Store, Path], Any], Any]] = {
    "get, small": (lambda s, f: bytes(holdall.get(s, "small").bytes()), SMALL),
    "get, large": (lambda s, f: bytes(holdall.get(s, "large").bytes()), LARGE),
    "stream": (read_in_pieces, LARGE),
    "file object": (read_as_file, LARGE),
    "read_into": (read_into, LARGE),
    "download": (download, LARGE),
    "get_range": (
        lambda s, f: bytes(holdall.get_range(s, "large", start=100, length=MIB)),
        LARGE[100 : 100 + MIB],
    ),
    "get_ranges": (ranges, LARGE[:MIB] + LARGE[5 * MIB : 6 * MIB]),
    "get_many": (
        lambda s, f: [bytes(found) for found in holdall.get_many(s, ["small", "small"])],
        [SMALL, SMALL],
    ),
    "head": (lambda s, f: holdall.head(s, "large")["size"], len(LARGE)),
    "list": (
        lambda s, f: sorted(m["path"] for page in holdall.list(s, "keys/") for m in page),
        [f"keys/{number:02}" for number in range(30)],
    ),
}


def write_file(store: S3Store, key: str, folder: Path) -> None:
    (folder / "source").write_bytes(NEW)
    holdall.upload(store, key, folder / "source", part_size=5 * MIB, retries=2)


def write_as_file(store: S3Store, key: str, folder: Path) -> None:
    with holdall.open_writer(store, key, buffer_size=5 * MIB) as file:
        for at in range(0, len(NEW), MIB):
            file.write(NEW[at : at + MIB])


#: What is written: `NEW`, under a key that had `SMALL`.
WRITES: dict[str, Callable[[S3Store, str, Path], Any]] = {
    "put": lambda s, k, f: holdall.put(s, k, NEW, use_multipart=False),
    "put in parts": lambda s, k, f: holdall.put(s, k, NEW),
    "put an iterator": lambda s, k, f: holdall.put(s, k, iter([NEW[:MIB], NEW[MIB:]])),
    "upload": write_file,
    "open_writer": write_as_file,
    "copy": lambda s, k, f: holdall.copy(s, "new", k),
}


@pytest.mark.parametrize("toxic", TOXICS)
@pytest.mark.parametrize("toxicity", [0.4, 1.0])
def test_right_bytes_or_a_typed_error(proxy, tmp_path, toxic, toxicity):
    plain, store = open_store(), open_store(proxy.url)
    for key, data in [("small", SMALL), ("large", LARGE), ("new", NEW)]:
        holdall.put(plain, key, data)
    holdall.put_many(plain, [(f"keys/{number:02}", b"x") for number in range(30)])
    for name in WRITES:
        holdall.put(plain, f"written/{name}", SMALL)

    def run(name: str) -> str | None:
        folder = tmp_path / name
        folder.mkdir()
        try:
            if name in WRITES:
                WRITES[name](store, f"written/{name}", folder)
            else:
                read, expected = READS[name]
                assert read(store, folder) == expected, name
        except (BaseError, OSError) as error:
            # Every error says what it is about, and what kind it is.
            assert getattr(error, "kind", None), f"{name}: {error!r}"
            # Files are there whole or not at all.
            assert not (folder / "file").exists()
            return name
        return None

    with proxy.spoiled(toxic, toxicity), ThreadPoolExecutor(len(READS) + len(WRITES)) as pool:
        failed = set(filter(None, pool.map(run, [*READS, *WRITES])))
    if toxic in HARMLESS:
        assert not failed
    if toxic in FATAL and toxicity == 1:
        assert failed == READS.keys() | WRITES.keys()
    for name in WRITES:
        found = bytes(holdall.get(plain, f"written/{name}").bytes())
        # A request whose answer was lost may have been done.
        assert found in ((NEW, SMALL) if name in failed else (NEW,)), name
    # What had failed succeeds when the network is well again.
    for name in failed & READS.keys():
        folder = tmp_path / f"again-{name}"
        folder.mkdir()
        read, expected = READS[name]
        assert read(store, folder) == expected
    holdall.delete_prefix(plain)
