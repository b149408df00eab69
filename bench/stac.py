"""`python -m bench.stac`: downloads of STAC assets with `holdall stac`, `holdall.stac` and stac-asset, in one run.

Each round is a process of its own, as a user starts it; wall time, processor time (user and system) and the largest
resident memory are those of the process; of a "call" the times are those of the one call within it. Files come from nginx
on loopback. Where it is not installed, they come from a server that does as little as can be done in Python, which is slower
than what is measured. They are written to shared memory, if there is any.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .server import serve_files

_SHARED_MEMORY = Path("/dev/shm")

_PYTHON = """
import asyncio, json, sys
import pystac
import {module} as stac
document, out = sys.argv[1:]
items = pystac.ItemCollection.from_dict(json.load(open(document)))
asyncio.run(stac.download_item_collection(items, out))
"""

_CALL = """
import asyncio, json, sys, time
import pystac
import {module} as stac
document, out, times = sys.argv[1:]
items = pystac.ItemCollection.from_dict(json.load(open(document)))
wall, cpu = time.perf_counter(), time.process_time()
asyncio.run(stac.download_item_collection(items, out))
json.dump([time.perf_counter() - wall, time.process_time() - cpu], open(times, "w"))
"""
"""What a program waits for that runs already."""

_BUCKET = """
import asyncio, json, sys
import {module} as stac
import pystac
document, out, url = sys.argv[1:]
items = pystac.ItemCollection.from_dict(json.load(open(document)))
asyncio.run(stac.download_item_collection(items, out, config=stac.Config(s3_endpoint_url=url)))
"""

# A process is said to have been at least as large as the one that started it: a small one has to do it.
_LAUNCH = """
import json, os, sys, time
nothing = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
start = time.perf_counter()
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=nothing)
_, status, usage = os.wait4(process, 0)
wall = time.perf_counter() - start
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps([os.waitstatus_to_exitcode(status), wall, cpu, usage.ru_maxrss / 1024]))
"""

_PIECE = 1 << 18
"""Bytes that a limited connection sends at once."""

_READ = """
import asyncio, sys
import {module} as stac
async def main():
    # Given to `asyncio.run`, the bytes would be shown: it calls `repr` of the task.
    assert len(await stac.read_href(sys.argv[1])) > 0
