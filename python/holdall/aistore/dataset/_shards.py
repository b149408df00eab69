"""A writer of shards in the layout of WebDataset: tars in which the files of a sample have its key for a stem."""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import tarfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

logger = logging.getLogger(__name__)

_NUMBERS = frozenset(["cls", "cls2", "class", "count", "index", "inx", "id"])
_IMAGES = {"jpg": "jpeg", "jpeg": "jpeg", "img": "jpeg", "image": "jpeg", "tif": "tiff"}
_IMAGES |= {kind: kind for kind in ("png", "pbm", "pgm", "ppm", "tiff")}


def _image(value: Any, kind: str) -> bytes:
    if not hasattr(value, "save"):
        try:
            from PIL import Image
        except ImportError as error:
            raise ImportError("arrays become images with pillow: pip install pillow") from error
        value = Image.fromarray(value)
    out = io.BytesIO()
    value.save(out, format="ppm" if kind in ("pbm", "pgm") else kind)
    return out.getvalue()


def _array(value: Any) -> bytes:
    import numpy

    out = io.BytesIO()
    numpy.save(out, value)
    return out.getvalue()


def encoded(name: str, value: Any) -> bytes:
    """The content of the file ``name`` of a sample. Bytes stay; other values become what the extension says.

    Raises:
        TypeError: When there is no such form for it.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    kind = name.rsplit(".", 1)[-1].lower()
    if kind in ("json", "jsn"):
        return json.dumps(value).encode()
    if kind in ("pyd", "pickle"):
        return pickle.dumps(value)
    if isinstance(value, str):
        return value.encode()
    if kind in _NUMBERS:
        return str(value).encode()
    if kind == "npy":
        return _array(value)
    if kind in _IMAGES:
        return _image(value, _IMAGES[kind])
    raise TypeError(
        f"{name}: a {type(value).__name__} has no form as .{kind}; give bytes, or an encoder"
    )


def _encoder(given: Any) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    if callable(given):
        return given
    special = given if isinstance(given, Mapping) else {}

    def encode(sample: Mapping[str, Any]) -> Mapping[str, Any]:
        out = {}
        for name, value in sample.items():
            kind = name.rsplit(".", 1)[-1].lower()
            if name.startswith("_") or given is False or given is None:
                out[name] = value
            elif kind in special:
                out[name] = special[kind](value)
            else:
                out[name] = encoded(name, value)
        return out

    return encode


def _mode(path: str, compress: bool | str | None) -> str:
    if compress is False:
        return "w|"
    if compress is True:
        return "w|gz"
    if compress:
        return f"w|{compress}"
    kinds = [kind for kind in ("gz", "bz2", "xz") if path.endswith(kind)]
    return f"w|{kinds[0] if kinds else ''}"


def _create(path: str) -> Any:
    return Path(path).open("wb")


class ShardWriter:
    """Writes samples into numbered tars; the options are those of ``webdataset.ShardWriter``."""

    def __init__(
        self,
        pattern: str,
        maxcount: int = 100_000,
        maxsize: float = 3e9,
        post: Callable[[str], Any] | None = None,
        start_shard: int = 0,
        verbose: int = 1,
        opener: Callable[[str], Any] | None = None,
        user: str = "bigdata",
        group: str = "bigdata",
        mode: int = 0o444,
        compress: bool | str | None = None,
        encoder: Any = True,
        keep_meta: bool = False,
        mtime: float | None = None,
        format: Any = None,
    ) -> None:
        self._pattern = pattern
        self._limits = (maxcount, maxsize)
        self._post = post
        self._next = start_shard
        self._verbose = verbose
        self._opener = opener
        self._owner = (user, group, mode)
        self._compress = compress
        self._encode = _encoder(encoder)
        self._keep_meta = keep_meta
        self._mtime = mtime
        kind = getattr(tarfile, format, None) if isinstance(format, str) else format
        self._format = tarfile.USTAR_FORMAT if kind is None else kind
        self._path = ""
        self._file: Any = None
        self._tar: tarfile.TarFile | None = None
        self._count = 0
        self._size = 0

    def _open(self) -> tarfile.TarFile:
        self._path = self._pattern % self._next
        self._next += 1
        self._count = self._size = 0
        if self._verbose:
            logger.info("writing %s", self._path)
        opener = self._opener or _create
        self._file = opener(self._path)
        mode: Any = _mode(self._path, self._compress)
        tar = tarfile.open(fileobj=self._file, mode=mode, format=self._format)  # noqa: SIM115
        self._tar = tar
        return tar

    def write(self, sample: Mapping[str, Any]) -> None:
        """Add a sample; it has a ``__key__``, and a name and a value for each of its files."""
        sample = self._encode(sample)
        if "__key__" not in sample:
            raise ValueError("a sample must have a __key__")
        if self._tar is not None and (
            self._count >= self._limits[0] or self._size >= self._limits[1]
        ):
            self._finish()
        tar = self._tar or self._open()
        for name in sorted(sample):
            if name == "__key__" or (name.startswith("_") and not self._keep_meta):
                continue
            content = sample[name]
            content = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(f"{sample['__key__']}.{name}")
            member.size = len(content)
            member.mtime = time.time() if self._mtime is None else self._mtime
            member.uname, member.gname, member.mode = self._owner
            tar.addfile(member, io.BytesIO(content))
            self._size += len(content)
        self._count += 1

    def _finish(self) -> None:
        if self._tar is None:
            return
        tar, self._tar = self._tar, None
        tar.close()
        self._file.close()
        if self._post is not None:
            self._post(self._path)

    def close(self) -> None:
        """Finish the last shard. A data set without samples is one empty shard."""
        if self._tar is None and not self._path:
            self._open()
        self._finish()

    def _discard(self) -> None:
        """Leave no half of a shard behind."""
        if self._tar is None:
            return
        self._tar = None
        self._file.close()
        if self._opener is None:
            with suppress(OSError):
                os.unlink(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.close()
        else:
            self._discard()
