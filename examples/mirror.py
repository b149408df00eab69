"""Mirrors a folder to a store and back, checks every byte, and reads parts of it in Python.

    python examples/mirror.py                            # to a folder, as file://
    python examples/mirror.py --store s3://bucket/demo   # to any store; settings from the environment

Needs the `holdall` command and the `holdall` package; `scripts/demo` builds both and runs this.
"""

import argparse
import asyncio
import hashlib
import json
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import holdall
import make_dataset
from holdall.store import MemoryStore, ObjectStore, from_url

WORK = Path(__file__).resolve().parents[1] / "target" / "demo"


@dataclass
class Row:
    """One line of the table at the end."""

    what: str
    objects: int = 0
    size_bytes: int = 0
    seconds: float = 0


class Table:
    def __init__(self) -> None:
        self.rows: list[Row] = []

    @contextmanager
    def timed(self, what: str) -> Iterator[Row]:
        row = Row(what)
        began = time.perf_counter()
        yield row
        row.seconds = time.perf_counter() - began
        self.rows.append(row)

    def show(self) -> None:
        print(f"\n{'what':<44}{'objects':>9}{'MB':>9}{'seconds':>9}{'MB/s':>9}")
        for row in self.rows:
            megabytes = row.size_bytes / 1e6
            rate = f"{megabytes / row.seconds:9.0f}" if row.size_bytes else ""
            print(f"{row.what:<44}{row.objects:>9}{megabytes:>9.1f}{row.seconds:>9.2f}{rate}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Mirror the example dataset to a store and back.")
    parser.add_argument("--store", metavar="URL", help="where to (default: a folder, as file://)")
    parser.add_argument("--holdall", default="holdall", metavar="PATH", help="the command to run")
    options = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    url = options.store or (WORK / "store").as_uri()

    print("making the dataset" if make_dataset.make() else "the dataset is there")
    files = contents(make_dataset.DATA)
    size = sum(path.stat().st_size for path in files.values())
    table = Table()

    def sync(what: str, source: str, target: str) -> None:
        with table.timed(what) as row:
            command(options.holdall, "sync", source, target)
            row.objects, row.size_bytes = len(files), size

    sync("sync: folder to store", str(make_dataset.DATA), url)
    with table.timed("sync again: nothing to do") as row:
        command(options.holdall, "sync", str(make_dataset.DATA), url)
    with table.timed("ls --recursive --json") as row:
        listed = listing(options.holdall, url)
        row.objects = len(listed)
    expect(listed, {name: path.stat().st_size for name, path in files.items()}, "the listing")

    back = WORK / "back"
    sync("sync: store to another folder", url, str(back))
    with table.timed("compare checksums of both folders") as row:
        expect(checksums(contents(back)), checksums(files), "what came back")
        row.objects, row.size_bytes = len(files), size

    store = from_url(url)
    with table.timed("Python: list") as row:
        found = {meta["path"]: meta["size"] for chunk in holdall.list(store) for meta in chunk}
        row.objects = len(found)
    expect(found, listed, "the listing in Python")
    with table.timed("Python: one strip of each scene, by ranges") as row:
        for name in sorted(files):
            if name.endswith(".tif"):
                row.size_bytes += read_strip(store, name, files[name])
                row.objects += 1
    with table.timed("Python: items to memory://, all at once") as row:
        row.objects, row.size_bytes = asyncio.run(copy_items(store, MemoryStore()))

    table.show()
    print(f"\nEvery byte that came back is the one that was sent. The mirror: {url}")


def contents(folder: Path) -> dict[str, Path]:
    """All files below a folder, by their path in it."""
    return {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}


def checksums(files: dict[str, Path]) -> dict[str, str]:
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def expect(got: dict, wanted: dict, what: str) -> None:
    """Ends the program, naming what differs, unless both are equal."""
    if got == wanted:
        return
    differing = sorted(k for k in got.keys() | wanted.keys() if got.get(k) != wanted.get(k))
    sys.exit(f"{what} differs at {len(differing)} of {len(wanted)} names: {differing[:5]}")


def command(program: str, *arguments: str) -> str:
    """Runs the `holdall` command, showing what it says to people. Returns what it says to programs."""
    print(f"$ holdall {' '.join(arguments)}", flush=True)
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"holdall {arguments[0]} ended with status {done.returncode}")
    return done.stdout


def listing(program: str, url: str) -> dict[str, int]:
    """The size of every object, by its path below the URL."""
    lines = command(program, "ls", "--recursive", "--json", url).splitlines()
    entries = [json.loads(line) for line in lines]
    return {entry["path"]: entry["size"] for entry in entries}


def read_strip(store: ObjectStore, name: str, original: Path) -> int:
    """Reads the strip in the middle of a TIFF without reading the rest, and compares it with the local file.

    Returns the number of bytes fetched. Every strip but the last has as many bytes as the first.
    """
    head = bytes(holdall.get_range(store, name, start=0, length=8))
    (directory_at,) = struct.unpack("<4xI", head)
    (entries,) = struct.unpack(
        "<H", bytes(holdall.get_range(store, name, start=directory_at, length=2))
    )
    directory = bytes(holdall.get_range(store, name, start=directory_at + 2, length=12 * entries))
    tags = {tag: (count, value) for tag, _, count, value in struct.iter_unpack("<HHII", directory)}
    count, offsets_at = tags[273]
    pair = bytes(holdall.get_range(store, name, start=offsets_at + 4 * (count // 2), length=8))
    start, end = struct.unpack("<II", pair)
    strip, again = holdall.get_ranges(store, name, starts=[start, start], ends=[end, end])
    with original.open("rb") as file:
        file.seek(start)
        local = file.read(end - start)
    if bytes(strip) != local or bytes(again) != local:
        sys.exit(f"{name}: bytes {start} to {end} differ from the local file")
    return 18 + len(directory) + 2 * len(local)


async def copy_items(source: ObjectStore, target: ObjectStore) -> tuple[int, int]:
    """Copies every STAC item, all requests under way together. Returns how many, and their bytes."""
    names = [meta["path"] async for chunk in holdall.list(source, "items") for meta in chunk]

    async def copy(name: str) -> int:
        body = await (await holdall.get_async(source, name)).bytes_async()
        await holdall.put_async(target, name, body)
        return len(body)

    sizes = await asyncio.gather(*map(copy, names))
    return len(names), sum(sizes)


if __name__ == "__main__":
    main()
