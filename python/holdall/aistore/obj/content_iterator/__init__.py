"""Iterating over the content of an object: with one request, or with several side by side."""

from .base import BaseContentIterProvider, StreamBounds
from .buffer import ParallelBuffer
from .parallel import ParallelContentIterProvider
from .sequential import ContentIterator, ContentIterProvider

__all__ = [
    "BaseContentIterProvider",
    "ContentIterProvider",
    "ContentIterator",
    "ParallelBuffer",
    "ParallelContentIterProvider",
    "StreamBounds",
]
