"""Downloads of pystac objects and of dictionaries, and what they leave on disk."""

from __future__ import annotations

import asyncio
import hashlib
import json
import warnings
from pathlib import Path

import pytest

from holdall import stac
from holdall.stac import Config, ErrorStrategy, FileNameStrategy

from .helpers import Reply, make_item

pystac = pytest.importorskip("pystac", reason="pystac is not installed")


@pytest.fixture(params=["pystac", "dict"])
def form(request):
    """Both kinds of documents in turn."""
    return (lambda item: item) if request.param == "dict" else pystac.Item.from_dict


def asset_href(item, key: str) -> str:
    return item["assets"][key]["href"] if isinstance(item, dict) else item.assets[key].href


def keys(item) -> list[str]:
    return list(item["assets"] if isinstance(item, dict) else item.assets)


def files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


async def test_item_is_downloaded_and_written(item, form, tmp_path):
    done = await stac.download_item(form(item), tmp_path / "out")
    written = files(tmp_path / "out")
    assert written.pop("one.json")
    assert written == {"image.tif": b"image" * 1000, "meta.txt": b"meta"}
    assert asset_href(done, "data") == "./image.tif"
    saved = json.loads((tmp_path / "out/one.json").read_text())
    assert saved["assets"]["data"]["href"] == "./image.tif"
    assert [link["href"] for link in saved["links"] if link["rel"] == "self"] == [
        str(tmp_path / "out/one.json")
    ]


async def test_without_a_file_name_only_assets_are_written(item, form, tmp_path):
    done = await stac.download_item(form(item), tmp_path, infer_file_name=False)
    assert sorted(files(tmp_path)) == ["image.tif", "meta.txt"]
    assert asset_href(done, "meta") == str(tmp_path / "meta.txt")


async def test_pystac_objects_are_changed_in_place_and_dictionaries_are_not(item, tmp_path):
    before = json.dumps(item)
    await stac.download_item(item, tmp_path / "a")
    assert json.dumps(item) == before
    thing = pystac.Item.from_dict(item)
    assert await stac.download_item(thing, tmp_path / "b") is thing


async def test_selection_and_what_was_not_selected(item, form, tmp_path):
    done = await stac.download_item(form(item), tmp_path / "a", config=Config(include=["meta"]))
    assert keys(done) == ["meta"]
    done = await stac.download_item(
        form(item), tmp_path / "b", config=Config(exclude=["meta"]), keep_non_downloaded=True
    )
    assert sorted(keys(done)) == ["data", "meta"]
    assert asset_href(done, "meta").endswith("meta.txt")
    assert sorted(files(tmp_path / "b")) == ["image.tif", "one.json"]
    done = await stac.download_item(form(item), tmp_path / "c", config=Config(roles=["metadata"]))
    assert keys(done) == ["meta"]
    done = await stac.download_item(
        form(item), tmp_path / "d", config=Config(media_types=["image/*"])
    )
    assert keys(done) == ["data"]


async def test_failures_are_collected(item, form, server, tmp_path):
    item["assets"]["gone"] = {"href": f"{server.url}/gone"}
    with pytest.raises(stac.DownloadError) as caught:
        await stac.download_item(form(item), tmp_path)
    (error,) = caught.value.exceptions
    assert (error.status, error.retryable) == (404, False)
    assert "/gone" in str(error)
    # No document says that all is well, and what could be downloaded is there.
    assert sorted(files(tmp_path)) == ["image.tif", "meta.txt"]


async def test_failures_as_warnings(item, form, server, tmp_path):
    item["assets"]["gone"] = {"href": f"{server.url}/gone"}
    with pytest.warns(stac.DownloadWarning, match="404"):
        done = await stac.download_item(form(item), tmp_path / "a", config=Config(warn=True))
    assert "gone" not in keys(done)
    config = Config(warn=True, error_strategy=ErrorStrategy.KEEP)
    with pytest.warns(stac.DownloadWarning):
        done = await stac.download_item(form(item), tmp_path / "b", config=config)
    assert asset_href(done, "gone") == f"{server.url}/gone"


