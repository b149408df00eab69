"""The dataset is what it says: valid files, the same every time."""

import hashlib
import struct
import zlib

import make_dataset


def test_the_manifest_names_every_file_and_a_second_run_does_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(make_dataset, "SCENES", {"T00XXX": (100, 130)})
    monkeypatch.setattr(make_dataset, "PREVIEWS", 5)
    assert make_dataset.make(tmp_path)
    lines = (tmp_path / make_dataset.MANIFEST).read_text().splitlines()[1:]
    listed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert found == listed.keys() | {make_dataset.MANIFEST}
    for name, digest in listed.items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert not make_dataset.make(tmp_path)


def test_a_picture_has_sound_chunks_and_all_its_lines() -> None:
    data = make_dataset.png(7, 5, 3)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    position, kinds = 8, []
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        (crc,) = struct.unpack_from(">I", data, position + 8 + length)
        assert crc == zlib.crc32(kind + body)
        if kind == b"IDAT":
            assert len(zlib.decompress(body)) == 5 * (1 + 3 * 7)
        kinds.append(kind)
        position += 12 + length
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]


def test_a_scene_is_a_tiff_whose_strips_lie_where_it_says() -> None:
    strips = [bytes([n]) * 12 for n in range(3)]
    data = make_dataset.tiff(2, 9, 3, strips)
    order, magic, directory = struct.unpack_from("<2sHI", data)
    (count,) = struct.unpack_from("<H", data, directory)
    entries = struct.iter_unpack("<HHII", data[directory + 2 : directory + 2 + 12 * count])
    tags = {tag: (number, value) for tag, _, number, value in entries}
    assert (order, magic) == (b"II", 42)
    assert sorted(tags) == list(tags)
    offsets = struct.unpack_from("<3I", data, tags[273][1])
    assert [data[at : at + 12] for at in offsets] == strips
