"""Assets that are directories, for pystac objects and dictionaries."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from holdall import stac

from .helpers import make_item

FILES = {
    ".zgroup": b'{"zarr_format": 2}',
    ".zmetadata": json.dumps(
        {"metadata": {".zgroup": {}, "a/.zarray": {"shape": [4], "chunks": [2]}}}
    ).encode(),
    "a/.zarray": b'{"shape": [4], "chunks": [2]}',
    "a/0": b"zero",
    "a/1": b"one",
}


@pytest.fixture
def store(tmp_path) -> Path:
    """Return a Zarr store on the disk."""
    root = tmp_path / "from" / "x.zarr"
    for name, data in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def found(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


async def test_pystac_items_with_directories(store, server, tmp_path):
    pystac = pytest.importorskip("pystac", reason="pystac is not installed")
    for name, data in FILES.items():
        server.add(f"/d/y/{name}", data)
    assets = {
        "local": {"href": f"{store}/", "type": "application/vnd+zarr"},
        # Nothing but the hint says that it is a directory.
        "web": {"href": f"{server.url}/d/y", "xarray:open_kwargs": {"engine": "zarr"}},
    }
    out = tmp_path / "out"
    for again in (False, True):
        item = pystac.Item.from_dict(make_item("one", assets))
        messages = asyncio.Queue()
        item = await stac.download_item(item, out, messages=messages)
        told = [type(messages.get_nowait()).__name__ for _ in range(messages.qsize())]
        last = "SkipAssetDownload" if again else "FinishAssetDownload"
        assert told.count(last) == 2
        assert found(out / "x.zarr") == found(out / "y") == FILES
        assert {asset.href for asset in item.assets.values()} == {"./x.zarr", "./y"}
    assert sorted(path.name for path in out.iterdir()) == ["one.json", "x.zarr", "y"]


async def test_dictionaries_with_directories(store, tmp_path):
    item = make_item("one", {"z": {"href": str(store)}})
    copied = await stac.upload_item(item, tmp_path / "to")
    size = sum(map(len, FILES.values()))
    assert copied["assets"]["z"]["file:size"] == size
    assert "file:checksum" not in copied["assets"]["z"]
    (row,) = await stac.verify(copied)
    assert (row.exists, row.files, row.size, row.error) == (True, len(FILES), size, None)
    (tmp_path / "to" / "x.zarr" / "a" / "1").unlink()
    (row,) = await stac.verify(copied)
    assert isinstance(row.error, stac.IntegrityError)
    assert await stac.asset_exists(pystac_asset(str(store)))
    with pytest.raises(OSError, match=r"x\.zarr"):
        stac.open_asset(str(store))


def pystac_asset(href: str):
    pystac = pytest.importorskip("pystac", reason="pystac is not installed")
    return pystac.Asset(href=href)