async def test_fail_fast_leaves_nothing_partial(item, form, server, tmp_path):
    slow = asyncio.Event()

    def never_ends(request):
        return Reply(b"x" * 1000, 200, {"Content-Length": "100000000"}, cut_after=1000)

    del slow
    server.handlers["/partial"] = never_ends
    item["assets"] = {
        "partial": {"href": f"{server.url}/partial"},
        "gone": {"href": f"{server.url}/gone"},
    }
    with pytest.raises(Exception) as caught:
        await stac.download_item(form(item), tmp_path, config=Config(fail_fast=True))
    assert not isinstance(caught.value, stac.DownloadError)
    assert files(tmp_path) == {}


async def test_the_failure_that_ends_everything_is_told(form, server, tmp_path):
    item, messages = make_item("one", {"gone": {"href": f"{server.url}/gone"}}), asyncio.Queue()
    with pytest.raises(stac.HttpError) as caught:
        await stac.download_item(
            form(item), tmp_path, config=Config(fail_fast=True), messages=messages
        )
    told = [messages.get_nowait() for _ in range(messages.qsize())]
    names = [type(message).__name__ for message in told]
    assert names == ["StartAssetDownload", "ErrorAssetDownload"]
    assert str(told[-1].error) == str(caught.value)


async def test_what_is_complete_is_skipped_and_what_is_not_is_fetched(item, server, tmp_path):
    item["assets"]["data"]["file:size"] = 5000
    (tmp_path / "image.tif").write_bytes(b"broken")
    (tmp_path / "meta.txt").write_bytes(b"older")
    await stac.download_item(item, tmp_path)
    assert (tmp_path / "image.tif").read_bytes() == b"image" * 1000
    assert (tmp_path / "meta.txt").read_bytes() == b"older"
    await stac.download_item(item, tmp_path, config=Config(overwrite=True))
    assert (tmp_path / "meta.txt").read_bytes() == b"meta"


async def test_key_names_stay_inside_of_the_directory(server, form, tmp_path):
    href = server.add("/x.tif", b"x")
    config = Config(file_name_strategy=FileNameStrategy.KEY)
    done = await stac.download_item(
        form(make_item("i", {"a/b": href})), tmp_path / "a", config=config
    )
    assert sorted(files(tmp_path / "a")) == ["a_b.tif", "i.json"]
    assert keys(done) == ["a/b"]
    config.subdirectories = True
    await stac.download_item(form(make_item("i", {"a/b": href})), tmp_path / "b", config=config)
    assert sorted(files(tmp_path / "b")) == ["a/b.tif", "i.json"]
    with pytest.raises(stac.PathEscapeError):
        await stac.download_item(
            form(make_item("i", {"../../evil": href})), tmp_path / "c", config=config
        )
    assert not (tmp_path / "evil.tif").exists()


async def test_queries_are_no_part_of_names(server, form, tmp_path):
    href = server.add("/x.tif", b"x") + "?sig=a/b.c"
    config = Config(file_name_strategy=FileNameStrategy.KEY)
    await stac.download_item(form(make_item("i", {"k": href})), tmp_path, config=config)
    assert sorted(files(tmp_path)) == ["i.json", "k.tif"]


async def test_equal_names_are_refused_or_renamed(server, form, tmp_path):
    item = make_item("i", {"a": server.add("/1/x.tif", b"1"), "b": server.add("/2/x.tif", b"2")})
    with pytest.raises(stac.AssetOverwriteError):
        await stac.download_item(form(item), tmp_path / "a")
    assert not (tmp_path / "a").exists()
    await stac.download_item(form(item), tmp_path / "b", config=Config(rename=True))
    assert {name: data for name, data in files(tmp_path / "b").items() if name != "i.json"} == {
        "x.tif": b"1",
        "x-b.tif": b"2",
    }


async def test_equal_names_across_items_are_refused(server, tmp_path):
    items = [
        make_item("a", {"x": server.add("/a/x.tif", b"a")}),
        make_item("b", {"x": server.add("/b/x.tif", b"b")}),
    ]
    document = {"type": "FeatureCollection", "features": items}
    for thing in (document, pystac.ItemCollection.from_dict(document)):
        with pytest.raises(stac.AssetOverwriteError):
            await stac.download_item_collection(thing, tmp_path, path_template="${collection}")
    assert files(tmp_path) == {}


