"""Namespaces of buckets."""

from __future__ import annotations

from ._model import Model


class Namespace(Model):
    """A set of buckets with names of their own: of another cluster (`uuid`, its id or alias), of this one, or both."""

    uuid: str = ""
    name: str = ""

    def get_path(self) -> str:
        """As requests name it: ``@uuid#name``."""
        return f"@{self.uuid}#{self.name}"
