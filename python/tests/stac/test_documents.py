"""Documents from anywhere to anywhere: files, tables, searches, catalogs."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from holdall import stac
from holdall.stac import Config

from .helpers import Reply, make_item


def collection(count: int) -> dict[str, object]:
    items = [make_item(f"item-{n}", {"a": f"https://h/{n}.tif"}, gsd=n) for n in range(count)]
    return {"type": "FeatureCollection", "features": items}


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize(
    "name", ["items.json", "items.ndjson", "items.parquet", "items.json.gz", "items.ndjson.gz"]
)
async def test_what_is_written_is_read(tmp_path, name, count):
    document = collection(count)
    await stac.write_document(document, tmp_path / name)
    assert await stac.read_document(tmp_path / name) == document
    written = (tmp_path / name).read_bytes()
    assert written.startswith(b"PAR1") == name.endswith(".parquet")
    assert written.startswith(b"\x1f\x8b") == name.endswith(".gz")


async def test_a_document_knows_where_it_was(server, tmp_path):
    item = make_item("one", {"a": "./a.tif"})
    href = server.add("/items/one.json", json.dumps(item).encode(), "application/json")
    server.add("/items/a.tif", b"data")
    read = await stac.read_document(href)
    assert read["links"] == [{"rel": "self", "href": href}]
    await stac.download_item(read, tmp_path)
    assert (tmp_path / "a.tif").read_bytes() == b"data"


async def test_tables_are_those_of_pyarrow(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    await stac.write_document(collection(3), tmp_path / "items.parquet")
    table = parquet.read_table(tmp_path / "items.parquet")
    assert table.column("id").to_pylist() == ["item-0", "item-1", "item-2"]
    assert str(table.schema.field("datetime").type) == "timestamp[us, tz=UTC]"
    assert table.column("assets").to_pylist()[1] == {"a": {"href": "https://h/1.tif"}}
    assert table.column("bbox").to_pylist()[0] == {
        "xmin": 7.5, "ymin": 51.25, "xmax": 7.5, "ymax": 51.25,
    }  # fmt: skip
    metadata = parquet.read_metadata(tmp_path / "items.parquet").metadata
    geo = json.loads(metadata[b"geo"])
    assert geo["columns"]["geometry"]["geometry_types"] == ["Point"]
    assert json.loads(metadata[b"stac-geoparquet"])["version"] == "1.1.0"
    # What other writers make of the same table is read as well.
    for options in ({"compression": "snappy"}, {"use_dictionary": False, "compression": None}):
        parquet.write_table(table, tmp_path / "other.parquet", **options)
        assert await stac.read_document(tmp_path / "other.parquet") == collection(3)


async def test_items_of_the_reference_implementation(tmp_path):
    reference = pytest.importorskip(
        "stac_geoparquet.arrow", reason="stac-geoparquet is not installed"
    )
    document = collection(3)
    batches = reference.parse_stac_items_to_arrow(document["features"])
    reference.to_parquet(batches, tmp_path / "theirs.parquet")
    assert await stac.read_document(tmp_path / "theirs.parquet") == document
    await stac.write_document(document, tmp_path / "ours.parquet")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    table = parquet.read_table(tmp_path / "ours.parquet")
    items = list(reference.stac_table_to_items(table))
    assert [item["id"] for item in items] == ["item-0", "item-1", "item-2"]
    assert items[0]["assets"] == document["features"][0]["assets"]


async def test_a_download_can_end_in_a_table(server, tmp_path):
    item = make_item("one", {"a": server.add("/a.tif", b"data")})
    document = {"type": "FeatureCollection", "features": [item]}
    await stac.download_item_collection(document, tmp_path, file_name="items.parquet")
    read = await stac.read_document(tmp_path / "items.parquet")
    assert read["features"][0]["assets"]["a"]["href"] == str(tmp_path / "one" / "a.tif")
    with pytest.raises(stac.ConfigError, match="only items"):
        catalog = {"type": "Collection", "stac_version": "1.1.0", "id": "c", "assets": {}}
        await stac.download_collection(catalog, tmp_path, file_name="c.parquet")


def searching(server):
    """Answer searches with three pages of two items."""

    def answer(request):
        body = json.loads(request.body)
        page = body.get("token", 0)
        items = [make_item(f"{page}-{n}", {}) for n in range(2)]
        links = [{"rel": "next", "href": f"{server.url}/search", "method": "POST"}]
        links[0] |= {"merge": True, "body": {"token": page + 1}}
        reply = {"type": "FeatureCollection", "features": items, "links": links if page < 2 else []}
        return Reply(json.dumps(reply).encode(), 200, {"Content-Type": "application/json"})

    server.handlers["/search"] = answer


async def test_searches_can_be_continued(server):
    searching(server)
    search = stac.search(server.url, collections=["c"], bbox=[7, 50, 8, 51], filter="a = 1")
    found = []
    async for page in search.pages():
        found += [item["id"] for item in page["features"]]
        break
    position = json.loads(json.dumps(search.position))
    assert json.loads(server.seen[0].body) == {
        "collections": ["c"], "bbox": [7, 50, 8, 51], "filter": "a = 1", "filter-lang": "cql2-text",
    }  # fmt: skip
    found += [item["id"] async for item in stac.search(position=position)]
    assert found == ["0-0", "0-1", "1-0", "1-1", "2-0", "2-1"]
    limited = stac.blocking.search(server.url, max_items=3)
    assert [item["id"] for item in limited["features"]] == ["0-0", "0-1", "1-0"]
    with pytest.raises(ValueError, match="a position is a whole search"):
        stac.search(server.url, position=position)


async def test_a_search_that_was_left_goes_on_with_the_next_item(server):
    searching(server)
    search, found = stac.search(server.url, max_items=5), []
    async for item in search:
        found.append(item["id"])
        if len(found) == 1:
            break
    page = await anext(search.pages())
    assert [item["id"] for item in page["features"]] == ["0-1"]
    found.append(page["features"][0]["id"])
    found += [(await anext(search))["id"]]
    found += [item["id"] for item in (await search.item_collection())["features"]]
    assert found == ["0-0", "0-1", "1-0", "1-1", "2-0"]
    assert [item async for item in search] == []


async def test_one_text_is_one_id_and_times_are_times(server):
    searching(server)
    noon = datetime(2024, 1, 2, 13, tzinfo=timezone(timedelta(hours=1)))
    midnight = datetime(2024, 1, 2)
    for given, expected in [
        ({"ids": "i1", "collections": "c"}, {"ids": ["i1"], "collections": ["c"]}),
        ({"ids": ("a", "b")}, {"ids": ["a", "b"]}),
        ({"datetime": noon}, {"datetime": "2024-01-02T12:00:00Z"}),
        (
            {"datetime": (midnight, noon)},
            {"datetime": "2024-01-02T00:00:00Z/2024-01-02T12:00:00Z"},
        ),
        ({"datetime": [None, "2024-01-02"]}, {"datetime": "../2024-01-02"}),
        ({"datetime": "2024/.."}, {"datetime": "2024/.."}),
    ]:
        await anext(stac.search(server.url, **given))
        assert json.loads(server.seen[-1].body) == expected
    for wrong in (2024, midnight.date(), [midnight]):
        with pytest.raises(TypeError, match=r"expected a text .*, a datetime\.datetime"):
            stac.search(server.url, datetime=wrong)


async def test_items_below_a_catalog(tmp_path):
    links = [{"rel": "item", "href": f"./{n}.json"} for n in range(3)]
    catalog = {
        "type": "Catalog",
        "stac_version": "1.1.0",
        "id": "c",
        "description": "",
        "links": links,
    }
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    for n in range(3):
        (tmp_path / f"{n}.json").write_text(json.dumps(make_item(str(n), {"a": "a.tif"})))
    found = [item async for item in stac.crawl(tmp_path / "catalog.json", Config())]
    assert [item["id"] for item in found] == ["0", "1", "2"]
    assert found[1]["links"][-1]["href"] == str(tmp_path / "1.json")
    assert len(stac.blocking.crawl(tmp_path / "catalog.json")) == 3