async def test_one_file_of_two_items_is_fetched_once(server, tmp_path):
    href = server.add("/shared.tif", b"shared")
    document = {
        "type": "FeatureCollection",
        "features": [make_item("a", {"x": href}), make_item("b", {"x": href})],
    }
    for number, thing in enumerate([document, pystac.ItemCollection.from_dict(document)], 1):
        await stac.download_item_collection(
            thing, tmp_path / str(number), path_template="${collection}"
        )
        assert len(server.requests("/shared.tif")) == number


async def test_item_collections_have_absolute_hrefs(server, tmp_path):
    document = {
        "type": "FeatureCollection",
        "features": [make_item("a", {"x": server.add("/a/x.tif", b"a")})],
    }
    for name, thing in (("d", document), ("p", pystac.ItemCollection.from_dict(document))):
        await stac.download_item_collection(thing, tmp_path / name, "${collection}/${year}/${id}")
        assert (tmp_path / name / "tests/2024/a/x.tif").read_bytes() == b"a"
        saved = json.loads((tmp_path / name / "item-collection.json").read_text())
        href = saved["features"][0]["assets"]["x"]["href"]
        assert href == str(tmp_path / name / "tests/2024/a/x.tif")


async def test_the_older_place_of_the_file_name(server, tmp_path):
    document = {"type": "FeatureCollection", "features": [make_item("a", {})]}
    await stac.download_item_collection(document, tmp_path, "items.json")
    assert sorted(files(tmp_path)) == ["items.json"]


async def test_collection(server, tmp_path):
    collection = {
        "type": "Collection",
        "stac_version": "1.1.0",
        "id": "c",
        "description": "A collection.",
        "license": "other",
        "extent": {
            "spatial": {"bbox": [[0, 0, 1, 1]]},
            "temporal": {"interval": [["2024-01-01T00:00:00Z", None]]},
        },
        "links": [],
        "assets": {"thumb": {"href": server.add("/t.png", b"png")}},
    }
    for name, thing in (("d", collection), ("p", pystac.Collection.from_dict(collection))):
        await stac.download_collection(thing, tmp_path / name)
        assert sorted(files(tmp_path / name)) == ["collection.json", "t.png"]
        # Nothing selected is no reason not to write the document.
        again = pystac.Collection.from_dict(collection) if name == "p" else collection
        await stac.download_collection(again, tmp_path / f"{name}2", config=Config(include=["no"]))
        assert sorted(files(tmp_path / f"{name}2")) == ["collection.json"]


async def test_checksums_are_compared(item, form, server, tmp_path):
    data = item["assets"]["data"]
    data["file:checksum"] = "1220" + hashlib.sha256(b"image" * 1000).hexdigest()
    await stac.download_item(form(item), tmp_path / "a")
    data["file:checksum"] = "1220" + hashlib.sha256(b"other").hexdigest()
    with pytest.raises(stac.DownloadError) as caught:
        await stac.download_item(form(item), tmp_path / "b")
    assert isinstance(caught.value.exceptions[0], stac.IntegrityError)
    assert sorted(files(tmp_path / "b")) == ["meta.txt"]
    await stac.download_item(form(item), tmp_path / "c", config=Config(verify=False))
    # A file that is there but wrong is fetched again.
    data["file:checksum"] = "1220" + hashlib.sha256(b"image" * 1000).hexdigest()
    (tmp_path / "a/image.tif").write_bytes(b"x" * 5000)
    await stac.download_item(form(item), tmp_path / "a")
    assert (tmp_path / "a/image.tif").read_bytes() == b"image" * 1000


async def test_computed_checksums_are_written_down(item, form, tmp_path):
    await stac.download_item(form(item), tmp_path, config=Config(checksum="sha2-256"))
    saved = json.loads((tmp_path / "one.json").read_text())["assets"]["meta"]
    assert saved["file:checksum"] == "1220" + hashlib.sha256(b"meta").hexdigest()
    assert saved["file:size"] == 4


