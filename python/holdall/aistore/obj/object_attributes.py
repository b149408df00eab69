"""What the server tells of an object."""

from __future__ import annotations

import warnings
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .. import const
from .._headers import CaseInsensitiveDict


@dataclass
class ECInfo:
    """How an object is coded against the loss of disks."""

    generation: int = 0
    data_slices: int = 0
    parity_slices: int = 0
    is_ec_copy: bool = False


@dataclass
class ChunksInfo:
    """How many chunks an object has that was written in parts, and the bytes of the largest."""

    chunk_count: int = 0
    max_chunk_size: int = 0


def _cased(headers: Mapping[str, Any] | None) -> CaseInsensitiveDict:
    return headers if isinstance(headers, CaseInsensitiveDict) else CaseInsensitiveDict(headers)


class ObjectAttributes:
    """What a reply tells of an object; empty, zero or None where it does not.

    Args:
        response_headers: the headers; or what makes them when somebody asks, which few do of each object of a listing.
    """

    def __init__(
        self,
        response_headers: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        if callable(response_headers):
            self._tell = response_headers
        else:
            self._response_headers = _cased(response_headers)
        self._all_headers: Callable[[], CaseInsensitiveDict] | None = None

    @cached_property
    def _response_headers(self) -> CaseInsensitiveDict:
        return _cased(self._tell())

    def _text(self, name: str) -> str:
        return str(self._response_headers.get(name, ""))

    def _number(self, name: str) -> int:
        try:
            return int(self._response_headers.get(name, 0))
        except (TypeError, ValueError):
            return 0

    @property
    def size(self) -> int:
        """Bytes."""
        return self._number(const.HEADER_CONTENT_LENGTH)

    @property
    def checksum_type(self) -> str:
        """``xxhash2``, ``md5``, ``crc32c``, …"""
        return self._text(const.AIS_CHECKSUM_TYPE)

    @property
    def checksum_value(self) -> str:
        """The checksum in hex."""
        return self._text(const.AIS_CHECKSUM_VALUE)

    @property
    def access_time(self) -> str:
        """Last access: nanoseconds since 1970."""
        return self._text(const.AIS_ACCESS_TIME)

    @property
    def obj_version(self) -> str:
        """The version; a number in buckets of AIStore's own."""
        return self._text(const.AIS_VERSION)

    @property
    def custom_metadata(self) -> dict[str, str]:
        """Custom properties."""
        found: dict[str, str] = {}
        last = None
        for piece in self._text(const.AIS_CUSTOM_MD).split(","):
            key, is_pair, value = piece.strip().partition("=")
            if is_pair:
                found[key] = value
                last = key
            elif last is not None:
                # The comma was in the value.
                found[last] += f",{piece}"
        return found

    @property
    def present(self) -> bool:
        """Whether it is in the cluster."""
        return self._text(const.AIS_PRESENT) == "true"

    @property
    def location(self) -> str:
        """Where it is: ``t[ID]:/mountpath``."""
        return self._text(const.AIS_LOCATION)

    @property
    def mirror_paths(self) -> list[str]:
        """Where its copies are."""
        paths = self._text(const.AIS_MIRROR_PATHS).strip("[]")
        return paths.split(",") if paths else []

    @property
    def mirror_copies(self) -> int:
        """How many copies there are."""
        return self._number(const.AIS_MIRROR_COPIES)

    @property
    def ec(self) -> ECInfo | None:
        """How it is coded; None when it is not."""
        names = (
            const.AIS_EC_GENERATION,
            const.AIS_EC_DATA,
            const.AIS_EC_PARITY,
            const.AIS_EC_REPLICATED,
        )
        if not any(self._text(name) for name in names):
            return None
        generation, data, parity, _ = map(self._number, names)
        return ECInfo(generation, data, parity, self._text(const.AIS_EC_REPLICATED) == "true")

    @property
    def last_modified(self) -> str:
        """Last write, as an HTTP date."""
        return self._text(const.HEADER_LAST_MODIFIED)

    @property
    def etag(self) -> str:
        """The entity tag, without quotes."""
        return self._text(const.HEADER_ETAG).strip('"')

    @property
    def chunks(self) -> ChunksInfo | None:
        """The chunks, of an object that was written in parts."""
        names = (const.AIS_CHUNKS_COUNT, const.AIS_CHUNKS_MAX_CHUNK_SIZE)
        if not any(self._text(name) for name in names):
            return None
        return ChunksInfo(*map(self._number, names))

    # `Object.head` returned headers until 1.25, all that there are, and programs read them so.

    def _headers(self) -> CaseInsensitiveDict:
        warnings.warn(
            "the result of head() is not headers any more: use its attributes (size, obj_version, …)",
            DeprecationWarning,
            stacklevel=3,
        )
        if self._all_headers is not None:
            self._response_headers = self._all_headers()
            self._all_headers = None
        return self._response_headers

    def __getstate__(self) -> dict[str, Any]:
        return {"_response_headers": self._response_headers, "_all_headers": None}

    def __getitem__(self, name: str) -> Any:
        return self._headers()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._headers()

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers())

    def get(self, name: str, default: Any = None) -> Any:
        """A header."""
        return self._headers().get(name, default)

    def keys(self) -> KeysView[str]:
        """Names of headers."""
        return self._headers().keys()

    def values(self) -> ValuesView[Any]:
        """Values of headers."""
        return self._headers().values()

    def items(self) -> ItemsView[str, Any]:
        """Headers."""
        return self._headers().items()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._response_headers!r})"


ObjectAttributesV2 = ObjectAttributes
"""The name in 1.25."""
