"""Parts of samples that follow from their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .config_attribute import ConfigAttribute


class LabelAttribute(ConfigAttribute):
    """A part that a function knows by the sample's name, such as a class.

    Args:
        name: What the part is called in shards.
        label_identifier: From a sample's name to its label.
    """

    def __init__(self, name: str, label_identifier: Callable[[str], Any]) -> None:
        self.name = name
        self.label_identifier = label_identifier

    def get_data_for_entry(self, filename: str) -> tuple[str, Any]:
        """The part's name in a shard, and the label."""
        return self.name, self.label_identifier(filename)