async def test_a_missing_directory_is_refused_where_it_is_not_to_be_made(item, form, tmp_path):
    with pytest.raises(stac.DownloadError) as caught:
        await stac.download_item(form(item), tmp_path / "no", config=Config(make_directory=False))
    assert all(isinstance(error, FileNotFoundError) for error in caught.value.exceptions)
    assert not (tmp_path / "no").exists()


async def test_messages_tell_the_whole_story(item, form, tmp_path):
    messages: asyncio.Queue = asyncio.Queue()
    await stac.download_item(form(item), tmp_path, messages=messages)
    told = [messages.get_nowait() for _ in range(messages.qsize())]
    of_data = [
        type(message).__name__
        for message in told
        if getattr(message, "key", None) == "data" or "image.tif" in str(vars(message))
    ]
    assert of_data[0] == "StartAssetDownload" and of_data[-1] == "FinishAssetDownload"
    assert {"OpenUrl", "WriteChunk"} <= set(of_data)
    written = [m for m in told if type(m).__name__ == "WriteChunk" and "image" in m.href]
    assert sum(message.size for message in written) == 5000
    opened = next(m for m in told if type(m).__name__ == "OpenUrl" and "image" in str(m.url))
    assert opened.size == 5000
    await stac.download_item(form(item), tmp_path, messages=messages)
    told = [messages.get_nowait() for _ in range(messages.qsize())]
    assert [type(message).__name__ for message in told] == ["SkipAssetDownload"] * 2


async def test_a_bounded_queue_holds_downloads_up_and_loses_no_ends(item, tmp_path):
    messages: asyncio.Queue = asyncio.Queue(maxsize=1)
    told = []

    async def listen():
        while (message := await messages.get()) is not None:
            told.append(type(message).__name__)

    listener = asyncio.create_task(listen())
    await stac.download_item(item, tmp_path, messages=messages)
    await messages.put(None)
    await listener
    assert told.count("FinishAssetDownload") == 2


async def test_alternates_are_preferred_and_fall_back(server, form, tmp_path):
    item = make_item(
        "i",
        {
            "x": {
                "href": server.add("/main.tif", b"main"),
                "alternate": {
                    "s": {"href": server.add("/second.tif", b"second")},
                    "gone": {"href": f"{server.url}/gone.tif"},
                },
            }
        },
    )
    await stac.download_item(
        form(item), tmp_path / "a", config=Config(alternate_assets=["no", "s"])
    )
    assert (tmp_path / "a/main.tif").read_bytes() == b"second"
    await stac.download_item(form(item), tmp_path / "b", config=Config(alternate_assets=["gone"]))
    assert (tmp_path / "b/main.tif").read_bytes() == b"main"
    del server.files["/main.tif"]
    await stac.download_item(form(item), tmp_path / "c", config=Config(fallback=True))
    assert (tmp_path / "c/main.tif").read_bytes() == b"second"
    item["assets"]["x"]["alternate"]["s"] = {}
    # One malformed alternate keeps nobody from the other assets.
    item["assets"]["y"] = {"href": server.add("/y.tif", b"y")}
    with pytest.raises(stac.DownloadError, match="missing href") as caught:
        await stac.download_item(form(item), tmp_path / "d", config=Config(alternate_assets=["s"]))
    assert isinstance(caught.value.exceptions[0], ValueError)
    assert (tmp_path / "d/y.tif").read_bytes() == b"y"


async def test_relative_alternates_are_those_of_the_old_place(server, tmp_path):
    server.add("/d/second.tif", b"second")
    item = make_item("i", {"x": {"href": "main.tif", "alternate": {"s": {"href": "./second.tif"}}}})
    item["links"] = [{"rel": "self", "href": f"{server.url}/d/item.json"}]
    for name, thing in (("d", item), ("p", pystac.Item.from_dict(item))):
        await stac.download_item(thing, tmp_path / name, config=Config(alternate_assets=["s"]))
        assert (tmp_path / name / "main.tif").read_bytes() == b"second"
        written = json.loads((tmp_path / name / "i.json").read_text())
        alternate = written["assets"]["x"]["alternate"]["s"]
        assert alternate == {"href": f"{server.url}/d/second.tif"}


