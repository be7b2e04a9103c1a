"""Writes batches of columns as CSV, JSON Lines or Parquet, as they come."""

from __future__ import annotations

import csv
import io
import json
import math
from array import array
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from runhaven.api.frame import as_text
from runhaven.missing import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO, TextIO

FileFormat: TypeAlias = Literal["parquet", "csv", "jsonl"]

ABSENT: Any = object()
"""Stands where a row has no such cell at all."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = 2**53


class Field(NamedTuple):
    """A column.

    Attributes:
        name: Its name.
        kind: "f", "i", "b", "s" and "j" as `CellType` names them; "t" microseconds since the epoch; "w" words that
            repeat; "*" whatever was logged.
    """

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """A column of one value.

    Attributes:
        value: The value.
        count: How often it comes.
    """

    value: Any
    count: int

    def __iter__(self) -> Iterator[Any]:
        """Repeat it."""
        return repeat(self.value, self.count)


Batch: TypeAlias = "Sequence[Iterable[Any]]"
"""One column for each field, all of one length."""


def write(file: BinaryIO, form: FileFormat, fields: Sequence[Field], batches: Iterable[Batch]) -> None:
    """Write a file.

    Args:
        file: Where to.
        form: Its format.
        fields: The columns.
        batches: Their values.

    Raises:
        ImportError: If a package that Parquet needs is missing.
        OSError: If it cannot be written.
    """
    if form == "parquet":
        _write_parquet(file, fields, batches)
        return
    # A lone surrogate becomes an escape: in JSON one that is read as what it was.
    text = io.TextIOWrapper(file, "utf-8", errors="backslashreplace", newline="", write_through=True)
    try:
        (_write_csv if form == "csv" else _write_lines)(text, fields, batches)
        text.flush()
    finally:
        text.detach()


# Texts


def _write_csv(file: TextIO, fields: Sequence[Field], batches: Iterable[Batch]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(field.name for field in fields)
    forms = [_time if field.kind == "t" else _csv_cell for field in fields]
    for batch in batches:
        writer.writerows(zip(*(map(form, column) for form, column in zip(forms, batch, strict=True)), strict=True))


def _csv_cell(value: Any) -> Any:
    if value is ABSENT or value is None:
        return ""
    if type(value) is float:
        return repr(value) if math.isfinite(value) else _non_finite(value)
    return value if type(value) is int or type(value) is str else as_text(value)


def _write_lines(file: TextIO, fields: Sequence[Field], batches: Iterable[Batch]) -> None:
    names = [field.name for field in fields]
    times = [at for at, field in enumerate(fields) if field.kind == "t"]
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
    for batch in batches:
        columns = [map(_time, column) if at in times else column for at, column in enumerate(batch)]
        for cells in zip(*columns, strict=True):
            row = {name: cell for name, cell in zip(names, cells, strict=True) if cell is not ABSENT}
            try:
                line = encode(row)
            except ValueError:
                line = encode(finite(row))
            file.write(line + "\n")


def finite(data: Any) -> Any:
    """Return data with "NaN", "Infinity" and "-Infinity" for the numbers that JSON lacks."""
    if isinstance(data, float) and not math.isfinite(data):
        return _non_finite(data)
    if isinstance(data, dict):
        return {str(key): finite(value) for key, value in data.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]  # pyright: ignore[reportUnknownVariableType]
    return data


def _non_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _time(time_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat(timespec="microseconds").replace("+00:00", "Z")


# Parquet


def _write_parquet(file: BinaryIO, fields: Sequence[Field], batches: Iterable[Batch]) -> None:
    arrow = require("arro3.core", feature="writing Parquet", package="runhaven[ui]")
    parquet = require("arro3.io", feature="writing Parquet", package="runhaven[ui]")
    kinds = _arrow_types(arrow)
    split = [one for field in fields for one in _split(field)]
    schema = arrow.Schema([arrow.Field(field.name, kinds[field.kind], nullable=True) for field in split])
    failures: list[Exception] = []

    def found() -> Iterator[Any]:
        try:
            for batch in batches:
                yield arrow.RecordBatch.from_arrays(_arrow_columns(arrow, kinds, fields, batch), schema=schema)
        except Exception as error:
            failures.append(error)
            raise

    try:
        parquet.write_parquet(arrow.RecordBatchReader.from_batches(schema, found()), file, compression="zstd(1)")
    except Exception as error:  # noqa: BLE001 - of whatever went wrong in our own batches, only a text comes back
        raise (failures[0] if failures else error) from None


def _arrow_types(arrow: Any) -> dict[str, Any]:
    kind, text = arrow.DataType, arrow.DataType.string()
    numbers = {"f": kind.float64(), "i": kind.int64(), "b": kind.bool(), "t": kind.timestamp("us", tz="UTC")}
    return numbers | {"s": text, "j": text, "w": kind.dictionary(kind.int32(), text)}


def _split(field: Field) -> list[Field]:
    """Return what a column becomes: one of anything becomes the numbers, and beside them what is none."""
    return [Field(field.name, "f"), Field("text", "s")] if field.kind == "*" else [field]


def _arrow_columns(arrow: Any, kinds: dict[str, Any], fields: Sequence[Field], batch: Batch) -> list[Any]:
    pairs = zip(fields, batch, strict=True)
    return list(chain.from_iterable(_arrow(arrow, kinds, field.kind, column) for field, column in pairs))


def _arrow(arrow: Any, kinds: dict[str, Any], kind: str, column: Iterable[Any]) -> list[Any]:
    if isinstance(column, Repeated):
        return [_repeated(arrow, kinds, column)]
    if kind == "*":
        return _arrow_of_any(arrow, kinds, column)
    if isinstance(column, array | memoryview):
        return [_from_buffer(arrow, column).cast(kinds[kind])]
    change = _CHANGES[kind]
    values = [None if value is None or value is ABSENT else change(value) for value in column]
    if kind in "tw":
        return [arrow.Array(values, type=kinds["i" if kind == "t" else "s"]).cast(kinds[kind])]
    return [arrow.Array(values, type=kinds[kind])]


def _word(text: Any) -> str:
    return (as_text(text) or "").encode("utf-8", "backslashreplace").decode()


_CHANGES: dict[str, Callable[[Any], Any]] = {
    "f": float,
    "i": int,
    "t": int,
    "b": bool,
    "s": _word,
    "w": _word,
    "j": lambda value: _word(json.dumps(finite(value), ensure_ascii=False)),
}


def _from_buffer(arrow: Any, column: Any) -> Any:
    numpy = require("numpy", feature="writing Parquet", package="runhaven[ui]")
    return arrow.Array.from_numpy(numpy.asarray(column))


def _repeated(arrow: Any, kinds: dict[str, Any], column: Repeated) -> Any:
    numpy = require("numpy", feature="writing Parquet", package="runhaven[ui]")
    word = arrow.Array([_word(column.value)], type=kinds["s"]).cast(kinds["w"])
    return word.take(arrow.Array.from_numpy(numpy.zeros(column.count, numpy.int32)))


def _arrow_of_any(arrow: Any, kinds: dict[str, Any], column: Iterable[Any]) -> list[Any]:
    """Return numbers as floats, and beside them, as text, all that is not a number or not exact as a float."""
    if isinstance(column, array | memoryview):
        numbers = _from_buffer(arrow, column).cast(kinds["f"])
        has_large = memoryview(column).format == "q" and any(abs(value) > _EXACT for value in column)
        texts = [str(value) if abs(value) > _EXACT else None for value in column] if has_large else None
        return [numbers, arrow.Array(texts or [None] * len(numbers), type=kinds["s"])]
    values = list(column)
    is_number = [isinstance(value, int | float) for value in values]
    floats = [float(value) if known else None for value, known in zip(values, is_number, strict=True)]
    texts = [_text_beside(value, is_number=known) for value, known in zip(values, is_number, strict=True)]
    return [arrow.Array(floats, type=kinds["f"]), arrow.Array(texts, type=kinds["s"])]


def _text_beside(value: Any, *, is_number: bool) -> str | None:
    if not is_number:
        return _word(value if isinstance(value, str) else json.dumps(finite(value), ensure_ascii=False))
    return str(value) if isinstance(value, int) and abs(value) > _EXACT else None
