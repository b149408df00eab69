"""Buckets as stores: with every function of `holdall`, in fsspec, Zarr and Arrow."""

from __future__ import annotations

import asyncio
import pickle

import pytest

import holdall
from holdall import compat
from holdall.exceptions import NotFoundError, NotSupportedError, UnknownConfigurationKeyError
from holdall.store import AISStore, from_url


def test_of_a_bucket(bucket):
    store = bucket.as_store()
    holdall.put(store, "dir/a", b"abc")
    assert bucket.object("dir/a").get_reader().read_all() == b"abc"
    assert bytes(holdall.get(store, "dir/a").bytes()) == b"abc"
    assert bytes(holdall.get_range(store, "dir/a", start=1, length=1)) == b"b"
    below = bucket.as_store("dir")
    assert [m["path"] for m in below.list().collect()] == ["a"]
    assert below.prefix == "dir"
    again = pickle.loads(pickle.dumps(below))
    assert again == below
    assert bytes(again.get("a").bytes()) == b"abc"
    assert repr(below) == f'AISStore("ais://{bucket.name}/dir")'
    with pytest.raises(FileNotFoundError) as caught:
        store.get("none")
    assert isinstance(caught.value, NotFoundError)
    with pytest.raises(NotSupportedError):
        holdall.put(store, "dir/a", b"", mode="create")


def test_of_a_url(bucket, endpoint, monkeypatch):
    bucket.object("x/y").get_writer().put_content(b"1")
    url = f"ais://{bucket.name}/x"
    store = from_url(url, endpoint=endpoint)
    assert (store.prefix, store.url) == ("x", f"ais://{bucket.name}")
    assert bytes(store.get("y").bytes()) == b"1"
    assert bytes(AISStore.from_url(url, config={"endpoint": endpoint}).get("y").bytes()) == b"1"
    assert bytes(AISStore(bucket.name, prefix="x", endpoint=endpoint).get("y").bytes()) == b"1"
    monkeypatch.setenv("AIS_ENDPOINT", endpoint)
    assert bytes(from_url(url).get("y").bytes()) == b"1"
    assert bytes(from_url(url).with_prefix("").get("y").bytes()) == b"1"
    with pytest.raises(UnknownConfigurationKeyError, match="endpunkt"):
        from_url(url, endpunkt=endpoint)


def test_secrets_are_not_shown(endpoint):
    from holdall.aistore import Client

    store = Client(endpoint, token="hush").bucket("b").as_store()
    assert "hush" not in repr(store) + str(store)


def test_many(bucket):
    bucket.put_many({f"k{i}": b"%d" % i for i in range(100)})
    assert [bytes(d) for d in bucket.get_many(f"k{i}" for i in range(100))] == [
        b"%d" % i for i in range(100)
    ]
    found = bucket.get_many(["k1", "none"], on_error="return")
    assert bytes(found[0]) == b"1"
    assert isinstance(found[1], NotFoundError)

    async def main() -> None:
        await bucket.put_many_async([("z", b"z")])
        assert [bytes(d) for d in await bucket.get_many_async(["z"])] == [b"z"]

    asyncio.run(main())


def test_arrow(bucket):
    pa = pytest.importorskip("pyarrow")
    bucket.put_many({"a": b"1", "dir/b": b"22"})
    table = pa.table(bucket.list_arrow(props="name,size,checksum"))
    assert table.column("name").to_pylist() == ["a", "dir/b"]
    assert table.column("size").to_pylist() == [1, 2]
    assert all(table.column("checksum").to_pylist())
    found = pa.table(asyncio.run(bucket.list_arrow_async(prefix="dir/")))
    assert found.num_rows == 1
    from holdall.aistore.errors import ErrBckNotFound

    missing = bucket.client and type(bucket)("no-such-bucket", bucket.client)
    with pytest.raises(ErrBckNotFound):
        missing.list_arrow()


def test_fsspec(bucket, endpoint):
    fsspec = pytest.importorskip("fsspec")
    from holdall.fsspec import register

    register("ais")
    files = fsspec.filesystem("ais", config={"endpoint": endpoint})
    files.pipe(f"{bucket.name}/dir/a", b"abc")
    assert files.cat(f"ais://{bucket.name}/dir/a") == b"abc"
    assert [e["name"] for e in files.ls(bucket.name, detail=True)] == [f"{bucket.name}/dir"]
    with fsspec.open(f"ais://{bucket.name}/b", "wb", config={"endpoint": endpoint}) as file:
        file.write(b"x" * 100)
    with fsspec.open(f"ais://{bucket.name}/b", "rb", config={"endpoint": endpoint}) as file:
        file.seek(90)
        assert file.read() == b"x" * 10


def test_zarr(bucket):
    zarr = pytest.importorskip("zarr")
    pytest.importorskip("numpy")
    # Zarr knows stores by the name of their module.
    compat.install("obstore")
    try:
        from zarr.storage import ObjectStore

        array = zarr.create_array(
            ObjectStore(bucket.as_store()), shape=(20, 20), chunks=(5, 5), dtype="f4"
        )
        array[:] = 2
        assert float(zarr.open_array(ObjectStore(bucket.as_store()))[:].sum()) == 800
    finally:
        compat.uninstall("obstore")


def test_transfers(bucket, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"a" * 1000)
    holdall.upload_dir(bucket.as_store(), "up", tmp_path / "in")
    holdall.download(bucket.as_store(), "up/a", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"a" * 1000
