"""What is known of an object, with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Self

from .. import const
from .._headers import CaseInsensitiveDict
from .object_attributes import ObjectAttributes


class ObjectProps(ObjectAttributes):
    """What a reply tells of an object, and where it is."""

    _tell: Callable[[], Mapping[str, Any]]

    @classmethod
    def _told_by(cls, tell: Callable[[], Mapping[str, Any]]) -> Self:
        """Return what headers say that are made when somebody asks: few look at what a listing tells of each object."""
        made = cls.__new__(cls)
        made._tell = tell
        made._all_headers = None
        return made

    @cached_property
    def _response_headers(self) -> CaseInsensitiveDict:  # type: ignore[override]
        return CaseInsensitiveDict(self._tell())

    @property
    def bucket_name(self) -> str:
        """Name of its bucket."""
        return self._text(const.AIS_BCK_NAME)

    @property
    def bucket_provider(self) -> str:
        """Provider of its bucket."""
        return self._text(const.AIS_BCK_PROVIDER)

    @property
    def name(self) -> str:
        """Its name."""
        return self._text(const.AIS_OBJ_NAME)
