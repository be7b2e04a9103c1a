"""Takes configurations and summaries apart into fields that SQL can compare as Python does."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from runhaven.catalogue.schema import NAN, NONE, NUMBER, OTHER, TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST_TEXT = 500
"""PostgreSQL's indexes take texts of some 2,700 bytes; nobody sorts by longer ones."""

Cell: TypeAlias = "tuple[int, float | None, str | None]"


class Operand(NamedTuple):
    """What a condition compares with, when SQL can.

    Attributes:
        column: "num" or "txt"; None when nothing but None equals it.
        value: In the form of the column.
    """

    column: str | None
    value: float | str | None


def cell(value: Any) -> Cell:
    """Return kind, number and text of a value."""
    kind = cast("type[Any]", type(value))
    if kind is float:
        return (NUMBER, value, None) if value == value else (NAN, None, None)  # noqa: PLR0124 - NaN
    if kind is str:
        return (TEXT, None, value) if is_plain(value) else (OTHER, None, None)
    if kind is bool:
        return NUMBER, float(value), None
    if kind is int:
        number = exact_float(value)
        return (OTHER, None, None) if number is None else (NUMBER, number, None)
    return (NONE if value is None else OTHER), None, None


def operand(value: Any) -> Operand | None:
    """Return what to compare with in SQL; None if it takes Python to compare with it."""
    if value is None:
        return Operand(None, None)
    kind, number, text = cell(value)
    if kind == NUMBER:
        return Operand("num", number)
    return Operand("txt", text) if kind == TEXT else None


def exact_float(value: int) -> float | None:
    """Return an integer as a float; None where that would change it."""
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if number == value and math.isfinite(number) else None


def is_plain(text: object) -> bool:
    """Tell whether every database keeps and compares a text as Python does."""
    if type(text) is not str or len(text) > LONGEST_TEXT or "\0" in text:
        return False
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def quoted(name: str) -> str:
    """Return the name of a key in plain letters; two keys never have the same."""
    return (
        name
        if name.isascii() and name.isprintable() and '"' not in name and len(name) <= LONGEST_TEXT
        else _packed(name)
    )


def _packed(name: str) -> str:
    text = json.dumps(name)
    if len(text) <= LONGEST_TEXT:
        return text
    import hashlib

    return f'"{hashlib.sha256(text.encode()).hexdigest()}'


def fields(config: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, Cell]:
    """Return every field that a filter can name, by key."""
    # Most are plain floats; a call for each of a million would take as long as all the rest.
    found: dict[str, Cell] = {
        f"{place}.{key}": (NUMBER, value, None) if type(value) is float and value == value else cell(value)  # noqa: PLR0124 - NaN
        for place, tree in (("summary", summary), ("config", config))
        for key, value in tree.items()
    }
    for path, value in _paths_below(config):
        found.setdefault(f"config.{path}", cell(value))
    return found


def _paths_below(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each path into a tree, the way that filters go first: a key whole, before what lies below its head."""
    below: list[tuple[str, dict[str, Any]]] = [
        (f"{key}.", value) for key, value in config.items() if isinstance(value, dict) and "." not in key
    ]
    while below:
        prefix, tree = below.pop()
        for key, value in tree.items():
            if key:
                yield f"{prefix}{key}", value
            if isinstance(value, dict) and "." not in key:
                below.append((f"{prefix}{key}.", cast("dict[str, Any]", value)))
