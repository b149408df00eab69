"""The main job: assets on several services at once, into a folder and into a bucket; killed, continued, verified."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

import holdall
from holdall import stac
from holdall.store import AzureStore

from .helpers import Request, make_item

_DOWNLOAD = """
import json, sys
from holdall import stac
stac.blocking.download_item(json.load(open(sys.argv[1])), sys.argv[2])
"""


def needed(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        pytest.skip(f"{name} is not set: run services/up and source .services/env")
    return value


@pytest.fixture
def web():
    """Return a folder of the web server and its name there."""
    name = f"stac-{uuid.uuid4().hex}"
    folder = Path(needed("HOLDALL_TEST_HTTP_ROOT")) / name
    folder.mkdir()
    yield folder, name
    shutil.rmtree(folder)


@pytest.fixture
def azure(monkeypatch):
    """Return a store on Azurite, and set the environment up for it."""
    settings = {
        "AZURE_STORAGE_ACCOUNT_NAME": needed("HOLDALL_TEST_AZURE_ACCOUNT"),
        "AZURE_STORAGE_ACCOUNT_KEY": needed("HOLDALL_TEST_AZURE_KEY"),
        "AZURE_STORAGE_ENDPOINT": needed("HOLDALL_TEST_AZURE_ENDPOINT"),
        "AZURE_ALLOW_HTTP": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    container = needed("HOLDALL_TEST_AZURE_CONTAINER")
    store = AzureStore(container, prefix=f"stac-{uuid.uuid4().hex}")
    yield store
    holdall.delete_prefix(store)


def described(data: bytes, href: str) -> dict[str, object]:
    checksum = "1220" + hashlib.sha256(data).hexdigest()
    return {"href": href, "file:size": len(data), "file:checksum": checksum}


async def test_from_three_services_into_a_folder_and_a_bucket(
    web, s3_store, s3_environment, azure, tmp_path
):
    folder, name = web
    contents = {key: os.urandom(9 << 20) for key in ("web", "bucket", "container", "signed")}
    (folder / "web.bin").write_bytes(contents["web"])
    s3_store.put("bucket.bin", contents["bucket"])
    azure.put("container.bin", contents["container"])
    azure.put("signed.bin", contents["signed"])
    hrefs = {
        "web": f"{needed('HOLDALL_TEST_HTTP_URL')}/{name}/web.bin",
        "bucket": f"s3://test-bucket/{s3_store.prefix}/bucket.bin",
        "container": f"az://{needed('HOLDALL_TEST_AZURE_CONTAINER')}/{azure.prefix}/container.bin",
        "signed": holdall.sign(azure, "GET", "signed.bin", timedelta(hours=1)),
    }
    item = make_item("all", {key: described(contents[key], href) for key, href in hrefs.items()})
    document = {"type": "FeatureCollection", "features": [item]}
    await stac.download_item_collection(document, tmp_path)
    for key, data in contents.items():
        assert (tmp_path / "all" / f"{key}.bin").read_bytes() == data
    target = f"s3://test-bucket/{s3_store.prefix}/copy"
    copied = await stac.copy_item_collection(document, target)
    for key, data in contents.items():
        assert bytes(s3_store.get(f"copy/all/{key}.bin").bytes()) == data
    saved = json.loads(bytes(s3_store.get("copy/item-collection.json").bytes()))
    assert saved == copied
    assert [asset.error for asset in await stac.verify(saved)] == [None] * 4


async def test_a_killed_download_is_continued(server, tmp_path):
    data = os.urandom(96 << 20)  # twelve parts, eight of them at once
    href = server.add("/big.bin", data)
    plain = server._reply

    def slow(request):
        reply = plain(request)
        reply.pause = 0.02
        return reply

    server._reply = slow
    item = make_item("big", {"big": described(data, href)})
    document, out = tmp_path / "item.json", tmp_path / "out"
    document.write_text(json.dumps(item))
    process = subprocess.Popen([sys.executable, "-c", _DOWNLOAD, str(document), str(out)])
    try:
        while process.poll() is None and server.bodies < 8:
            time.sleep(0.02)
        assert process.poll() is None, "the download ended before it could be killed"
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    # Nothing has its name before it is whole.
    assert not (out / "big.bin").exists() and not (out / "big.json").exists()
    server._reply = plain
    asked = len(server.seen)
    await stac.download_item(item, out)
    assert (out / "big.bin").read_bytes() == data
    assert sorted(path.name for path in out.iterdir()) == ["big.bin", "big.json"]
    assert transferred(server.seen[asked:], len(data)) < len(data)


def transferred(requests: list[Request], size: int) -> int:
    """Return how many bytes were asked for."""
    total = 0
    for request in requests:
        span = request.headers.get("range")
        if request.method == "GET" and span is not None:
            first, _, last = span.removeprefix("bytes=").partition("-")
            total += min(int(last or size), size - 1) - int(first) + 1
        elif request.method == "GET":
            total += size
    return total
