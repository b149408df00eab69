"""ETL with the official SDK: classes and standard transformers, run by the server as processes."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aistore.sdk import Bucket, Client
from conftest import PROJECT, SDK, fill, get, names, put, refused, wait
from PIL import Image

pytestmark = [
    pytest.mark.skipif(
        "HOLDALL_TEST_AIS_ENDPOINT" in os.environ, reason="needs a server that allows ETL"
    ),
    pytest.mark.skipif(SDK < (1, 20), reason="this generation of the SDK has other ETLs"),
]

if SDK >= (1, 20):
    from aistore.sdk.etl import ETLConfig
    from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that allows transformers."""
    program = os.environ.get("HOLDALL_BIN", PROJECT / "target" / "debug" / "holdall")
    folder = tmp_path_factory.mktemp("data")
    command = [program, "serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data", folder]
    with subprocess.Popen(
        [*command, "--allow-etl", "--etl-python", sys.executable],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout
        yield server.stdout.readline().strip()
        server.terminate()


@pytest.fixture(scope="module")
def client(endpoint: str) -> Client:
    return Client(endpoint)


def runners() -> list[int]:
    """The processes of this test's transformers."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        mine = words[0] == sys.executable.encode()
        if mine and any(b"/runner-" in word for word in words) and b"class" in words:
            found.append(int(line.parent.name))
    return found


def picture(number: int) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (64 + number, 48), (number, 2 * number, 90)).save(content, "PNG")
    return content.getvalue()


def test_pictures_while_their_transformer_is_killed(client: Client, new_bucket) -> None:
    source, target = new_bucket(), new_bucket()
    for number in range(120):
        put(source, f"{number:03}.png", picture(number))
    with client.etl("etl-thumbnails") as etl:

        @etl.init_class(NUM_WORKERS="2")
        class Thumbnails(HTTPMultiThreadedServer):
            def transform(self, data: bytes, path: str, etl_args: str) -> bytes:
                import io
                import time

                from PIL import Image

                time.sleep(0.05)
                image = Image.open(io.BytesIO(data))
                result = io.BytesIO()
                image.resize((image.width // 2, image.height // 2)).save(result, "PNG")
                return result.getvalue()

        over = threading.Event()
        kills = []

        def kill() -> None:
            while not over.wait(0.7):
                for process in runners()[-1:]:
                    os.kill(process, signal.SIGKILL)
                    kills.append(process)

        killing = threading.Thread(target=kill)
        killing.start()
        try:
            status = wait(client, source.transform("etl-thumbnails", target, num_workers=4))
        finally:
            over.set()
            killing.join()
        assert not status.err
        assert kills
        entries = target.list_all_objects(props="name,version")
        assert [entry.name for entry in entries] == [f"{n:03}.png" for n in range(120)]
        assert {entry.version for entry in entries} == {"1"}
        for number in range(120):
            image = Image.open(io.BytesIO(get(target, f"{number:03}.png")))
            assert image.size == ((64 + number) // 2, 24)
    # Ended with their ETL.
    while runners():
        time.sleep(0.05)


def test_half_of_the_objects_fail(client: Client, new_bucket) -> None:
    source, target = new_bucket(), new_bucket()
    fill(source, [f"object-{number}" for number in range(40)])
    with client.etl("etl-half-fails") as etl:

        @etl.init_class()
        class Half(HTTPMultiThreadedServer):
            def transform(self, data: bytes, path: str, etl_args: str) -> bytes:
                if int(path.rsplit("-", 1)[1]) % 2:
                    raise ValueError(f"{path} is odd")
                return data.upper()

        job = source.transform("etl-half-fails", target, cont_on_err=True)
        status = wait(client, job)
        assert "and 19 more errors" in status.err
        assert len(names(target)) == 20
        assert get(target, "object-4") == b"CONTENT OF OBJECT-4"
        failed = {error.obj_name for error in etl.view(job_id=job).obj_errors}
        assert failed == {f"ais://{source.name}/object-{n}" for n in range(1, 40, 2)}
        # The server of the class says no more than that to its clients, and the reason to its log.
        assert "is odd" in etl.logs()[0].logs if SDK >= (1, 23) else True


def test_standard_transformers_and_chains(client: Client, bucket: Bucket) -> None:
    put(bucket, "o", b"content")
    with client.etl("etl-sum-of-it") as etl:
        etl.init(image="aistorage/transformer_md5:latest")
        reader = bucket.object("o").get_reader(etl=ETLConfig("etl-sum-of-it"))
        assert reader.read_all() == b"9a0364b9e99bb480dd25e1f0284c8555"
        with client.etl("etl-greeting") as greeting:
            greeting.init(image="aistorage/transformer_hello_world:latest")
            chain = bucket.object("o").get_reader(etl=ETLConfig(greeting >> etl))
            assert chain.read_all() == b"ed076287532e86365e841e92bfc50d8c"


def test_what_cannot_run_says_why(client: Client) -> None:
    other = refused(lambda: client.etl("etl-other").init(image="someone/image:1"))
    assert "the operation requires Kubernetes" in str(other)
    etl = client.etl("etl-lacks")

    def init() -> None:
        @etl.init_class(os_packages=["no-such-package"])
        class Lacks(HTTPMultiThreadedServer):
            def transform(self, data: bytes, path: str, etl_args: str) -> bytes:
                return data

    assert "no-such-package" in str(refused(init))
    assert [info.stage for info in client.cluster().list_etls(stages=["Aborted"])] == ["Aborted"]
    etl.delete()
