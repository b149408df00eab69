"""Small things that several modules, and programs, use."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from .._holdall import _ais_digest, _ais_xoshiro
from . import _braces, const
from ._model import Model, validate
from .provider import Provider, provider_aliases

_TRUE = frozenset(("1", "t", "true", "y", "yes", "on"))
_PROVIDERS = "|".join([*(provider.value for provider in Provider), *provider_aliases])
_BUCKET_CHARS = "[A-Za-z0-9@#._-]"
# Names have at most 64 characters, and so have the two parts of a namespace before them.
_URL = re.compile(rf"({_PROVIDERS})://({_BUCKET_CHARS}{{1,132}})(?:(/)|(?!{_BUCKET_CHARS}))")


class HttpError(Model):
    """An error as AIStore sends it."""

    status_code: int = 0
    message: str = ""
    method: str = ""
    url_path: str = ""
    remote_addr: str = ""
    caller: str = ""
    node: str = ""


def parse_bool(s: str | None) -> bool:
    """Whether a variable of the environment says yes."""
    return bool(s) and s.strip().lower() in _TRUE  # type: ignore[union-attr]


def probing_frequency(dur: int) -> float:
    """Seconds between two looks at a job that may take `dur` seconds."""
    return max(min(dur / 8.0, 1.0), dur / 64.0, 0.1)


def read_file_bytes(filepath: str) -> bytes:
    """The content of a file."""
    with open(filepath, "rb") as file:
        return file.read()


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise ValueError(f"Path: {path} does not exist")


def validate_file(path: str | Path) -> None:
    """Raise ValueError unless `path` is a file."""
    path = Path(path)
    _check_exists(path)
    if not path.is_file():
        raise ValueError(f"Path: {path} is a directory, not a file")


def validate_directory(path: str | Path) -> None:
    """Raise ValueError unless `path` is a directory."""
    path = Path(path)
    _check_exists(path)
    if not path.is_dir():
        raise ValueError(f"Path: {path} is a file, not a directory")


def get_file_size(file: Path) -> str:
    """The size of a file for people to read: ``1.5 kB``."""
    size = float(file.stat().st_size)
    if not size:
        return "unknown"
    if size < 1000:
        return f"{size:.0f} Byte{'s' if size != 1 else ''}"
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        size /= 1000
        if size < 1000 or unit == "PB":
            break
    return f"{size:.1f} {unit}"


def expand_braces(template: str) -> Iterator[str]:
    """The names of a template: ``a-{0..2}`` is ``a-0``, ``a-1``, ``a-2``; ``{a,b}`` and nesting as in a shell."""
    return _braces.expand(template)


def decode_response(res_model: Any, resp: Any) -> Any:
    """Read a reply as a type: a model, or lists, dictionaries and options of them."""
    if res_model is str:
        try:
            found = resp.json()
        except ValueError:
            return resp.text
        return found if isinstance(found, str) else resp.text
    return validate(res_model, resp.json())


def parse_url(url: str) -> tuple[str, str, str]:
    """Provider, bucket and object of a URL."""
    parsed = urlparse(url)
    return parsed.scheme, parsed.netloc, parsed.path.lstrip("/")


def extract_and_parse_url(msg: str) -> tuple[str, str, bool] | None:
    """The first ``provider://bucket`` of a text, and whether it goes on with an object; None when there is none."""
    match = _URL.search(msg)
    return (match[1], match[2], bool(match[3])) if match else None


def get_logger(name: str, log_format: str = const.DEFAULT_LOG_FORMAT) -> logging.Logger:
    """A logger that writes by itself."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(log_format))
        logger.addHandler(handler)
    logger.propagate = False
    return logger


def xoshiro256_hash(seed: int) -> int:
    """The hash that places objects: 64 bits of a seed."""
    return _ais_xoshiro(seed)


def get_digest(name: str) -> int:
    """The digest of a unique name that places an object."""
    return _ais_digest(name)


def convert_to_seconds(time_val: str | int) -> int:
    """Seconds of a time like ``45s``, ``5m``, ``2h``, ``1d``, or of a bare number.

    Raises:
        ValueError: it is none.
    """
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if isinstance(time_val, int):
        return time_val
    if not isinstance(time_val, str) or not time_val.strip():
        raise ValueError("Time value must be a non-empty string or integer.")
    text = time_val.strip()
    if text.isdigit():
        return int(text)
    number, unit = text[:-1], text[-1]
    if unit not in units:
        raise ValueError(f"Unsupported time unit: '{unit}'. Use 's', 'm', 'h', or 'd'.")
    if not number.isdigit():
        raise ValueError(f"Invalid numeric value in time: '{number}'.")
    return int(number) * units[unit]
