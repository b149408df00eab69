"""Types of arguments."""

from __future__ import annotations

from asyncio import Queue
from os import PathLike
from typing import Any, TypeAlias

from .messages import Message

__all__ = ["MessageQueue", "PathLikeObject"]

MessageQueue: TypeAlias = Queue[Message | None]
"""A queue of messages; whoever reads it may be told the end with None."""

PathLikeObject: TypeAlias = PathLike[Any] | str
"""A path of the file system, or a URL of a store."""
