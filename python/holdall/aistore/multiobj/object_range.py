"""Objects by a range of numbers in their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..errors import InvalidObjectRangeIndex
from ..utils import expand_braces
from .object_collection import ObjectCollection

_TEXT = re.compile(
    r"(?P<prefix>.*)\{(?P<first>\d+)\.\.(?P<last>\d+)(?:\.\.(?P<step>\d+))?\}(?P<suffix>.*)?"
)


class ObjectRange(ObjectCollection):
    """Names with a number in them; without numbers, all names with a prefix.

    Args:
        prefix: what stands before the number.
        min_index: the first number.
        max_index: the last one.
        pad_width: digits that numbers have at least.
        step: from a number to the next.
        suffix: what stands behind the number.

    Raises:
        InvalidObjectRangeIndex: the numbers do not fit together.
        ValueError: a suffix without numbers.
    """

    def __init__(
        self,
        prefix: str,
        min_index: int | None = None,
        max_index: int | None = None,
        pad_width: int = 0,
        step: int = 1,
        suffix: str = "",
    ) -> None:
        self._prefix = prefix
        self._step = step
        self._suffix = suffix
        if (min_index is None) != (max_index is None):
            raise InvalidObjectRangeIndex("Provide both min_index and max_index or neither")
        self._bounds: tuple[str, str] | None = None
        if min_index is not None and max_index is not None:
            if min_index >= max_index:
                raise InvalidObjectRangeIndex(f"{min_index} must be less than {max_index}")
            if pad_width and len(str(min_index)) > pad_width:
                raise InvalidObjectRangeIndex(
                    f"Number of digits in min index {min_index} must not be greater than "
                    f"pad width {pad_width}"
                )
            self._bounds = (str(min_index).zfill(pad_width), str(max_index).zfill(pad_width))
        elif suffix:
            raise ValueError("Suffix cannot be used without indices")

    @classmethod
    def from_string(cls, range_string: str) -> ObjectRange:
        """Read ``prefix{first..last..step}suffix``; the step may be left out.

        Raises:
            ValueError: it is not of that form.
        """
        match = _TEXT.match(range_string)
        if not match:
            raise ValueError(f"Invalid range string format: {range_string}")
        return cls(
            match["prefix"],
            int(match["first"]),
            int(match["last"]),
            len(match["first"]),
            int(match["step"] or 1),
            match["suffix"] or "",
        )

    def __str__(self) -> str:
        if self._bounds is None:
            return self._prefix
        first, last = self._bounds
        return f"{self._prefix}{{{first}..{last}..{self._step}}}{self._suffix}"

    def __iter__(self) -> Iterator[str]:
        if self._bounds is None:
            raise RuntimeError("Cannot iterate over object range with no indices")
        return expand_braces(str(self))

    def get_value(self) -> dict[str, Any]:
        return {"template": str(self)}
