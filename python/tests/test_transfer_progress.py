"""Who looks on while bytes move, and what ends a transfer half-way."""

from __future__ import annotations

import asyncio
import builtins
import gc
import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress

import pytest
from conftest import s3_settings

import holdall
from holdall import _holdall
from holdall.store import MemoryStore

MIB = 1024 * 1024
DATA = os.urandom(12 * MIB)


@pytest.fixture(autouse=True)
def state(tmp_path_factory, monkeypatch):
    """Keep the journals of uploads away from the user's."""
    directory = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("HOLDALL_STATE_DIR", str(directory))
    return directory


def uploads_in_progress(store) -> list[str]:
    """Return the keys of uploads in parts that the service keeps open below a store."""
    boto3 = pytest.importorskip("boto3")
    settings = s3_settings()
    client = boto3.client(
        "s3",
        endpoint_url=settings["endpoint"],
        aws_access_key_id=settings["access_key_id"],
        aws_secret_access_key=settings["secret_access_key"],
        region_name=settings["region"],
    )
    found = client.list_multipart_uploads(Bucket="test-bucket")
    keys = [upload["Key"] for upload in found.get("Uploads", [])]
    return [key for key in keys if key.startswith(store.prefix)]


def wait_until(condition) -> None:
    while not condition():
        time.sleep(0.01)


def test_progress_is_told_on_the_thread_of_the_caller(store, tmp_path):
    holdall.put(store, "k", DATA)
    seen, threads = [], set()

    def look(now):
        seen.append(now)
        threads.add(threading.get_ident())

    options = {"limit_rate": 60 * MIB, "progress_interval": 0.02, "part_size": 5 * MIB}
    holdall.download(store, "k", tmp_path / "f", progress=look, **options)
    assert threads == {threading.get_ident()}
    assert (seen[0].bytes_done, seen[0].finished) == (0, False)
    last = seen[-1]
    assert (last.bytes, last.bytes_done, last.finished) == (len(DATA), len(DATA), True)
    assert (last.objects, last.objects_done, last.objects_failed) == (1, 1, 0)
    assert last.rate > 0
    assert last.remaining.total_seconds() == 0
    done = [now.bytes_done for now in seen]
    assert done == sorted(done)
    assert 3 < len(seen) <= 2 + last.elapsed.total_seconds() / 0.02


async def test_progress_is_told_on_the_event_loop(store):
    seen, threads = [], set()

    def look(now):
        seen.append(now)
        threads.add(threading.get_ident())

    await holdall.upload_async(store, "k", DATA, progress=look, progress_interval=0.01)
    assert threads == {threading.get_ident()}
    assert seen[-1].finished
    assert seen[-1].bytes_done == len(DATA)


def test_progress_of_many_objects(tmp_path):
    for number in range(20):
        (tmp_path / str(number)).write_bytes(b"x" * number)
    seen = []
    holdall.upload_dir(MemoryStore(), None, tmp_path, progress=seen.append)
    assert (seen[-1].objects, seen[-1].objects_done, seen[-1].bytes_done) == (20, 20, 190)


def test_a_failed_transfer_tells_its_end(tmp_path):
    seen = []
    with pytest.raises(FileNotFoundError):
        holdall.download(MemoryStore(), "missing", tmp_path / "f", progress=seen.append)
    assert seen[-1].finished
    assert seen[-1].objects_failed == 1


class Enough(Exception):
    pass


def test_what_progress_raises_ends_the_transfer(store, tmp_path):
    holdall.put(store, "k", DATA)
    calls = []

    def look(now):
        calls.append(now)
        if now.bytes_done:
            raise Enough

    options = {"limit_rate": 8 * MIB, "progress_interval": 0.01, "part_size": 5 * MIB}
    with pytest.raises(Enough):
        holdall.download(store, "k", tmp_path / "f", progress=look, **options)
    assert not (tmp_path / "f").exists()
    assert len([now for now in calls if now.bytes_done]) == 1
    # Whoever catches it finds the place as it was: nothing of the transfer goes on.
    assert _holdall._unsettled()[0] == 0
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


async def test_what_progress_raises_ends_the_transfer_async(s3_store):
    def look(now):
        if now.bytes_done:
            raise Enough

    options = {"limit_rate": 8 * MIB, "progress_interval": 0.01, "part_size": 5 * MIB}
    with pytest.raises(Enough):
        await holdall.upload_async(s3_store, "k", DATA, progress=look, **options)
    assert not holdall.exists(s3_store, "k")
    wait_until(lambda: not uploads_in_progress(s3_store))


