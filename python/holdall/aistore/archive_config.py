"""What of an archive is read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ArchiveMode(Enum):
    """How members of an archive are matched."""

    REGEXP = "regexp"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    SUBSTR = "substr"
    WDSKEY = "wdskey"


@dataclass
class ArchiveConfig:
    """One member of an archive, or all that match.

    Attributes:
        archpath: path of the member, whose content is read.
        regex: pattern; a tar of all members that match is read.
        mode: how the pattern is matched.

    Raises:
        ValueError: a pattern without a mode or with a path, or a mode without a pattern.
    """

    archpath: str = ""
    regex: str = ""
    mode: ArchiveMode | None = None

    def __post_init__(self) -> None:
        if self.mode and not self.regex:
            raise ValueError("Archive mode requires archive regex")
        if self.regex and not self.mode:
            raise ValueError("Archive regex requires archive mode")
        if self.regex and self.archpath:
            raise ValueError("Cannot use both Archive regex and Archive path")
