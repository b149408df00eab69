"""Braces of templates, expanded as a shell does it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

_NUMBERS = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?")
_LETTERS = re.compile(r"([A-Za-z])\.\.([A-Za-z])(?:\.\.(-?\d+))?")


def expand(template: str) -> Iterator[str]:
    """The texts of a template: ``a{1..3}`` is ``a1``, ``a2``, ``a3``; ``{a,b}`` and nesting, too.

    What is not balanced, or is neither a range nor a list, stays as it is. A backslash takes a character as it is.
    """
    return ("".join(pieces) for pieces in product(*_parts(template)))


def _parts(text: str) -> list[list[str]]:
    """Pieces that follow each other, each with its choices."""
    parts: list[list[str]] = []
    plain = ""
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            plain += text[at + 1]
            at += 2
            continue
        end = _closing(text, at) if char == "{" else None
        if end is None:
            plain += char
            at += 1
            continue
        choices = _choices(text[at + 1 : end])
        if choices is None:
            # The braces stay; what is in them may have more.
            inner = list(expand(text[at + 1 : end]))
            choices = [f"{{{choice}}}" for choice in inner]
        parts += [[plain], choices]
        plain = ""
        at = end + 1
    return [*parts, [plain]]


def _closing(text: str, start: int) -> int | None:
    depth = 0
    at = start
    while at < len(text):
        match text[at]:
            case "\\":
                at += 1
            case "{":
                depth += 1
            case "}":
                depth -= 1
                if depth == 0:
                    return at
        at += 1
    return None


def _choices(inner: str) -> list[str] | None:
    items = _items(inner)
    if len(items) > 1:
        return [choice for item in items for choice in expand(item)]
    if match := _NUMBERS.fullmatch(inner):
        return _numbers(match[1], match[2], int(match[3] or 1))
    if match := _LETTERS.fullmatch(inner):
        first, last, step = ord(match[1]), ord(match[2]), abs(int(match[3] or 1)) or 1
        letters = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
        return [chr(letter) for letter in letters]
    return None


def _numbers(first: str, last: str, step: int) -> list[str]:
    start, end, step = int(first), int(last), abs(step) or 1
    padded = any(len(text.lstrip("-")) > 1 and text.lstrip("-")[0] == "0" for text in (first, last))
    width = max(len(first), len(last)) if padded else 0
    numbers = range(start, end + 1, step) if start <= end else range(start, end - 1, -step)
    return [str(number).zfill(width) for number in numbers]


def _items(inner: str) -> list[str]:
    """What stands between commas that are in no further braces."""
    items = [""]
    depth = 0
    at = 0
    while at < len(inner):
        char = inner[at]
        if char == "\\" and at + 1 < len(inner):
            items[-1] += inner[at : at + 2]
            at += 2
            continue
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            items.append("")
        else:
            items[-1] += char
        at += 1
    return items