@pytest.mark.parametrize("progress", [None, lambda now: None])
async def test_a_cancelled_upload_is_aborted(s3_store, progress):
    options = {"limit_rate": 2 * MIB, "part_size": 5 * MIB, "progress": progress}
    task = asyncio.ensure_future(holdall.upload_async(s3_store, "k", DATA, **options))
    while not await asyncio.to_thread(uploads_in_progress, s3_store):
        pass
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    wait_until(lambda: not uploads_in_progress(s3_store))
    assert not holdall.exists(s3_store, "k")


async def test_a_cancelled_download_leaves_no_file(store, tmp_path_factory):
    holdall.put(store, "k", DATA)
    directory = tmp_path_factory.mktemp("down")
    options = {"limit_rate": 8 * MIB, "part_size": 5 * MIB}
    task = asyncio.ensure_future(holdall.download_async(store, "k", directory / "file", **options))
    while not os.listdir(directory):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Whoever catches it may begin anew at once.
    assert not os.listdir(directory)
    assert _holdall._unsettled()[0] == 0


async def test_a_cancelled_read_does_not_write_to_its_buffer_any_more(store):
    holdall.put(store, "k", DATA)
    for wait in [0, 0.001, 0.01, 0.1]:
        buffer = bytearray(len(DATA))
        reading = holdall.read_into_async(store, "k", buffer, limit_rate=8 * MIB, part_size=MIB)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reading, wait)
        read = bytes(buffer)
        await asyncio.sleep(0.05)
        assert buffer == read


@pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::pytest.PytestUnraisableExceptionWarning"
)
def test_an_iterator_whose_loop_has_ended_is_not_asked_any_more(store):
    async def pieces():
        for _ in range(100):
            await asyncio.sleep(0)
            yield DATA[:MIB]

    async def main(wait):
        with suppress(TimeoutError):
            await asyncio.wait_for(holdall.upload_async(store, "k", pieces()), wait)

    for wait in [0, 0.0005, 0.001, 0.002, 0.004] * 4:
        asyncio.run(main(wait))
    gc.collect()


async def test_who_is_cancelled_twice_does_not_wait(store):
    holdall.put(store, "k", DATA)
    caught = []

    async def stubborn():
        reading = holdall.read_into_async(store, "k", bytearray(len(DATA)), limit_rate=MIB)
        try:
            await reading
        except asyncio.CancelledError as error:
            caught.append(error.args)
        return "done"

    task = asyncio.ensure_future(stubborn())
    await asyncio.sleep(0.01)
    task.cancel("once")
    await asyncio.sleep(0)
    task.cancel("twice")
    with suppress(asyncio.CancelledError):
        assert await task == "done"
    assert caught in ([("once",)], [("twice",)])


async def test_a_time_limit_works(s3_store):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await holdall.upload_async(s3_store, "k", DATA, limit_rate=MIB)
    assert not holdall.exists(s3_store, "k")


