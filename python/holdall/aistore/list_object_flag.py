"""Flags of listings."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from enum import Enum, EnumMeta
from typing import Any

# Names of earlier generations, and what has their bit or their meaning now.
_EARLIER = {"ALL": "MISSING", "TRY_HEAD_REMOTE": "DONT_HEAD_REMOTE", "USE_CACHE": "NOT_CACHED"}


class _Flags(EnumMeta):
    def __getattr__(cls, name: str) -> Any:
        successor = _EARLIER.get(name)
        if successor is None:
            raise AttributeError(name)
        warnings.warn(
            f"ListObjectFlag.{name} is deprecated: its bit means ListObjectFlag.{successor} now",
            DeprecationWarning,
            stacklevel=2,
        )
        return cls[successor]


class ListObjectFlag(Enum, metaclass=_Flags):
    """What a listing shows; the values are numbers of bits."""

    CACHED = 0
    """Only objects that are in the cluster."""
    MISSING = 1
    """Also objects of which a copy is missing or misplaced."""
    DELETED = 2
    """Also objects marked for deletion."""
    ARCH_DIR = 3
    """Also the members of archives."""
    NAME_ONLY = 4
    """Names and nothing else."""
    NAME_SIZE = 5
    """Names and sizes."""
    BCK_PRESENT = 6
    """Only if the cluster knows the bucket already."""
    DONT_HEAD_REMOTE = 7
    """Without asking the cloud whether the bucket is there."""
    DONT_ADD_REMOTE = 8
    """Without making the bucket known to the cluster."""
    NOT_CACHED = 9
    """Only objects that are not in the cluster."""
    ONLY_REMOTE_PROPS = 10
    """Properties as the cloud has them."""
    NO_RECURSION = 11
    """One level of names, with what is below them as directories."""
    DIFF = 12
    """Also whether the cloud has another version."""
    NO_DIRS = 13
    """Without directories."""
    IS_S3 = 14
    """Asked for by the S3 interface."""
    NBI = 15
    """From an inventory."""

    @staticmethod
    def join_flags(flags: Iterable[ListObjectFlag]) -> int:
        """The number with the bits of `flags`."""
        joined = 0
        for flag in flags:
            joined |= 1 << flag.value
        return joined
