"""The same documents and options through stac-asset and through us, with the same results."""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import random
import warnings
from pathlib import Path

import pytest

from holdall import stac as ours

from .helpers import make_item

pystac = pytest.importorskip("pystac", reason="pystac is not installed")

theirs = pytest.importorskip("stac_asset", reason="stac-asset is not installed")

OPTIONS = [
    dict(zip(("file_name_strategy", "error_strategy", "selection", "keep"), values, strict=True))
    for values in itertools.product((1, 2), (1, 2), (None, "include", "exclude"), (False, True))
]


def documents(server, seed: int) -> dict:
    """Return a collection of random items."""
    chance = random.Random(seed)
    items = []
    for number in range(chance.randint(1, 4)):
        assets = {}
        for key in chance.sample(["data", "b1", "meta.xml", "thumb", "ü"], chance.randint(1, 4)):
            path = f"/{seed}/{number}/{key}{chance.choice(['', '.tif', '.tar.gz', '.xml'])}"
            href = server.url + path
            if chance.random() < 0.8:
                from urllib.parse import quote

                server.add(quote(path), chance.randbytes(chance.randint(0, 3000)))
                href = server.url + quote(path)
            asset = {"href": href, "title": key}
            if chance.random() < 0.3:
                asset["type"] = "image/tiff"
            assets[key] = asset
        item = make_item(f"item-{number}", assets, seed=seed)
        if chance.random() < 0.5:
            item["links"] = [
                {"rel": "self", "href": f"http://example.com/items/{number}.json"},
                {"rel": "license", "href": "http://example.com/license"},
            ]
        items.append(item)
    return {"type": "FeatureCollection", "features": items}


def config(module, options: dict):
    chosen = {options["selection"]: ["data", "b1"]} if options["selection"] else {}
    return module.Config(
        file_name_strategy=module.FileNameStrategy(options["file_name_strategy"]),
        error_strategy=module.ErrorStrategy(options["error_strategy"]),
        warn=True,
        http_max_attempts=1,
        **chosen,
    )


async def run(module, document: dict, directory: Path, options: dict):
    """Return the document afterwards and the files, or the name of the failure."""
    thing = copy.deepcopy(document)
    is_item = thing["type"] == "Feature"
    thing = (pystac.Item if is_item else pystac.ItemCollection).from_dict(thing)
    function = module.download_item if is_item else module.download_item_collection
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            done = await function(
                thing,
                directory,
                config=config(module, options),
                keep_non_downloaded=options["keep"],
            )
        except Exception as error:
            return type(error).__name__, files(directory)
    return done.to_dict(transform_hrefs=False), files(directory)


def files(directory: Path) -> dict[str, object]:
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found[str(path.relative_to(directory))] = (
                json.loads(data) if path.suffix == ".json" else data
            )
    return found


def plain(value: object, directory: Path) -> str:
    return repr(value).replace(str(directory), "DIR")


@pytest.mark.parametrize("seed", range(4))
async def test_item_collections(server, tmp_path, seed):
    document = documents(server, seed)
    for number, options in enumerate(OPTIONS):
        a, b = tmp_path / f"a{number}", tmp_path / f"b{number}"
        expected = plain(await run(theirs, document, a, options), a)
        assert plain(await run(ours, document, b, options), b) == expected, options


@pytest.mark.parametrize("seed", range(4, 8))
async def test_items(server, tmp_path, seed):
    item = documents(server, seed)["features"][0]
    for number, options in enumerate(OPTIONS):
        a, b = tmp_path / f"a{number}", tmp_path / f"b{number}"
        expected = plain(await run(theirs, item, a, options), a)
        assert plain(await run(ours, item, b, options), b) == expected, options


#: Settings beyond those above, and arguments of the functions.
SETTINGS = [
    {},
    {"warn": False},
    {"fail_fast": True, "warn": False},
    {"alternate_assets": ["none", "other"]},
    {"include": ["data", "nobody"]},
    {"make_directory": False, "warn": False},
    {"http_assert_content_type": True},
    {"client_override": "filesystem"},
    {"client_override": "nobody"},
    {"include": ["data"], "exclude": ["b1"]},
    {"overwrite": True},
]
ARGUMENTS = {
    "download_item": [{}, {"file_name": "mine.json"}, {"infer_file_name": False}],
    "download_item_collection": [
        {},
        {"path_template": "${year}/${seed}/${id}", "file_name": None},
        {"path_template": "${nobody}"},
    ],
}


async def story(module, function: str, document: dict, directory: Path, settings, arguments):
    """Return what a call returns or raises, what it warns of, what it tells, and what it writes."""
    form = pystac.Item if function == "download_item" else pystac.ItemCollection
    thing = form.from_dict(copy.deepcopy(document))
    messages = asyncio.Queue()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            config = module.Config(**({"http_max_attempts": 1, "warn": True} | settings))
            call = getattr(module, function)
            done = await call(thing, directory, config=config, messages=messages, **arguments)
            result = done.to_dict(transform_hrefs=False)
        except Exception as error:
            names = [type(error).__name__]
            names += sorted(type(one).__name__ for one in getattr(error, "exceptions", ()))
            # Ours is theirs, with the name that says whose it is.
            result = ["ClientResponseError" if name == "HttpError" else name for name in names]
    told = sorted(type(messages.get_nowait()).__name__ for _ in range(messages.qsize()))
    told = [name for name in told if name != "WriteChunk"]
    if settings.get("fail_fast"):
        # How far the others get until the first failure is a matter of time.
        return result, None, None, None
    warned = sum(1 for one in caught if one.category.__name__ == "DownloadWarning")
    return result, warned, told, files(directory)


@pytest.mark.parametrize("seed", range(8, 12))
@pytest.mark.parametrize("function", ARGUMENTS)
async def test_other_settings_and_arguments(server, tmp_path, function, seed):
    document = documents(server, seed)
    for item in document["features"]:
        del item["links"][:]
        for number, asset in enumerate(item["assets"].values()):
            server.add("/other.bin", b"other")
            choices = ({"other": {"href": f"{server.url}/other.bin"}}, {"other": {}}, {})
            asset["alternate"] = choices[number % 3]
    if function == "download_item":
        document = document["features"][0]
    cases = list(itertools.product(SETTINGS, ARGUMENTS[function]))
    for number, (settings, arguments) in enumerate(cases):
        a, b = tmp_path / f"a{number}", tmp_path / f"b{number}"
        case = (function, document, a, settings, arguments)
        expected = plain(await story(theirs, *case), a)
        case = (function, document, b, settings, arguments)
        assert plain(await story(ours, *case), b) == expected, (settings, arguments)


async def test_validation_of_content_types():
    kinds = [
        "image/tiff",
        "image/tiff; application=geotiff",
        "image/tiff; application=geotiff; profile=cloud-optimized",
        "text/xml",
        "application/xml",
        "text/plain",
        "binary/octet-stream",
        "application/octet-stream",
    ]

    def passes(module, actual, expected):
        try:
            module.validate.content_type(actual=actual, expected=expected)
        except Exception as error:
            return type(error).__name__, str(error)
        return None

    import stac_asset.validate

    import holdall.stac.validate

    for actual, expected in itertools.product(kinds, kinds):
        assert passes(ours, actual, expected) == passes(theirs, actual, expected)
    assert holdall.stac.validate and stac_asset.validate
