"""Small things that several modules, and programs, use."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import ParseResult, parse_qsl, urlparse

from .._holdall import _ais_digest, _ais_xoshiro
from . import _braces, const
from ._earlier import Told, warn
from ._model import Model, validate
from .errors import ReadTimeout
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


def parse_request_url(req: Any) -> ParseResult:
    """The parts of a request's URL.

    Raises:
        ValueError: it has none.
    """
    if not isinstance(req.url, str):
        raise ValueError(f"the URL of a request is text, not {type(req.url).__name__}")
    return urlparse(req.url)


def get_provider_from_request(req: Any) -> Provider:
    """The provider that a request names, which may be one of ``requests``.

    Raises:
        ValueError: its query has no parameters.
        InvalidBckProvider: there is no such provider.
    """
    given = getattr(req, "params", None)
    params = (
        given
        if isinstance(given, dict) and given
        else dict(parse_qsl(parse_request_url(req).query))
    )
    if not params:
        raise ValueError("the request names no provider: its query is empty")
    return Provider.parse(params.get(const.QPARAM_PROVIDER, ""))


def get_object_url_components(req: Any, qparams: list[str]) -> tuple[str, dict[str, str]]:
    """The path of a request's object, from ``objects/`` on, and those of its parameters that are in `qparams`.

    Raises:
        ValueError: the request is not about an object.
    """
    url = parse_request_url(req)
    # Names of objects may have the same words further on.
    _, marker, name = url.path.partition(f"/{const.URL_PATH_OBJECTS}/")
    if not marker:
        raise ValueError(f"the request is not about an object: {url.path!r}")
    given = dict(parse_qsl(url.query))
    kept = {key: given[key] for key in qparams if given.get(key)}
    return f"{const.URL_PATH_OBJECTS}/{name}", kept


def is_read_timeout(exc: BaseException) -> bool:
    """Whether nothing came for too long: of ours, or of ``requests`` by way of urllib3's repetitions."""
    if isinstance(exc, ReadTimeout):
        return True
    reason = getattr(exc.args[0], "reason", None) if exc.args else None
    return type(reason).__name__ == "ReadTimeoutError"


def raise_ais_error(text: str) -> NoReturn:
    """Raise the exception for the text of a reply that refuses.

    Raises:
        AISError: or the class below it that says what is missing or in the way.
    """
    from .response_handler import AISResponseHandler

    warn("raise_ais_error", "AISResponseHandler")
    raise AISResponseHandler().parse_error(Told(text))


def handle_errors(resp: Any, raise_error_fn: Callable[[str], None] = raise_ais_error) -> None:
    """Raise for a reply that refuses: what `raise_error_fn` makes of its text, or what its status says."""
    warn("handle_errors", "AISResponseHandler.handle_response")
    text = resp.text
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    if text:
        raise_error_fn(text)
    resp.raise_for_status()


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
