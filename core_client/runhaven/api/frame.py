"""Rows as the data frame that a caller asks for; neither pandas nor polars is needed until one is."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from runhaven.errors import UsageError
from runhaven.missing import require
from runhaven.value import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

Format: TypeAlias = Literal["rows", "pandas", "polars"]
"""A list of dicts, a `pandas.DataFrame`, or a `polars.DataFrame`."""


def check_format(name: str) -> None:
    """Make sure that a format is one.

    Raises:
        UsageError: If it is not.
    """
    if name not in get_args(Format):
        message = f"format={name!r} is not known; choose 'rows', 'pandas' or 'polars'."
        raise UsageError(message)


def to_frame(rows: list[dict[str, Any]], form: Format | None = None) -> Any:
    """Return rows as what is asked for.

    Args:
        rows: The rows; they need not have the same keys.
        form: What to make of them; None for a `pandas.DataFrame` where pandas is installed, else the rows.

    Raises:
        ImportError: If the package is missing.
        UsageError: If `form` is not known.
    """
    if form is None:
        return _pandas_if_installed(rows)
    check_format(form)
    if form == "rows":
        return rows
    if form == "pandas":
        return _to_pandas(require("pandas", feature="a pandas frame"), rows)
    polars = require("polars", feature="a polars frame")
    return polars.DataFrame([_series(polars, key, rows) for key in dict.fromkeys(key for row in rows for key in row)])


def _pandas_if_installed(rows: list[dict[str, Any]]) -> Any:
    try:
        pandas: Any = importlib.import_module("pandas")
    except ImportError:
        return rows
    return _to_pandas(pandas, rows)


def _to_pandas(pandas: Any, rows: list[dict[str, Any]]) -> Any:
    try:
        return pandas.DataFrame(rows)
    except UnicodeEncodeError:
        return pandas.DataFrame([{key: _sound(value) for key, value in row.items()} for row in rows])


def _series(polars: Any, key: str, rows: Sequence[dict[str, Any]]) -> Any:
    """Return a column; what has no type of its own there becomes text, integers among floats become floats."""
    values = [row.get(key) for row in rows]
    kinds: set[type] = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        values = [None if value is None else float(value) for value in values]
    elif len(kinds) > 1 or kinds & {dict, list}:
        values, kinds = [as_text(value) for value in values], {str}
    return polars.Series(key, [_sound(value) for value in values] if str in kinds else values)


def _sound(value: Any) -> Any:
    """Return a text with what UTF-8 cannot hold of it escaped, and anything else as it is."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def as_text(value: Any) -> str | None:
    """Return a text as it is, and anything else but None as JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(to_json(value), ensure_ascii=False)
