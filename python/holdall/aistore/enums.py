"""Enumerations of the interface."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Colocation(IntEnum):
    """What a batch knows of where its objects are."""

    NONE = 0
    """Nothing."""
    TARGET_AWARE = 1
    """They are on few targets."""
    TARGET_AND_SHARD_AWARE = 2
    """The same, and many are members of the same archives."""


class FLTPresence(IntEnum):
    """Which objects count: those that exist anywhere, those in the cluster, or those outside of it."""

    FLT_EXISTS = 0
    FLT_EXISTS_NO_PROPS = 1
    FLT_PRESENT = 2
    FLT_PRESENT_NO_PROPS = 3
    FLT_PRESENT_CLUSTER = 4
    FLT_EXISTS_OUTSIDE = 5


class LogSeverity(StrEnum):
    """Least severity of the log that is asked for."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class NodeFilter(StrEnum):
    """Nodes of the cluster, by their part in it."""

    TARGET = "target"
    PROXY = "proxy"
    ALL = "all"