asyncio.run(main())
"""


@dataclass
class Numbers:
    """One round."""

    wall: float
    cpu: float
    resident_mb: float


def measure(command: list[str], out: Path, times: Path | None = None) -> Numbers:
    """Run a command that writes into a directory, which is removed first.

    Its times are those of the process, or what it writes into the file `times`.
    """
    shutil.rmtree(out, ignore_errors=True)
    launched = subprocess.run(
        [sys.executable, "-S", "-c", _LAUNCH, *command], capture_output=True, text=True, check=True
    )
    status, *numbers = json.loads(launched.stdout)
    if status != 0:
        raise RuntimeError(f"{command[:3]} ended with {status}: {launched.stderr[-2000:]}")
    if times is not None:
        numbers[:2] = json.loads(times.read_text())
    return Numbers(*numbers)


def serve(folder: Path) -> None:
    """Serve the files of a folder: GET and HEAD with ranges. Runs in a process of its own."""
    import mmap
    import selectors
    import socket

    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    contents: dict[bytes, memoryview] = {}
    rate = int(os.environ.get("BENCH_RATE", "0"))

    def content(path: bytes) -> memoryview:
        if path not in contents:
            file = (folder / path.decode().lstrip("/")).open("rb")
            contents[path] = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return contents[path]

    ready = selectors.DefaultSelector()
    ready.register(listener, selectors.EVENT_READ)

    def answer(connection: socket.socket) -> None:
        request = connection.recv(65536)
        if not request:
            raise ConnectionError
        line, _, rest = request.partition(b"\r\n")
        method, path, _ = line.split(b" ")
        data = content(path)
        size, status, span = len(data), b"200 OK", b""
        found = rest.lower().partition(b"\r\nrange: bytes=")[2] if b"ange: bytes=" in rest else b""
        if rest.lower().startswith(b"range: bytes="):
            found = rest[len(b"range: bytes=") :]
        if found:
            first, _, last = found.partition(b"\r\n")[0].partition(b"-")
            start, end = int(first), min(int(last or size - 1), size - 1)
            data, status = data[start : end + 1], b"206 Partial Content"
            span = b"Content-Range: bytes %d-%d/%d\r\n" % (start, end, size)
        head = b'HTTP/1.1 %s\r\nContent-Length: %d\r\nAccept-Ranges: bytes\r\n%sETag: "%d"\r\n\r\n'
        head = head % (status, len(data), span, size)
        connection.setblocking(True)
        if method == b"HEAD" or len(data) < 65536:
            connection.sendall(head if method == b"HEAD" else head + bytes(data))
            return
        connection.sendall(head)
        if not rate:
            connection.sendall(data)
            return
        start = time.monotonic()
        for sent in range(0, len(data), _PIECE):
            time.sleep(max(0.0, start + sent / rate - time.monotonic()))
            connection.sendall(data[sent : sent + _PIECE])

    def stream(connection: socket.socket) -> None:
        # Large bodies would hold up all other connections.
        try:
            while True:
                answer(connection)
        except (ConnectionError, OSError):
            connection.close()

    while True:
        for key, _ in ready.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if os.environ.get("BENCH_THREADS"):
                    threading.Thread(target=stream, args=(connection,), daemon=True).start()
                else:
                    ready.register(connection, selectors.EVENT_READ)
                continue
            try:
                answer(key.fileobj)
            except (ConnectionError, OSError):
                ready.unregister(key.fileobj)
                key.fileobj.close()


@contextmanager
def serving(folder: Path, *, threads: bool, rate: int = 0) -> Iterator[str]:
    """Serve a folder and yield the URL; `rate` limits each connection, in bytes per second."""
    url = serve_files(folder, str(rate))
    if url is not None:
        yield url
        return
    env = dict(os.environ) | ({"BENCH_THREADS": "1"} if threads else {}) | {"BENCH_RATE": str(rate)}
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.stac", "--serve", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()


def item(number: int, hrefs: dict[str, str]) -> dict:
    """Return an item."""
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": f"item-{number}",
        "geometry": {"type": "Point", "coordinates": [number / 100, 51.5]},
        "bbox": [number / 100, 51.5, number / 100, 51.5],
        "properties": {"datetime": "2024-03-05T10:20:30Z"},
        "links": [],
        "assets": {key: {"href": href} for key, href in hrefs.items()},
    }


def document(folder: Path, items: list[dict]) -> Path:
    """Write an item collection."""
    path = folder / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    return path


class Bench:
    """The commands to compare."""

    def __init__(self, cli: str, rounds: int, only: list[str]) -> None:
        self.cli = cli
        self.rounds = rounds
        self.only = only

    def compare(
        self,
        name: str,
        out: Path,
        commands: dict[str, list[str]],
        once: str | None = None,
        times: Path | None = None,
    ) -> None:
        """Measure commands in turn and print a line for each; `once` names one that takes a minute, `times` is as of `measure`."""
        if self.only and not any(word in name for word in self.only):
            return
        numbers: dict[str, list[Numbers]] = {who: [] for who in commands}
        for number in range(self.rounds):
            for who, command in commands.items():
                if number == 0 or who != once:
                    numbers[who].append(measure(command, out, times))
        median: Callable[[str, str], float] = lambda who, what: statistics.median(  # noqa: E731
            getattr(one, what) for one in numbers[who]
        )
        theirs = next((who for who in numbers if who.startswith("stac-asset")), None)
        for who in numbers:
            line = (
                f"{name:34} {who:18} {median(who, 'wall'):8.3f} s  {median(who, 'cpu'):8.3f} cpu s "
                f"{median(who, 'resident_mb'):7.0f} MB"
            )
            if theirs is not None and who != theirs:
                wall = median(theirs, "wall") / median(who, "wall")
                cpu = median(theirs, "cpu") / max(median(who, "cpu"), 1e-3)
                line += f"   {wall:6.1f} x wall, {cpu:6.1f} x cpu"
            print(line, flush=True)


def run(bench: Bench, folder: Path) -> None:
    """Run all comparisons."""
    python = sys.executable
    out = folder / "out"
    theirs_cli = str(Path(python).parent / "stac-asset")

    def scripts(source: str) -> dict[str, str]:
        return {
            "holdall.stac": source.format(module="holdall.stac"),
            "stac-asset (python)": source.format(module="stac_asset"),
        }

    bench.compare(
        "--help",
        out,
        {"holdall stac": [bench.cli, "stac", "--help"], "stac-asset (cli)": [theirs_cli, "--help"]},
    )
    files = folder / "files"
    files.mkdir()
    for number in range(1000):
        for key in "ab":
            (files / f"{number}-{key}.bin").write_bytes(os.urandom(10 * 1024))
    with serving(files, threads=False) as url:
        items = [item(n, {key: f"{url}/{n}-{key}.bin" for key in "ab"}) for n in range(1000)]
        path = str(document(folder, items))
        bench.compare(
            "1,000 items x 2 x 10 KiB, cli",
            out,
            {
                "holdall stac": [bench.cli, "stac", "download", path, str(out), "-q"],
                "stac-asset (cli)": [theirs_cli, "download", path, str(out), "-q"],
            },
        )
        bench.compare(
            "1,000 items x 2 x 10 KiB, python",
            out,
            {
                who: [python, "-c", textwrap.dedent(script), path, str(out)]
                for who, script in scripts(_PYTHON).items()
            },
        )
        times = folder / "times.json"
        bench.compare(
            "1,000 items x 2 x 10 KiB, call",
            out,
            {
                who: [python, "-c", textwrap.dedent(script), path, str(out), str(times)]
                for who, script in scripts(_CALL).items()
            },
            times=times,
        )
    bucket = files / "bucket"
    bucket.mkdir()
    for number in range(2000):
        shutil.copy(files / f"{number // 2}-{'ab'[number % 2]}.bin", bucket / f"{number}.bin")
    with serving(files, threads=False) as url:
        for count in (200, 2000):
            items = [item(n, {"a": f"s3://bucket/{n}.bin"}) for n in range(count)]
            path = str(document(folder, items))
            commands = {
                who: [python, "-c", textwrap.dedent(script), path, str(out), url]
                for who, script in scripts(_BUCKET).items()
            }
            cli = ["stac", "download", path, str(out), "-q", "--s3-endpoint-url", url]
            bench.compare(
                f"{count:,} x 10 KiB from S3",
                out,
                {"holdall stac": [bench.cli, *cli]} | commands,
                once="stac-asset (python)" if count > 200 else None,
            )
    for number in range(4):
        (files / f"big-{number}.bin").write_bytes(os.urandom(1 << 20) * 256)
    with serving(files, threads=True) as url:
        items = [item(0, {f"b{n}": f"{url}/big-{n}.bin" for n in range(4)})]
        path = str(document(folder, items))
        large = {
            "holdall stac": [bench.cli, "stac", "download", path, str(out), "-q"],
            **{
                f"holdall, {name}": [
                    bench.cli, "stac", "download", path, str(out), "-q", "--checksum", name,
                ]
                for name in ("sha2-256", "blake3")
            },
            "stac-asset (cli)": [theirs_cli, "download", path, str(out), "-q"],
        }  # fmt: skip
        bench.compare("4 x 256 MiB, cli", out, large)
        bench.compare(
            "read_href, 256 MiB",
            out,
            {
                who: [python, "-c", textwrap.dedent(script), f"{url}/big-0.bin"]
                for who, script in scripts(_READ).items()
                if who.startswith("holdall")
            },
        )
    with serving(files, threads=True, rate=50 << 20) as url:
        path = str(document(folder, [item(0, {"big": f"{url}/big-0.bin"})]))
        limited = {
            "holdall stac": [bench.cli, "stac", "download", path, str(out), "-q"],
            **{
                f"holdall, {name}": [
                    bench.cli, "stac", "download", path, str(out), "-q", "--checksum", name,
                ]
                for name in ("sha2-256", "blake3")
            },
            "stac-asset (cli)": [theirs_cli, "download", path, str(out), "-q"],
        }  # fmt: skip
        bench.compare("256 MiB, 50 MiB/s per connection", out, limited)
    heavy = json.loads(json.dumps(item(0, {})))
    heavy["properties"] |= {f"x:{n}": [1.5, n, "text"] for n in range(150)}
    heavy["assets"] = {
        f"B{n}": {
            "href": f"https://example.com/{n}.tif",
            "title": "Band",
            "bands": [
                {"name": f"b{m}", "center_wavelength": 0.443, "x": list(range(30))}
                for m in range(4)
            ],
            "roles": ["data"],
        }
        for n in range(22)
    }
    items = [heavy | {"id": f"item-{n}"} for n in range(1000)]
    path = str(document(folder, items))
    bench.compare(
        "1,000 items of 20 KB, none chosen",
        out,
        {
            "holdall stac": [bench.cli, "stac", "download", path, str(out), "-i", "no"],
            "stac-asset (cli)": [theirs_cli, "download", path, str(out), "-i", "no"],
        },
    )


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench.stac", description=__doc__)
    parser.add_argument("--cli", default="target/release/holdall", help="the holdall command")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], metavar="WORD")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return 0
    # An installed package has its bytecode; so has one that was imported once, unless that is forbidden.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    parent = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="holdall-bench-", dir=parent) as folder:
        run(Bench(arguments.cli, arguments.rounds, arguments.only), Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
