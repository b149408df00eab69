"""Other libraries that take stores: by obstore's pickling contract (in Rust), or by the protocols of obspec.

Those that ask for a module named `obstore` run in a process of their own, with `holdall.compat` in its place.
"""

from __future__ import annotations

import asyncio
import json
import struct
import subprocess
import sys
import textwrap

import pytest

import holdall
from holdall.store import LocalStore, MemoryStore

PIXELS = bytes(range(256))


def a_tiff() -> bytes:
    """Return an image of one tile of 16 by 16 grey pixels."""
    tags = {256: 16, 257: 16, 258: 8, 259: 1, 262: 1, 277: 1, 284: 1, 322: 16, 323: 16}
    tags |= {324: 8, 325: len(PIXELS), 339: 1}
    # Offsets are LONG, all others SHORT.
    kinds = {324: 4, 325: 4}
    entries = [
        struct.pack("<HHII", tag, kinds.get(tag, 3), 1, value)
        for tag, value in sorted(tags.items())
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return struct.pack("<2sHI", b"II", 42, 8 + len(PIXELS)) + PIXELS + directory


def test_async_tiff(store):
    async_tiff = pytest.importorskip("async_tiff")
    store.put("dir/image.tif", a_tiff())

    async def main():
        image = await async_tiff.TIFF.open("dir/image.tif", store=store)
        tile = await image.fetch_tile(0, 0, 0)
        return image.ifds[0].image_width, bytes(memoryview(tile.compressed_bytes))

    assert asyncio.run(main()) == (16, PIXELS)


def test_geoarrow_rust_io(tmp_path, s3_store):
    geoarrow = pytest.importorskip("geoarrow.rust.io")
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    point = struct.pack("<BIdd", 1, 1, 2.0, 3.0)
    column = {"encoding": "WKB", "geometry_types": ["Point"]}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    table = pyarrow.table({"geometry": [point] * 3})
    table = table.replace_schema_metadata({"geo": json.dumps(geo)})
    for store in (LocalStore(tmp_path), s3_store):
        with holdall.open_writer(store, "table.parquet") as file:
            parquet.write_table(table, file)
        assert geoarrow.GeoParquetFile.open("table.parquet", store=store).num_rows == 3


def test_obspec_utils(store):
    readers = pytest.importorskip("obspec_utils.readers")
    from obspec_utils.glob import glob
    from obspec_utils.wrappers import CachingReadableStore

    store.put("a/k.bin", PIXELS * 1000)
    for reader in (
        readers.BufferedStoreReader,
        readers.EagerStoreReader,
        readers.BlockStoreReader,
    ):
        file = reader(store, "a/k.bin")
        file.seek(256 * 7 + 5)
        assert file.read(3) == bytes([5, 6, 7])
    assert list(glob(store, "a/*.bin")) == ["a/k.bin"]
    cached = CachingReadableStore(store)
    assert bytes(cached.get("a/k.bin").buffer()) == PIXELS * 1000
    store.delete("a/k.bin")
    assert bytes(cached.get_range("a/k.bin", start=1, length=3)) == b"\x01\x02\x03"


def test_obspec_utils_registry():
    registry = pytest.importorskip("obspec_utils.registry")
    store = MemoryStore()
    known = registry.ObjectStoreRegistry({"memory://": store})
    found, path = known.resolve("memory:///a/b")
    assert found is store and path == "a/b"


def test_virtualizarr(tmp_path):
    pytest.importorskip("virtualizarr")
    pytest.importorskip("xarray")
    script = f"""
        import holdall.compat
        holdall.compat.install()
        import numpy, virtualizarr, xarray
        from obspec_utils.registry import ObjectStoreRegistry
        from obstore.store import LocalStore
        from virtualizarr.parsers import ZarrParser

        url = "file://{tmp_path}/z.zarr"
        data = xarray.Dataset({{"a": (("x", "y"), numpy.arange(100.0).reshape(10, 10))}})
        data.to_zarr({str(tmp_path / "z.zarr")!r}, zarr_format=3, consolidated=False)
        registry = ObjectStoreRegistry({{"file://": LocalStore()}})
        virtual = virtualizarr.open_virtual_dataset(url, registry=registry, parser=ZarrParser())
        assert type(virtual.a.data).__name__ == "ManifestArray"
        manifests = ZarrParser()(url, registry=registry)
        with xarray.open_zarr(manifests, consolidated=False, zarr_format=3) as read:
            print(int(read.a.sum()), LocalStore is holdall.store.LocalStore)
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "4950 True\n", done.stderr
