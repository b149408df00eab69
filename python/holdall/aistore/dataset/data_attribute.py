"""Parts of samples that are files."""

from __future__ import annotations

import logging
from os import PathLike
from pathlib import Path

from .config_attribute import ConfigAttribute

logger = logging.getLogger(__name__)


class DataAttribute(ConfigAttribute):
    """A part that is the file of the sample's name in a folder.

    Args:
        path: The folder.
        name: What the part is called in shards.
        file_type: The files' extension, without a dot.
    """

    def __init__(self, path: str | PathLike[str], name: str, file_type: str) -> None:
        self.path = Path(path)
        self.name = name
        self.file_type = file_type

    def get_data_for_entry(self, filename: str) -> tuple[str, bytes | None]:
        """The part's name in a shard, and the file's content; None where there is no such file."""
        key = f"{self.name}.{self.file_type}"
        try:
            return key, (self.path / f"{filename}.{self.file_type}").read_bytes()
        except FileNotFoundError as error:
            logger.warning("File not found: %s", error)
            return key, None
