"""The cells of a table: what type they are, how they are taken, and what JSON they become."""

from __future__ import annotations

import copy
import datetime as dt
from typing import TYPE_CHECKING, Any, cast

from runhaven.media.kind import Media
from runhaven.media.source import hold
from runhaven.media.wrapping import wrap
from runhaven.rich import is_rich
from runhaven.value import family, from_json, to_json, to_number

if TYPE_CHECKING:
    from runhaven.media import filing
    from runhaven.media.kind import Sink

_FIXED = (str, int, float, bool, complex, bytes, type(None), dt.date, dt.time, dt.timedelta)
_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})
_GUESSED_BYTES = 64
_WORDS: tuple[tuple[Any, str], ...] = (
    (type(None), "none"), (str, "string"), ((list, tuple), "list"), (dict, "dict"),
)  # fmt: skip


def type_word(value: Any) -> str:
    """Return the word for a value's type: "number", "string", "boolean", "none", "image-file" and so on."""
    number = to_number(value)
    if isinstance(value, Media):
        return value.type_name
    if number is not None:
        return "boolean" if isinstance(number, bool) else "number"
    if hasattr(value, "puts_channels_first"):
        return "array" if value.shape else "number"
    if family(value) in ("numpy", "torch", "jax"):
        return "array"
    return next((word for kind, word in _WORDS if isinstance(value, kind)), type(value).__name__)


def take(value: Any) -> Any:
    """Return a value that the caller cannot change any more."""
    if isinstance(value, _FIXED):
        return value
    if is_rich(value):
        found = wrap(value)
        return value if found is None else found.snapshot()
    if family(value) in ("numpy", "torch", "jax"):
        number = None if value.shape else to_number(value)
        return hold(value) if number is None else number
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - a user's object may refuse to be copied in any way
        return to_json(value)


def take_row(row: list[Any]) -> list[Any]:
    """Return a row that the caller cannot change any more."""
    return list(row) if _PLAIN.issuperset(map(type, row)) else [take(value) for value in row]


def weigh_row(row: list[Any]) -> int:
    """Return about how many bytes a row holds."""
    return len(row) * _GUESSED_BYTES if _PLAIN.issuperset(map(type, row)) else sum(map(weight, row))


def weight(value: Any) -> int:
    """Return about how many bytes a value holds."""
    if isinstance(value, Media):
        return 0 if value.problem is not None else value.weight()
    return int(getattr(value, "nbytes", _GUESSED_BYTES)) if not isinstance(value, _FIXED) else _GUESSED_BYTES


def keep(value: Any, sink: Sink) -> Any:
    """Return the JSON of a cell that was taken; media are kept, and one that cannot be stands as an error."""
    if isinstance(value, Media):
        try:
            value.verify()
            return value.keep(sink)
        except Exception as error:  # noqa: BLE001 - one bad picture does not cost the table
            return error_for(value, error)
    if isinstance(value, list | tuple):
        return [keep(item, sink) for item in cast("list[Any]", value)]
    if hasattr(value, "puts_channels_first"):
        value = value.array()
    # Every value of an array, where a row of metrics would only say that there was one.
    return to_json(value.tolist() if family(value) in ("numpy", "torch") else value)


def restore(value: Any, artifact: filing.Artifact) -> Any:
    """Return a cell of an artifact's table, made of its JSON."""
    from runhaven.media.loading import kind_of

    if isinstance(value, list):
        return [restore(item, artifact) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    reference = cast("dict[str, Any]", value)
    if "_type" in reference and "items" in reference:
        return restore(reference["items"], artifact)
    kind = kind_of(reference)
    return from_json(reference) if kind is None else kind.from_reference(reference, artifact)


def error_for(value: object, error: BaseException) -> dict[str, Any]:
    """Return what stands for a value that could not be kept."""
    return {"_type": "error", "class": type(value).__name__, "message": str(error) or type(error).__name__}
