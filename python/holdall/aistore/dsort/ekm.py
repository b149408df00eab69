"""Which record goes into which shard, said by name."""

from __future__ import annotations

from typing import Any

from ..multiobj import ObjectNames

EKM_FILE_NAME = "ekm-file.json"


class ExternalKeyMap(dict[str, ObjectNames]):
    """From names of shards, or templates of such, to the names of the records in them."""

    def __setitem__(self, key: str, value: ObjectNames) -> None:
        if not isinstance(key, str):
            raise TypeError(f"Key must be a string, got {type(key).__name__}")
        if not isinstance(value, ObjectNames):
            raise TypeError(f"Value must be an instance of ObjectNames, got {type(value).__name__}")
        super().__setitem__(key, value)

    def as_dict(self) -> dict[str, Any]:
        """As the cluster wants it: lists of names."""
        return {shard: names.get_value()["objnames"] for shard, names in self.items()}

    def __str__(self) -> str:
        # A specification with a key map has no template of its output.
        return ""
