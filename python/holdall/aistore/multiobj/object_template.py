"""Objects by a template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..utils import expand_braces
from .object_collection import ObjectCollection


class ObjectTemplate(ObjectCollection):
    """A text with ranges in braces: ``shard-{000..099}.tar``."""

    def __init__(self, template: str) -> None:
        self._template = template

    def get_value(self) -> dict[str, Any]:
        return {"template": self._template}

    def __iter__(self) -> Iterator[str]:
        return expand_braces(self._template)

    def __str__(self) -> str:
        return self._template
