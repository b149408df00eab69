"""Uploads, copies, descriptions, verification and partial reads; blocking calls; the interface of stac-asset."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import itertools
import json
from urllib.parse import quote

import pytest

import holdall
import holdall.compat
from holdall import stac
from holdall.stac import Config

from .helpers import Reply, make_item

pystac = pytest.importorskip("pystac", reason="pystac is not installed")


@pytest.fixture(params=["pystac", "dict"])
def form(request):
    """Both kinds of documents in turn."""
    return (lambda item: item) if request.param == "dict" else pystac.Item.from_dict


def as_dict(item):
    return item if isinstance(item, dict) else item.to_dict(transform_hrefs=False)


async def test_upload_describes_its_files(item, form, tmp_path):
    done = await stac.upload_item(
        form(item), tmp_path / "store", config=Config(keep_alternate="origin")
    )
    asset = as_dict(done)["assets"]["data"]
    data = b"image" * 1000
    assert asset["file:size"] == 5000
    assert asset["file:checksum"] == "1220" + hashlib.sha256(data).hexdigest()
    assert asset["href"] == str(tmp_path / "store/image.tif")
    assert asset["alternate"]["origin"]["href"].endswith("/data/image.tif")
    saved = json.loads((tmp_path / "store/one.json").read_text())
    assert any("/file/" in schema for schema in saved["stac_extensions"])
    assert [found.error for found in await stac.verify(saved)] == [None, None]
    (tmp_path / "store/image.tif").write_bytes(b"x" * 5000)
    wrong = {found.key: found.error for found in await stac.verify(saved)}
    assert isinstance(wrong["data"], stac.IntegrityError) and wrong["meta"] is None
    assert [found.error for found in await stac.verify(saved, content=False)] == [None, None]


async def test_limits_of_the_process_count(server, tmp_path):
    before = holdall.get_limits()
    large = server.add("/large.bin", bytes(9 << 20))
    holdall.set_limits(memory=1 << 20)
    try:
        with pytest.raises(stac.DownloadError, match="raise the budget"):
            await stac.download_item(make_item("one", {"large": {"href": large}}), tmp_path)
    finally:
        holdall.set_limits(memory=before.memory)
    await stac.download_item(make_item("one", {"large": {"href": large}}), tmp_path)
    assert (tmp_path / "large.bin").stat().st_size == 9 << 20


async def test_copy_between_stores(item, form, s3_store, monkeypatch, s3_environment, tmp_path):
    base = f"s3://test-bucket/{s3_store.prefix}"
    first = await stac.copy_item(form(item), f"{base}/a")
    assert as_dict(first)["assets"]["data"]["href"] == f"{base}/a/image.tif"
    second = await stac.copy_item(first, f"{base}/b", hrefs="relative")
    assert as_dict(second)["assets"]["data"]["href"] == "./image.tif"
    assert bytes(s3_store.get("b/image.tif").bytes()) == b"image" * 1000
    assert s3_store.get("b/image.tif").attributes["Content-Type"].startswith("image/tiff")
    saved = json.loads(bytes(s3_store.get("b/one.json").bytes()))
    with stac.open_asset(saved["assets"]["data"] | {"href": f"{base}/b/image.tif"}) as file:
        file.seek(-5, 2)
        assert file.read() == b"image"


async def test_a_directory_as_seen_from_here(item, form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = await stac.download_item(form(item), "out")
    saved = json.loads((tmp_path / "out/one.json").read_text())
    for found in (as_dict(done), saved):
        assert found["assets"]["data"]["href"] == "./image.tif"
        own = [link["href"] for link in found["links"] if link["rel"] == "self"]
        assert own == [str(tmp_path / "out/one.json")]
    copied = await stac.copy_item(done, "again")
    assert (tmp_path / "again/image.tif").read_bytes() == b"image" * 1000
    assert [found.error for found in await stac.verify(as_dict(copied))] == [None, None]
    with stac.open_asset(tmp_path / "out" / "image.tif") as file:
        assert file.read(5) == b"image"


async def test_copy_of_many(server, tmp_path):
    document = {
        "type": "FeatureCollection",
        "features": [
            make_item(name, {"x": server.add(f"/{name}/x", name.encode())}) for name in "ab"
        ],
    }
    for form, target in ((dict, "d"), (pystac.ItemCollection.from_dict, "p")):
        done = await stac.copy_item_collection(form(document), tmp_path / target)
        assert (tmp_path / target / "b/x").read_bytes() == b"b"
        assert (tmp_path / target / "item-collection.json").exists()
        found = done["features"] if isinstance(done, dict) else [i.to_dict() for i in done.items]
        assert found[0]["assets"]["x"]["href"] == str(tmp_path / target / "a/x")


async def test_a_catalog_that_can_be_moved(server, tmp_path):
    document = {
        "type": "FeatureCollection",
        "features": [
            make_item(name, {"x": server.add(f"/{name}/x", name.encode())}) for name in "ab"
        ],
    }
    await stac.copy_item_collection(document, tmp_path / "first", hrefs="self-contained")
    (tmp_path / "first").rename(tmp_path / "second")
    catalog = tmp_path / "second/catalog.json"
    assert not (tmp_path / "second/item-collection.json").exists()
    items = [item async for item in stac.crawl(catalog)]
    assert [item["id"] for item in items] == ["a", "b"]
    for found in items:
        assert found["assets"]["x"]["href"] == "./x"
        assert [asset.error for asset in await stac.verify(found)] == [None]
        with stac.open_asset(stac_asset(found)) as file:
            assert file.read() == found["id"].encode()


def stac_asset(item):
    """Return the asset of an item as pystac has it, with its owner."""
    return pystac.Item.from_dict(item).assets["x"]


async def test_a_plan_moves_nothing(item, form, server, tmp_path):
    planned = stac.plan(form(item), tmp_path / "out", config=Config(include=["d*"]))
    (asset,) = planned
    assert (asset.owner_id, asset.key) == ("one", "data")
    assert asset.href == item["assets"]["data"]["href"]
    assert asset.target == str(tmp_path / "out/image.tif")
    assert server.seen == [] and not (tmp_path / "out").exists()
    clash = make_item("i", {"a": f"{server.url}/1/x", "b": f"{server.url}/2/x"})
    with pytest.raises(stac.AssetOverwriteError):
        stac.plan(clash, tmp_path)


async def test_a_document_does_not_overwrite_an_asset(server, form, tmp_path):
    item = make_item("one", {"meta": server.add("/one.json", b"{}")})
    with pytest.raises(stac.AssetOverwriteError):
        await stac.download_item(form(item), tmp_path)
    assert list(tmp_path.iterdir()) == [] and server.seen == []
    await stac.download_item(form(item), tmp_path, file_name="other.json")
    assert (tmp_path / "one.json").read_bytes() == b"{}"


async def test_a_document_stays_in_its_directory(server, form, tmp_path):
    item = make_item("one", {"a": server.add("/a", b"a")})
    with pytest.raises(stac.PathEscapeError):
        await stac.download_item(form(item), tmp_path / "out", file_name="../one.json")
    many = {"type": "FeatureCollection", "features": [item]}
    many = many if form(item) is item else pystac.ItemCollection.from_dict(many)
    with pytest.raises(stac.PathEscapeError):
        await stac.download_item_collection(many, tmp_path / "out", file_name="../items.json")
    assert list(tmp_path.iterdir()) == [] and server.seen == []


async def test_a_store_in_memory_is_found_by_its_name(item, form):
    done = await stac.download_item(form(item), "memory://by-name/p", infer_file_name=False)
    assets = done.assets if isinstance(done, pystac.Item) else done["assets"]
    asset = assets["meta"]
    href = asset["href"] if isinstance(asset, dict) else asset.href
    assert href == "memory://by-name/p/meta.txt"
    assert await stac.read_href(href) == b"meta"


async def test_names_are_keys_as_they_are(form, tmp_path):
    names = ["ä #1?.tif", "100%.tif", "a%20b.tif", "~a[1]{2}.tif", "q\"'<>.tif"]
    for name in names:
        (tmp_path / name).write_text(name)
    item = make_item("ï #1", {str(n): str(tmp_path / name) for n, name in enumerate(names)})
    await stac.upload_item(form(item), "memory://odd-names/pre fix")
    await stac.download_item(form(item), "memory://odd-names/down")
    for folder, name in itertools.product(("pre fix", "down"), names):
        assert await stac.read_href(f"memory://odd-names/{folder}/{quote(name)}") == name.encode()
    for folder in ("pre fix", "down"):
        read = await stac.read_document(f"memory://odd-names/{folder}/ï %231.json")
        assert [row.error for row in await stac.verify(read)] == [None] * len(names)
    await stac.download_item_collection(
        {"type": "FeatureCollection", "features": [read]}, tmp_path / "out"
    )
    assert {path.name for path in (tmp_path / "out/ï #1").iterdir()} == {*names}


async def test_info(item, form, server):
    item["assets"]["gone"] = {
        "href": f"{server.url}/gone",
        "alternate": {"s3": {"href": "s3://b/k"}},
    }
    found = {asset.key: asset for asset in await stac.info(form(item))}
    assert (found["data"].exists, found["data"].size, found["data"].client) == (True, 5000, "http")
    assert found["gone"].exists is False and found["gone"].error.status == 404
    assert found["gone"].alternates == ["s3"]
    asked = len(server.seen)
    assert all(asset.exists is None for asset in await stac.info(form(item), offline=True))
    assert len(server.seen) == asked


async def test_a_catalog_has_nothing_to_be_described():
    catalog = {
        "type": "Catalog",
        "stac_version": "1.1.0",
        "id": "c",
        "description": "",
        "links": [],
    }
    for look in (stac.info, stac.verify):
        with pytest.raises(ValueError, match="crawl"):
            await look(catalog)


async def test_names_of_local_files_are_taken_as_they_are(form, tmp_path):
    names = ["a#b.txt", "a?b.txt", "a%20b.txt"]
    for name in names:
        (tmp_path / name).write_text(name)
    item = make_item("odd", {name: str(tmp_path / name) for name in names})
    done = as_dict(await stac.download_item(form(item), tmp_path / "out"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [*names, "odd.json"]
    )
    assert {key: asset["href"] for key, asset in done["assets"].items()} == {
        name: f"./{name}" for name in names
    }
    # An encoded name is one where there is no file of the name itself.
    (tmp_path / "c d.txt").write_text("c d")
    item = make_item("encoded", {"a": str(tmp_path / "c%20d.txt")})
    await stac.download_item(form(item), tmp_path / "decoded")
    assert (tmp_path / "decoded/c%20d.txt").read_text() == "c d"


@pytest.mark.parametrize("template", [".", ""])
async def test_items_may_share_a_directory(template, server, tmp_path):
    items = [make_item(id, {"a": server.add(f"/{id}.bin", id.encode())}) for id in "xy"]
    collection = {"type": "FeatureCollection", "features": items}
    for form in (pystac.ItemCollection.from_dict, lambda collection: collection):
        out = tmp_path / form.__name__.strip("<>")
        await stac.download_item_collection(form(collection), out, path_template=template)
        assert sorted(path.name for path in out.iterdir()) == [
            "item-collection.json", "x.bin", "y.bin",
        ]  # fmt: skip


async def test_numbers_that_json_lacks_stay(form, server, tmp_path):
    item = make_item("nan", {"a": {"href": server.add("/a.bin", b"a"), "nodata": float("nan")}})
    done = as_dict(await stac.download_item(form(item), tmp_path))
    assert done["assets"]["a"]["nodata"] != done["assets"]["a"]["nodata"]
    assert "NaN" in (tmp_path / "nan.json").read_text()
    assert (await stac.read_document(tmp_path / "nan.json"))["id"] == "nan"


async def test_partial_reads(server):
    data = bytes(range(256)) * 100
    href = server.add("/x.bin", data)
    with stac.open_asset({"href": href}, buffer_size=1000) as file:
        assert (file.seekable(), file.raw.size) == (True, len(data))
        assert file.read(4) == data[:4]
        file.seek(20_000)
        assert file.read(300) == data[20_000:20_300]
        ranges = await file.raw.read_ranges([0, 500, 25_599], [10, 600, 99_999])
        assert ranges == [data[:10], data[500:600], data[25_599:]]
        with pytest.raises(ValueError):
            file.raw.seek(-1)
        end = len(data)
        starts, ends = [5, end, end + 5, end - 1], [5, end + 1, end + 9, end]
        assert await file.raw.read_ranges(starts, ends) == [b"", b"", b"", data[-1:]]
        for start, end in [(-1, 5), (5, 4)]:
            with pytest.raises(ValueError, match=f"from {start} to {end}"):
                await file.raw.read_range(start, end)
    spans = [request.headers.get("range") for request in server.requests("/x.bin")]
    assert "bytes=0-25599" not in spans and any(span == "bytes=500-599" for span in spans)
    with pytest.raises(stac.HttpError):
        stac.open_asset(f"{server.url}/gone")


@pytest.mark.parametrize("place", ["http", "date", "local", "s3"])
async def test_a_file_that_changes_is_not_read_on(place, server, tmp_path, request):
    size = 3000
    if place == "local":
        href = str(tmp_path / "x.bin")
        put = (tmp_path / "x.bin").write_bytes
    elif place == "s3":
        store = request.getfixturevalue("s3_store")
        request.getfixturevalue("s3_environment")
        href = f"s3://test-bucket/{store.prefix}/x.bin"

        def put(data):
            return store.put("x.bin", data)

    else:
        href = f"{server.url}/x.bin"

        def put(data):
            server.add("/x.bin", data)

    if place == "date":
        # No tags, and none of the conditions of a request are known.
        def reply(request):
            data = server.files["/x.bin"]
            headers = {"Last-Modified": f"Thu, 05 Mar 2026 10:20:{data[0] % 60:02} GMT"}
            span = request.headers.get("range")
            if span is None:
                return Reply(data, 200, headers)
            start, end = map(int, span.removeprefix("bytes=").split("-"))
            headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            return Reply(data[start : end + 1], 206, headers)

        server.handlers["/x.bin"] = reply
    put(b"1" * size)
    with stac.open_asset(href, buffer_size=100) as file:
        assert file.read(10) == b"1" * 10
        assert await file.raw.read_range(500, 510) == b"1" * 10
        put(b"2" * size)
        file.seek(2000)
        with pytest.raises(OSError, match="changed while it was read"):
            file.read(10)
        with pytest.raises(OSError, match="changed while it was read"):
            await file.raw.read_range(0, 10)
    with stac.open_asset(href) as file:
        assert file.read() == b"2" * size


async def test_a_closed_file_is_not_read(server):
    href = server.add("/x.bin", b"x" * 300_000)
    with stac.open_asset(href, buffer_size=0) as file:
        assert isinstance(file, stac.AssetFile)
        assert (file.read(5), file.tell()) == (b"xxxxx", 5)
        assert len(file.read()) == 299_995
    assert len(server.requests("/x.bin")) == 3
    for use in (file.tell, file.read, file.readall, lambda: file.seek(0)):
        with pytest.raises(ValueError, match="closed"):
            use()
    with pytest.raises(ValueError, match="closed"):
        await file.read_range(0, 5)
    with pytest.raises(ValueError, match="closed"):
        await file.read_ranges([0], [5])


async def test_documents_that_are_looked_at_stay_as_they_are(server, tmp_path):
    server.add("/in/x", b"x")
    item = make_item("a", {"x": {"href": "./x"}})
    item["links"] = [{"rel": "self", "href": f"{server.url}/in/a.json"}]
    items = pystac.ItemCollection.from_dict({"type": "FeatureCollection", "features": [item]})
    before = items.to_dict()
    (planned,) = stac.plan(items, tmp_path)
    assert planned.href == f"{server.url}/in/x"
    assert [found.error for found in await stac.info(items)] == [None]
    assert [found.error for found in await stac.verify(items)] == [None]
    assert items.to_dict() == before
    # What has no place is a row, in a collection as alone.
    item["links"] = []
    items = pystac.ItemCollection.from_dict({"type": "FeatureCollection", "features": [item]})
    for document in (items, items.items[0], item):
        (found,) = await stac.info(document)
        assert "relative href" in str(found.error)
        with pytest.raises(ValueError, match="relative href"):
            stac.plan(document, tmp_path)


async def test_what_is_no_document_is_said(item, tmp_path):
    for wrong in ([item], "item.json", None):
        for call in (
            stac.verify(wrong),
            stac.info(wrong),
            stac.upload_item(wrong, tmp_path),
            stac.upload_item_collection(wrong, tmp_path),
        ):
            with pytest.raises(TypeError, match="expected a pystac object or a dictionary"):
                await call


async def test_what_is_in_a_store_is_the_file_that_is_meant(
    s3_store, monkeypatch, s3_environment, tmp_path
):
    source, target = tmp_path / "a.txt", f"s3://test-bucket/{s3_store.prefix}"
    for content in (b"AAA", b"BBB"):
        source.write_bytes(content)
        sha256 = "1220" + hashlib.sha256(content).hexdigest()
        asset = {"href": str(source), "file:size": 3, "file:checksum": sha256}
        await stac.copy_item(make_item("one", {"a": asset}), target)
        assert bytes(s3_store.get("a.txt").bytes()) == content
    source.write_bytes(b"longer")
    plain = make_item("one", {"a": {"href": str(source)}})
    await stac.copy_item(plain, target)
    assert bytes(s3_store.get("a.txt").bytes()) == b"longer"
    again = await stac.upload_item(plain, target)
    assert again["assets"]["a"]["file:checksum"] == "1220" + hashlib.sha256(b"longer").hexdigest()


async def test_blocking_calls_inside_of_a_loop(item, tmp_path):
    stac.blocking.download_item(item, tmp_path)
    assert (tmp_path / "one.json").exists()
    href = item["assets"]["meta"]["href"]
    assert stac.blocking.read_href(href) == b"meta"
    assert stac.blocking.asset_exists(item["assets"]["meta"])
    stac.blocking.download_file(href, tmp_path / "copy")
    with pytest.raises(stac.HttpError):
        stac.blocking.assert_asset_exists({"href": href + "x"})


def test_exceptions_survive_pickling():
    import pickle

    for error in (
        stac.ContentTypeError("a", "b"),
        stac.AssetOverwriteError(["a"]),
        stac.DownloadError([ValueError("x")]),
        stac.IntegrityError("x"),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))


def peer():
    return pytest.importorskip("stac_asset", reason="stac-asset is not installed")


def parameters(function) -> list[tuple]:
    return [
        (parameter.name, parameter.kind, parameter.default)
        for parameter in inspect.signature(function).parameters.values()
    ]


def test_every_name_of_stac_asset_is_here():
    theirs = peer()
    assert set(theirs.__all__) <= set(stac.__all__)
    for name in (
        "blocking",
        "client",
        "config",
        "errors",
        "messages",
        "strategy",
        "types",
        "validate",
    ):
        module = __import__(f"stac_asset.{name}", fromlist=["x"])
        ours = __import__(f"holdall.stac.{name}", fromlist=["x"])
        public = [
            n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__
        ]
        assert [n for n in public if not n.startswith("_") and not hasattr(ours, n)] == []


@pytest.mark.parametrize(
    "name",
    [
        "download_item",
        "download_collection",
        "download_item_collection",
        "download_asset",
        "download_file",
        "assert_asset_exists",
        "asset_exists",
        "open_href",
        "read_href",
        "get_client_classes",
    ],
)
def test_signatures_are_those_of_stac_asset(name):
    theirs = peer()
    assert parameters(getattr(stac, name)) == parameters(getattr(theirs, name))
    blocking = importlib.import_module("stac_asset.blocking")
    if hasattr(blocking, name):
        ours, other = getattr(stac.blocking, name), getattr(blocking, name)
        assert parameters(ours) == parameters(other)


def test_the_configuration_begins_like_stac_asset_s():
    import dataclasses

    theirs = [field.name for field in dataclasses.fields(peer().Config)]
    ours = [field.name for field in dataclasses.fields(Config)]
    assert ours[: len(theirs)] == theirs
    mine, other = Config(), peer().Config()
    for name in theirs:
        a, b = getattr(mine, name), getattr(other, name)
        assert getattr(a, "value", a) == getattr(b, "value", b), name


def test_compat_stands_in_for_stac_asset():
    holdall.compat.install("stac_asset")
    try:
        import stac_asset
        import stac_asset.client
        from stac_asset.types import MessageQueue

        assert stac_asset.download_item is stac.download_item
        assert stac_asset.client.Clients and MessageQueue
    finally:
        holdall.compat.uninstall("stac_asset")