async def test_local_alternates_of_what_came_from_a_server(server, form, tmp_path):
    """As with the main href, a path is a file of this machine."""
    (tmp_path / "mirror.tif").write_bytes(b"mirror")
    alternate = {"local": {"href": str(tmp_path / "mirror.tif")}}
    item = make_item("i", {"x": {"href": f"{server.url}/main.tif", "alternate": alternate}})
    item["links"] = [{"rel": "self", "href": f"{server.url}/d/item.json"}]
    config = Config(alternate_assets=["local"])
    await stac.download_item(form(item), tmp_path / "out", config=config)
    assert (tmp_path / "out/main.tif").read_bytes() == b"mirror"


async def test_hidden_files_are_told_as_others_are(server, form, tmp_path):
    item = make_item("i", {"x": server.add("/.hidden", b"x")})
    await stac.download_item(form(item), tmp_path)
    written = json.loads((tmp_path / "i.json").read_text())
    assert written["assets"]["x"]["href"] == "./.hidden"


async def test_names_that_are_no_text_stay_encoded(server, form, tmp_path):
    item = make_item("i", {key: server.add(f"/%{key}.tif", key.encode()) for key in ("e4", "fc")})
    await stac.download_item(form(item), tmp_path)
    assert (tmp_path / "%e4.tif").read_bytes() == b"e4"
    assert (tmp_path / "%fc.tif").read_bytes() == b"fc"


async def test_dictionaries_keep_what_nobody_asked_to_change(item, tmp_path):
    item["properties"] |= {"big": 123456789012345678, "float": 1.0, "none": None, "ü": "\u2028"}
    item["assets"]["data"] |= {"nodata": "nan", "raster:bands": [{"scale": 1e-05}]}
    done = await stac.download_item(item, tmp_path)
    assert done["properties"] == item["properties"]
    assert list(done) == list(item)
    expected = item["assets"]["data"] | {"href": "./image.tif"}
    assert done["assets"]["data"] == expected


async def test_single_assets(server, tmp_path):
    item = pystac.Item.from_dict(make_item("i", {"x": server.add("/x.tif", b"x")}))
    asset = item.assets["x"]
    assert await stac.asset_exists(asset)
    done = await stac.download_asset("x", asset, tmp_path / "deep/x.tif", Config())
    assert done is asset and asset.href == str(tmp_path / "deep/x.tif")
    with pytest.raises(ValueError, match="absolute href"):
        await stac.download_asset("x", pystac.Asset("x.tif"), tmp_path / "y", Config())
    assert not await stac.asset_exists(pystac.Asset(f"{server.url}/gone"))
    with pytest.raises(stac.HttpError):
        await stac.assert_asset_exists({"href": f"{server.url}/gone"})


async def test_hrefs(server, tmp_path):
    href = server.add("/x.bin", bytes(range(256)) * 100)
    assert await stac.read_href(href) == server.files["/x.bin"]
    assert b"".join([chunk async for chunk in stac.open_href(href)]) == server.files["/x.bin"]
    await stac.download_file(href, tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == server.files["/x.bin"]
    assert await stac.read_href((tmp_path / "x.bin").as_uri()) == server.files["/x.bin"]
    with pytest.raises(FileNotFoundError):
        await stac.download_file(href, tmp_path / "no/x.bin")


async def test_into_a_store(item, form, s3_store, tmp_path, s3_environment):
    target = f"s3://test-bucket/{s3_store.prefix}/out"
    done = await stac.download_item(form(item), target)
    assert bytes(s3_store.get("out/image.tif").bytes()) == b"image" * 1000
    saved = json.loads(bytes(s3_store.get("out/one.json").bytes()))
    assert saved["assets"]["data"]["href"] == asset_href(done, "data") == "./image.tif"


def test_no_secret_in_the_text_of_a_configuration():
    config = Config(
        earthdata_token="hunter2",
        oauth2_client_secret="hunter2",
        oauth2_password="hunter2",
        http_headers={"Authorization": "hunter2"},
        credentials={"h": "bearer:hunter2"},
    )
    assert "hunter2" not in repr(config)


def test_configurations_are_checked():
    with pytest.raises(stac.ConfigError):
        Config(include=["a"], exclude=["b"]).validate()
    with pytest.raises(stac.ConfigError):
        Config(warn=True, fail_fast=True).validate()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Config().validate()
