"""Names and sizes."""

from __future__ import annotations

from math import floor

from ..utils import parse_url

MB_TO_B = 1_000_000


def convert_mb_to_bytes(megabytes: float) -> int:
    """Megabytes, of a million bytes, in whole bytes."""
    return floor(megabytes * MB_TO_B)


def convert_bytes_to_mb(bytes: int) -> float:
    """Bytes in megabytes, of a million bytes."""
    return bytes / MB_TO_B


def unparse_url(provider: str, bck_name: str, obj_name: str) -> str:
    """The URL of an object."""
    return f"{provider}://{bck_name}/{obj_name.lstrip('/')}"


def get_basename(name: str) -> str:
    """The last part of a path up to its first dot: the key of a sample."""
    return name.rsplit("/", 1)[-1].split(".", 1)[0]


def get_extension(name: str) -> str:
    """What follows the last dot of the last part of a path; empty without a dot."""
    _, dot, extension = name.rsplit("/", 1)[-1].rpartition(".")
    return extension if dot else ""


__all__ = [
    "convert_bytes_to_mb",
    "convert_mb_to_bytes",
    "get_basename",
    "get_extension",
    "parse_url",
    "unparse_url",
]
