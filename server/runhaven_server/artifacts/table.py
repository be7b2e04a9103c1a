"""The first rows of a file that holds a table: CSV, TSV, Parquet or JSON Lines."""

from __future__ import annotations

import csv
import io
import json
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from runhaven.errors import UsageError
from runhaven.missing import require
from runhaven_server.artifacts.shapes import TableShape
from runhaven_server.values import legible, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runhaven.artifacts.artifact import Artifact
    from runhaven.artifacts.manifest import Entry

_PLAIN = {type(None), str, bool, int, float, list, dict}


def first_rows(artifact: Artifact, entry: Entry, limit: int) -> TableShape:
    """Return the first rows of a table.

    Raises:
        UsageError: If the file holds no table that we read, or is damaged.
        StoreError: If its bytes are lost.
    """
    suffix = entry.path.rpartition(".")[2].lower()
    read = _READERS.get(suffix)
    if read is None:
        message = f"{entry.path!r} is no table: its name ends in none of {', '.join(sorted(_READERS))}."
        raise UsageError(message)
    with artifact.open_entry(entry) as file:
        try:
            return read(file, limit)
        except (ValueError, LookupError, TypeError, csv.Error) as error:
            message = f"{entry.path!r} cannot be read as a table: {error}"
            raise UsageError(message) from error


def _delimited(file: BinaryIO, limit: int, *, delimiter: str) -> TableShape:
    text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
    reader = csv.reader(text, delimiter=delimiter)
    columns = next(reader, list[str]())
    rows: list[list[Any]] = list(islice(reader, limit))
    is_whole = next(reader, None) is None
    return TableShape(columns=columns, rows=rows, total=len(rows) if is_whole else None)


def _json_lines(file: BinaryIO, limit: int) -> TableShape:
    found = [cast("dict[str, Any]", json.loads(line)) for line in islice(file, limit)]
    columns = list(dict.fromkeys(key for item in found for key in item))
    rows = [[plain(item.get(key)) for key in columns] for item in found]
    is_whole = not file.read(1)
    return TableShape(columns=[legible(key) for key in columns], rows=rows, total=len(rows) if is_whole else None)


def _parquet(file: BinaryIO, limit: int) -> TableShape:
    parquet = require("arro3.io", feature="reading Parquet", package="runhaven[ui]")
    columns: list[str] = []
    rows: list[list[Any]] = []
    try:
        batches = parquet.read_parquet(file)
        columns += [legible(str(field.name)) for field in batches.schema]
        for batch in batches:
            taken = batch.slice(0, min(batch.num_rows, limit - len(rows)))
            held = [[plain(_shown(value.as_py())) for value in taken.column(at)] for at in range(len(columns))]
            rows += [list(row) for row in zip(*held, strict=True)]
            if len(rows) >= limit:
                break
    except BaseException as error:
        # Where a file is damaged, the reader panics, which is no `Exception`.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        message = str(error)
        raise ValueError(message) from error
    return TableShape(columns=columns, rows=rows, total=None)


def _shown(value: Any) -> Any:
    """Return what JSON has no word for, such as a time, as a text."""
    return value if type(value) in _PLAIN else str(value)


_READERS: Mapping[str, Callable[[BinaryIO, int], TableShape]] = {
    "csv": lambda file, limit: _delimited(file, limit, delimiter=","),
    "tsv": lambda file, limit: _delimited(file, limit, delimiter="\t"),
    "jsonl": _json_lines,
    "parquet": _parquet,
}
