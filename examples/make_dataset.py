"""Makes the dataset of the examples: what an Earth-observation project has lying about, about 70 MB of it.

Some hundred small files (STAC items, tables, previews) and a few large ones (16-bit GeoTIFF scenes, one long table), all
valid files of their kind. The same bytes at every run; `MANIFEST.sha256`, written last, says which
(`sha256sum --check MANIFEST.sha256`).
"""

import argparse
import csv
import hashlib
import io
import json
import math
import random
import shutil
import struct
import zlib
from array import array
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

DATA = Path(__file__).with_name("data")
MANIFEST = "MANIFEST.sha256"

SCENES = {
    "T31TCJ": (3600, 3000),
    "T32ULB": (3600, 3000),
    "T33UUP": (3000, 2400),
}  # pixels across, down
ITEMS_PER_SCENE = 80
STATIONS = 60
PREVIEWS = 48
# Names that people do give to files, and that a careless program breaks.
ODD_NAMES = ("Île de Ré.png", "before & after.png", "100% cloud.png", "a+b=c #1.png")
START = datetime(2026, 1, 1)


def dataset() -> Iterator[tuple[str, bytes]]:
    """Every file of the dataset: its path below the root, and its bytes."""
    chance = random.Random(2026)
    for scene, (width, height) in SCENES.items():
        yield f"scenes/{scene}.tif", geotiff(width, height, chance)
        for number in range(ITEMS_PER_SCENE):
            day = START + timedelta(days=number)
            item = stac_item(scene, day, chance)
            yield f"items/{scene}/{day:%Y/%m}/{item['id']}.json", json_bytes(item)
    for station in range(STATIONS):
        yield f"tables/station-{station:02}.csv", table(station, 24 * 30, chance)
    yield "tables/all-stations.csv", table(None, 240_000, chance)
    names = [*ODD_NAMES, *(f"preview-{n:02}.png" for n in range(PREVIEWS - len(ODD_NAMES)))]
    for number, name in enumerate(names):
        yield f"previews/{name}", png(256, 192, number)
    yield (
        "README.txt",
        b"Made by examples/make_dataset.py. No place or measurement in it is real.\n",
    )
    yield "empty.marker", b""


def stac_item(scene: str, day: datetime, chance: random.Random) -> dict[str, object]:
    west, south = chance.uniform(-10, 20), chance.uniform(40, 55)
    east, north = west + 1.3, south + 0.9
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    name = f"{scene}_{day:%Y%m%d}"
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": name,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, east, north],
        "properties": {
            "datetime": f"{day:%Y-%m-%dT%H:%M:%SZ}",
            "eo:cloud_cover": round(chance.uniform(0, 100), 2),
            "grid:code": f"MGRS-{scene[1:]}",
        },
        "links": [],
        "assets": {
            "data": {
                "href": f"../../../../scenes/{scene}.tif",
                "type": "image/tiff; application=geotiff",
            },
        },
    }


def json_bytes(value: object) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"


def table(station: int | None, rows: int, chance: random.Random) -> bytes:
    """Hourly measurements of one station, or of all."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["time", "station", "temperature_c", "wind_m_s"])
    for row in range(rows):
        time = START + timedelta(hours=row if station is not None else row // STATIONS)
        place = station if station is not None else row % STATIONS
        warmth = 10 - 8 * math.cos(2 * math.pi * time.hour / 24) + chance.gauss(0, 1.5)
        wind = chance.expovariate(0.25)
        writer.writerow([time.isoformat(), f"S{place:02}", f"{warmth:.2f}", f"{wind:.2f}"])
    return out.getvalue().encode()


def png(width: int, height: int, number: int) -> bytes:
    """An 8-bit RGB picture of colour gradients. Format: https://www.w3.org/TR/png-3/"""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    lines = bytearray()
    for y in range(height):
        lines.append(0)  # no filter
        for x in range(width):
            lines += bytes(((x + number * 5) & 255, (y * 2 + number) & 255, (x * y >> 6) & 255))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(lines), 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def geotiff(width: int, height: int, chance: random.Random) -> bytes:
    """An uncompressed 16-bit terrain in EPSG:32631, one strip per 64 rows.

    Format: TIFF 6.0, and OGC GeoTIFF 1.1 for the tags above 33000.
    """
    rows_per_strip = 64
    phases = [chance.uniform(0, 2 * math.pi) for _ in range(32)]
    ridges = [
        array("H", (ridge(x, phase) for x in range(width + 512)))  # 512 columns to move about in
        for phase in phases
    ]
    strips = []
    for top in range(0, height, rows_per_strip):
        rows = array("H")
        for y in range(top, min(top + rows_per_strip, height)):
            shift = int(256 * (1 + math.sin(y / 90)))
            rows += ridges[y * len(ridges) // height][shift : shift + width]
        strips.append(little_endian(rows))
    return tiff(width, height, rows_per_strip, strips)


def ridge(x: int, phase: float) -> int:
    return int(3000 + 1800 * math.sin(x / 170 + phase) + 700 * math.sin(x / 23 + 3 * phase))


def little_endian(values: array) -> bytes:
    if struct.pack("=H", 1) != struct.pack("<H", 1):
        values.byteswap()
    return values.tobytes()


def tiff(width: int, height: int, rows_per_strip: int, strips: list[bytes]) -> bytes:
    """Header, strips, values that do not fit into the directory, directory."""
    short, long, double = 3, 4, 12
    codes = {short: "H", long: "I", double: "d"}
    offsets, position = [], 8
    for strip in strips:
        offsets.append(position)
        position += len(strip)
    keys = [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32631]  # projected, area, UTM 31N
    tags: list[tuple[int, int, list[float]]] = [
        (256, long, [width]),
        (257, long, [height]),
        (258, short, [16]),  # bits per sample
        (259, short, [1]),  # no compression
        (262, short, [1]),  # black is zero
        (273, long, offsets),
        (277, short, [1]),  # samples per pixel
        (278, long, [rows_per_strip]),
        (279, long, [len(strip) for strip in strips]),
        (33550, double, [10, 10, 0]),  # metres per pixel
        (33922, double, [0, 0, 0, 300000, 4900020, 0]),  # the upper left corner
        (34735, short, keys),
    ]
    directory, outside = struct.pack("<H", len(tags)), b""
    for tag, kind, values in tags:
        body = struct.pack(f"<{len(values)}{codes[kind]}", *values)
        directory += struct.pack("<HHI", tag, kind, len(values))
        if len(body) <= 4:
            directory += body.ljust(4, b"\0")
        else:
            directory += struct.pack("<I", position + len(outside))
            outside += body.ljust(len(body) + len(body) % 2, b"\0")
    directory_at = position + len(outside)
    head = struct.pack("<2sHI", b"II", 42, directory_at)
    return b"".join([head, *strips, outside, directory, struct.pack("<I", 0)])


def make(root: Path = DATA) -> bool:
    """Makes the dataset unless a whole one of this kind is there. Says whether it did."""
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    manifest = root / MANIFEST
    if manifest.exists() and manifest.read_text().startswith(f"# {recipe}\n"):
        return False
    shutil.rmtree(root, ignore_errors=True)
    lines = [f"# {recipe}\n"]
    for name, body in dataset():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        lines.append(f"{hashlib.sha256(body).hexdigest()}  {name}\n")
    manifest.write_text("".join(lines), encoding="utf-8")
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the dataset of the examples.")
    parser.add_argument("folder", nargs="?", type=Path, default=DATA)
    made = make(parser.parse_args().folder)
    print("made" if made else "already there")