SCRIPT = """
    import os, sys, holdall
    store = holdall.store.S3Store("test-bucket", prefix=sys.argv[1], config={
        "endpoint": os.environ["HOLDALL_TEST_S3_ENDPOINT"], "access_key_id": "holdall",
        "secret_access_key": "holdall-secret", "region": "us-east-1"},
        client_options={"allow_http": True})
    options = {"limit_rate": 8 * 1024 * 1024, "part_size": 5 * 1024 * 1024}
    print("begun", flush=True)
    try:
        if sys.argv[2] == "up":
            holdall.upload(store, "k", sys.argv[3], resume=sys.argv[4] == "True", **options)
        else:
            holdall.download(store, "k", sys.argv[3], resume=sys.argv[4] == "True", **options)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def start(store, direction, file, resume=False) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", textwrap.dedent(SCRIPT), store.prefix, direction]
    child = subprocess.Popen(
        [*arguments, str(file), str(resume)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "begun\n"
    return child


def test_an_interrupt_ends_an_upload_and_aborts_it(s3_store, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(DATA)
    child = start(s3_store, "up", file)
    wait_until(lambda: uploads_in_progress(s3_store))
    child.send_signal(signal.SIGINT)
    assert child.communicate()[0] == "interrupted\n"
    assert child.returncode == 0
    assert uploads_in_progress(s3_store) == []
    assert not holdall.exists(s3_store, "k")


def test_an_interrupt_ends_a_download(s3_store, tmp_path):
    holdall.put(s3_store, "k", DATA)
    child = start(s3_store, "down", tmp_path / "file")
    wait_until(lambda: os.listdir(tmp_path))
    child.send_signal(signal.SIGINT)
    assert child.communicate()[0] == "interrupted\n"
    wait_until(lambda: not os.listdir(tmp_path))


def test_a_killed_upload_is_resumed(s3_store, tmp_path, state):
    file = tmp_path / "file"
    file.write_bytes(DATA)
    child = start(s3_store, "up", file, resume=True)

    def has_sent_a_part():
        journals = [*(state / "uploads").glob("*.journal")] if state.exists() else []
        return any(len(journal.read_text().splitlines()) > 1 for journal in journals)

    wait_until(has_sent_a_part)
    child.kill()
    child.communicate()
    assert not holdall.exists(s3_store, "k")
    report = holdall.upload(s3_store, "k", file, resume=True, part_size=5 * MIB)
    assert report.resumed_bytes >= 2 * MIB
    assert bytes(holdall.get(s3_store, "k").bytes()) == DATA
    assert uploads_in_progress(s3_store) == []


def test_a_killed_download_is_resumed(s3_store, tmp_path):
    holdall.put(s3_store, "k", DATA)
    file = tmp_path / "file"
    child = start(s3_store, "down", file, resume=True)

    def has_a_part():
        journals = [*tmp_path.glob(".*holdall-journal")]
        return any(len(journal.read_text().splitlines()) > 1 for journal in journals)

    wait_until(has_a_part)
    child.kill()
    child.communicate()
    assert not file.exists()
    seen = []
    options = {"resume": True, "part_size": 5 * MIB, "progress": seen.append}
    report = holdall.download(s3_store, "k", file, **options)
    assert report.resumed_bytes >= 2 * MIB
    assert seen[-1].bytes_resumed == report.resumed_bytes
    assert file.read_bytes() == DATA
    assert os.listdir(tmp_path) == ["file"]


# Bars


def test_tqdm(tmp_path):
    pytest.importorskip("tqdm")
    out = io.StringIO()
    store = MemoryStore()
    holdall.upload(store, "k", DATA, progress=holdall.progress.tqdm(desc="up", file=out))
    assert "up: 100%" in out.getvalue()
    assert "12.0M/12.0M" in out.getvalue()
    assert out.getvalue().endswith("\n")


def test_a_bar_for_several_transfers(tmp_path):
    pytest.importorskip("tqdm")
    out = io.StringIO()
    store = MemoryStore()
    with holdall.progress.tqdm(file=out) as bar:
        holdall.upload(store, "k", DATA, progress=bar)
        holdall.download(store, "k", tmp_path / "f", progress=bar)
    assert "24.0M/24.0M" in out.getvalue()
    assert out.getvalue().count("\n") == 1


def test_rich(tmp_path):
    console = pytest.importorskip("rich.console")
    progress = pytest.importorskip("rich.progress")
    out = io.StringIO()
    shown = console.Console(file=out, force_terminal=True, width=100)
    store = MemoryStore()
    bar = holdall.progress.rich(description="up", console=shown)
    holdall.upload(store, "k", DATA, progress=bar)
    assert "up" in out.getvalue()
    assert "12.6/12.6 MB" in out.getvalue() or "12.0/12.0 MiB" in out.getvalue()
    with progress.Progress(console=shown) as theirs:
        bar = holdall.progress.rich(theirs, "down")
        holdall.download(store, "k", tmp_path / "f", progress=bar)
        assert theirs.tasks[0].completed == theirs.tasks[0].total == len(DATA)
    with pytest.raises(TypeError, match="console"):
        holdall.progress.rich(theirs, console=shown)


@pytest.mark.parametrize("name", ["tqdm", "rich"])
def test_a_missing_library_is_named(monkeypatch, name):
    original = builtins.__import__

    def absent(module, *arguments, **options):
        if module.split(".")[0] == name:
            raise ImportError(module)
        return original(module, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match=f"pip install {name}"):
        getattr(holdall.progress, name)()


def test_names_are_there_before_they_are_imported():
    script = (
        "import holdall, sys; assert 'asyncio' not in sys.modules and 'dataclasses' not in sys.modules;"
        "assert 'sync' in dir(holdall); from holdall import *; import holdall._transfer as t;"
        "assert set(t.__all__) == set(holdall._TRANSFERS); assert all(hasattr(holdall, n) for n in holdall.__all__)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
