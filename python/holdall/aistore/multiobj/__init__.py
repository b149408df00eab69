"""Many objects at once."""

from .object_collection import ObjectCollection
from .object_group import ObjectGroup
from .object_names import ObjectNames
from .object_range import ObjectRange
from .object_template import ObjectTemplate

__all__ = ["ObjectCollection", "ObjectGroup", "ObjectNames", "ObjectRange", "ObjectTemplate"]
