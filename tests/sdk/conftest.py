"""AIStore's official SDK, unchanged, as a client of ``holdall serve``.

The same tests run with three generations of the SDK (``run.py``), and against a real cluster whose address is in
``HOLDALL_TEST_AIS_ENDPOINT``.
"""

import io
import os
import subprocess
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from aistore.sdk import Bucket, Client
from aistore.sdk.errors import AISError

PROJECT = Path(__file__).resolve().parents[2]

#: The generation of the SDK.
SDK = tuple(int(part) for part in version("aistore").split("."))

#: Whether this is a cluster of AIStore's own.
REAL = "HOLDALL_TEST_AIS_ENDPOINT" in os.environ

since_batch = pytest.mark.skipif(SDK < (1, 17), reason="this generation of the SDK has no batch")


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the cluster: a server of our own in a new folder, unless another is named."""
    if named := os.environ.get("HOLDALL_TEST_AIS_ENDPOINT"):
        yield named
        return
    program = os.environ.get("HOLDALL_BIN", PROJECT / "target" / "debug" / "holdall")
    command = [program, "serve", "--listen", "127.0.0.1:0", "--log", "warn"]
    folder = tmp_path_factory.mktemp("data")
    with subprocess.Popen(
        [*command, "--data", folder], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout
        yield server.stdout.readline().strip()
        server.terminate()


@pytest.fixture(scope="session")
def client(endpoint: str) -> Client:
    return Client(endpoint)


@pytest.fixture
def new_bucket(client: Client) -> Iterator[Callable[[], Bucket]]:
    """Makes buckets that are gone at the end of the test."""
    buckets = []

    def make() -> Bucket:
        bucket = client.bucket(f"sdk-{uuid.uuid4().hex[:12]}")
        bucket.create()
        buckets.append(bucket)
        return bucket

    yield make
    for bucket in buckets:
        bucket.delete(missing_ok=True)


@pytest.fixture
def bucket(new_bucket: Callable[[], Bucket]) -> Bucket:
    return new_bucket()


def put(bucket: Bucket, name: str, content: bytes) -> None:
    bucket.object(name).get_writer().put_content(content)


def get(bucket: Bucket, name: str) -> bytes:
    return bucket.object(name).get_reader().read_all()


def fill(bucket: Bucket, names: list[str]) -> dict[str, bytes]:
    """Puts an object of each name; their contents."""
    contents = {name: f"content of {name}".encode() for name in names}
    for name, content in contents.items():
        put(bucket, name, content)
    return contents


def names(bucket: Bucket, prefix: str = "") -> list[str]:
    return [entry.name for entry in bucket.list_all_objects(prefix=prefix)]


def pack(files: dict[str, bytes], mode: str = "w") -> bytes:
    """A tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def unpack(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:*") as tar:
        return {info.name: tar.extractfile(info).read() for info in tar if info.isfile()}


def ids(started: Any) -> list[str]:
    """The ids that starting a job returned: text, or a list since 1.15."""
    return started if isinstance(started, list) else started.split(",")


def wait(client: Client, started: Any) -> Any:
    """Waits until jobs have ended, in a way that all generations have; the last one's status."""
    for job_id in ids(started):
        while not (status := status_of(client, job_id)) or not status.end_time:
            time.sleep(0.02)
    return status


def status_of(client: Client, job_id: str) -> Any:
    """A job's status; none as long as a cluster has not heard of it from its targets."""
    try:
        return client.job(job_id).status()
    except AISError as error:
        if REAL and "does not exist" in str(error):
            return None
        raise


def refused(call: Callable[[], Any]) -> AISError:
    with pytest.raises(AISError) as caught:
        call()
    return caught.value
