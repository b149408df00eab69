"""What is known of an object, with its place."""

from __future__ import annotations

from .. import const
from .object_attributes import ObjectAttributes


class ObjectProps(ObjectAttributes):
    """What a reply tells of an object, and where it is."""

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
