"""Writes the files of one sealed segment: points, cells, values, events, console, and their index."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

from runhaven.metric import rule_for
from runhaven.missing import require
from runhaven.sealed import pyramid
from runhaven.sealed.axis import aligned
from runhaven.sealed.chunk import EXACT, ROW, take_apart
from runhaven.sealed.index import ChunkEntry, Index, LevelEntry, SeriesIndex
from runhaven.sealed.parquet import FLOAT, INTEGER, SMALL, TIME, WORD, Field, NumberFile
from runhaven.value import to_json

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.metric import Metric
    from runhaven.sealed.chunk import Chunk, Chunks, Rows
else:
    np = require("numpy", feature="sealing runs", package="runhaven[ui]")

arrow = require("arro3.core", feature="sealing runs", package="runhaven[ui]")
parquet = require("arro3.io", feature="sealing runs", package="runhaven[ui]")

DEFAULT = "default"
"""What the stream "" is called in the files; an empty word would also take arro3's writer ten times as long."""

POINT_PAGE = 8192
CELL_PAGE = 4096
_SLAB = 1 << 15
_TIME = arrow.DataType.timestamp("us", tz="UTC")
_TEXT = arrow.DataType.string()
_WORD = arrow.DataType.dictionary(arrow.DataType.int32(), _TEXT)
_INTEGER = arrow.DataType.int64()


def write_rows(files: Path, groups: Sequence[Rows], metrics: Mapping[str, Metric]) -> Index:
    """Write rows as points, cells and values, and return what lies where.

    Args:
        files: The directory and first part of the names: "<files>.points.parquet" and so on.
        groups: The rows.
        metrics: What `define_metric` said of the axes.

    Raises:
        OSError: If they cannot be written.
    """
    chunks = take_apart(groups)
    listed = _list_series(chunks)
    series = {name[:2]: entry for name, entry in listed.items() if not name[2]}
    columns = _write_points(files.with_name(f"{files.name}.points.parquet"), chunks.points)
    by_series = _by_series(chunks.points)
    cells = _write_cells(files.with_name(f"{files.name}.cells.parquet"), series, by_series, metrics)
    _write_texts(files.with_name(f"{files.name}.values.parquet"), chunks.texts)
    orders = dict.fromkeys((schema.stream, tuple(key for key, _ in schema.cells)) for _, schema, _ in groups)
    schemas = [(stream, list(keys)) for stream, keys in orders]
    rows: dict[str, int] = {}
    for _, schema, blocks in groups:
        rows[schema.stream] = rows.get(schema.stream, 0) + sum(map(len, blocks))
    return Index(list(listed.values()), columns, cells, schemas, rows)


def _by_series(chunks: Sequence[Chunk]) -> dict[tuple[str, str], list[Chunk]]:
    return {name: list(group) for name, group in groupby(chunks, key=lambda chunk: chunk.name[:2])}


# What there is


def _list_series(chunks: Chunks) -> dict[tuple[str, str, bool], SeriesIndex]:
    """Return each series by stream, key and whether it stands for rows without cells."""
    found: dict[tuple[str, str, bool], SeriesIndex] = {}
    for part, is_text in ((chunks.points, False), (chunks.texts, True)):
        start = 0
        for chunk in part:
            name = chunk.name
            entry = found.setdefault(
                (name.stream, name.key, name.type == ROW), SeriesIndex(name.stream, name.key, name.type)
            )
            place = _entry(chunk, start)
            start = place.stop
            (entry.texts if is_text else entry.points).append(place)
            if is_text and name.type == "i":
                _correct_last(entry, chunk)
            else:
                _count(entry, chunk, place)
    return found


def _entry(chunk: Chunk, start: int) -> ChunkEntry:
    steps, times = chunk.steps, chunk.times
    is_sorted = _ascends(steps)
    least, greatest = (int(steps[0]), int(steps[-1])) if is_sorted else (int(steps.min()), int(steps.max()))
    stride = int(steps[1] - steps[0]) if is_sorted and len(steps) > 1 else 0
    is_regular = stride > 0 and all(np.all(part[1:] - part[:-1] == stride) for part in _slabs(steps))
    return ChunkEntry(
        chunk.name.writer, chunk.name.type, start, len(steps), least, greatest, is_sorted, _ascends(times),
        stride if is_regular else 0,
    )  # fmt: skip


def _ascends(values: NDArray[Any]) -> bool:
    return all(np.all(part[1:] >= part[:-1]) for part in _slabs(values))


def _slabs(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield stretches that overlap by one: what is computed of them fits into memory that was used before."""
    return (values[start : start + _SLAB + 1] for start in range(0, len(values), _SLAB))


def _count(entry: SeriesIndex, chunk: Chunk, place: ChunkEntry) -> None:
    entry.count += place.length
    entry.step_min, entry.step_max = min(entry.step_min, place.step_min), max(entry.step_max, place.step_max)
    last_us = int(chunk.times[-1])
    if last_us >= entry.last_us:
        entry.type, entry.last_us, entry.last = chunk.name.type, last_us, _last(chunk)


def _correct_last(entry: SeriesIndex, chunk: Chunk) -> None:
    """Put the exact integer in the place of the newest one, where float64 could not hold it."""
    if entry.type == "i" and abs(entry.last) >= EXACT and int(chunk.times[-1]) == entry.last_us:
        entry.last = int(chunk.values[-1])


def _last(chunk: Chunk) -> Any:
    value = chunk.values[-1]
    if chunk.name.type == "i":
        return int(value)
    if chunk.name.type == "b":
        return bool(value)
    return to_json(float(value)) if chunk.name.type == "f" else value


# Files


@contextmanager
def _created(path: Path) -> Generator[BinaryIO]:
    """Create a file whole: nobody sees it before it is."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - for its mode
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _word(text: str) -> str:
    """Return a word as it is written; what UTF-8 cannot hold of it is escaped: the index has the word exactly."""
    return text.encode("utf-8", "backslashreplace").decode()


# Points


_POINT_FIELDS = [
    Field("stream", WORD, "runs"), Field("key", WORD, "runs"), Field("writer", SMALL, "runs"), Field("row", INTEGER),
    Field("step", INTEGER), Field("time", TIME, "delta"), Field("value", FLOAT),
]  # fmt: skip


def _write_points(path: Path, chunks: Sequence[Chunk]) -> dict[str, Any]:
    if not chunks:
        return {}
    writers = {name: place for place, name in enumerate(sorted({chunk.name.writer for chunk in chunks}))}
    about = {"runhaven.writers": json.dumps(list(writers))}
    with _created(path) as file:
        points = NumberFile(file, _POINT_FIELDS, page=POINT_PAGE, metadata=about)
        for (stream, key, writer, _), *columns in chunks:
            points.add([_word(stream or DEFAULT), _word(key), writers[writer], *columns], len(columns[0]))
        return points.end()


# Texts


def _write(path: Path, fields: Sequence[Any], batches: Iterable[Sequence[Any]]) -> None:
    schema = arrow.Schema(fields)
    found = (arrow.RecordBatch.from_arrays(list(arrays), schema=schema) for arrays in batches)
    with _created(path) as file:
        parquet.write_parquet(arrow.RecordBatchReader.from_batches(schema, found), file, compression="zstd(1)")


def _field(name: str, kind: Any) -> Any:
    return arrow.Field(name, kind, nullable=False)


def _repeated(word: str, count: int) -> Any:
    words = arrow.Array([_word(word)], type=_TEXT).cast(_WORD)
    return words.take(arrow.Array.from_numpy(np.zeros(count, np.int32)))


def _times(times: NDArray[np.int64]) -> Any:
    return arrow.Array.from_numpy(times).cast(_TIME)


_PLACES = [_field("row", _INTEGER), _field("step", _INTEGER), _field("time", _TIME)]


def _write_texts(path: Path, chunks: Sequence[Chunk]) -> None:
    def columns(chunk: Chunk) -> list[Any]:
        words = [_repeated(word, len(chunk.rows)) for word in (chunk.name.stream or DEFAULT, *chunk.name[1:])]
        places = [arrow.Array.from_numpy(chunk.rows), arrow.Array.from_numpy(chunk.steps), _times(chunk.times)]
        return [*words, *places, arrow.Array(chunk.values, type=_TEXT)]

    if chunks:
        names = [_field(name, _WORD) for name in ("stream", "key", "writer", "type")]
        _write(path, [*names, *_PLACES, _field("value", _TEXT)], map(columns, chunks))


# Cells


_CELL_FIELDS = [
    Field("stream", WORD, "runs"), Field("key", WORD, "runs"), Field("axis", WORD, "runs"),
    Field("level", INTEGER, "runs"), Field("step", INTEGER), Field("time", TIME, "delta"), Field("x", FLOAT),
    Field("min", FLOAT), Field("max", FLOAT), Field("last", FLOAT), Field("count", INTEGER), Field("nonfinite", INTEGER),
]  # fmt: skip


def _write_cells(
    path: Path,
    series: Mapping[tuple[str, str], SeriesIndex],
    chunks: Mapping[tuple[str, str], list[Chunk]],
    metrics: Mapping[str, Metric],
) -> dict[str, Any]:
    found: list[tuple[SeriesIndex, pyramid.Level]] = []
    for name, own in chunks.items():
        entry = series[name]
        rule = rule_for(metrics, name[1]) if not name[0].startswith("node=") else None
        entry.axis = rule.step_metric or "" if rule else ""
        points = _along(entry, own, chunks.get((name[0], entry.axis), []))
        entry.cell_points = len(points.values)
        levels = pyramid.build(points)
        entry.has_sorted_times = bool(levels) and _ascends(levels[0].times)
        found += [(entry, level) for level in levels]
    if not found:
        return {}
    rows = 0
    with _created(path) as file:
        cells = NumberFile(file, _CELL_FIELDS, page=CELL_PAGE, metadata={})
        for entry, (size, *columns) in found:
            count = len(columns[0])
            entry.levels.append(LevelEntry(size, rows, count))
            words = map(_word, (entry.stream or DEFAULT, entry.key, entry.axis or "step"))
            cells.add([*words, size, *columns], count)
            rows += count
        return cells.end()


def _along(entry: SeriesIndex, chunks: Sequence[Chunk], axis: Sequence[Chunk]) -> pyramid.Points:
    """Return all points of a series in the order of its axis, those of one writer in the order logged before that."""
    parts: list[pyramid.Points] = []
    for writer, group in groupby(chunks, key=lambda chunk: chunk.name.writer):
        rows, steps, times, values = _in_order(list(group))
        xs: NDArray[Any] = steps
        if entry.axis:
            xs = aligned(rows, steps, [chunk for chunk in axis if chunk.name.writer == writer])
        parts.append(pyramid.Points(steps, times, xs, values))
    points = _concatenated(parts)
    entry.nonfinite = int(np.count_nonzero(~np.isfinite(points.values)))
    has_x = np.isfinite(points.xs)
    is_whole = bool(has_x.all())
    if not is_whole:
        points = points.select(has_x)
    along = points.xs if entry.axis else points.steps
    entry.has_sorted_points = is_whole and len(chunks) == 1 and _ascends(along)
    if _ascends(along):
        return points
    return points.select(np.argsort(along, kind="stable"))


def _in_order(chunks: Sequence[Chunk]) -> tuple[NDArray[Any], ...]:
    """Return rows, steps, times and values of what one writer logged of a series with one type or several."""
    columns = [chunk[1:] for chunk in chunks]
    if len(columns) == 1:
        return columns[0]
    whole = [np.concatenate(parts) for parts in zip(*columns, strict=True)]
    order = np.argsort(whole[0], kind="stable")
    return tuple(column[order] for column in whole)


def _concatenated(parts: Sequence[pyramid.Points]) -> pyramid.Points:
    if len(parts) == 1:
        return parts[0]
    return pyramid.Points(
        np.concatenate([part.steps for part in parts]),
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.xs for part in parts]),
        np.concatenate([part.values for part in parts]),
    )


# Events and console


_EVENT_FIELDS = [
    _field("writer", _TEXT), _field("number", _INTEGER), _field("time", _TIME), _field("event", _TEXT),
    _field("data", _TEXT),
]  # fmt: skip
_LINE_FIELDS = [
    _field("writer", _TEXT), _field("number", _INTEGER), _field("time", _TIME), _field("stream", _TEXT),
    _field("text", _TEXT),
]  # fmt: skip


def write_events(path: Path, events: Sequence[tuple[str, int, int, str, str]]) -> None:
    """Write events, each writer, record number, microseconds, kind and JSON."""
    _write_texts_by_row(path, _EVENT_FIELDS, events)


def write_lines(path: Path, lines: Sequence[tuple[str, int, int, str, str]]) -> None:
    """Write printed lines, each writer, record number, microseconds, stream and text."""
    _write_texts_by_row(path, _LINE_FIELDS, lines)


def _write_texts_by_row(path: Path, fields: Sequence[Any], rows: Sequence[tuple[str, int, int, str, str]]) -> None:
    if rows:
        writers, numbers, times, words, texts = zip(*rows, strict=True)
        batch = [
            arrow.Array(list(writers), type=_TEXT),
            arrow.Array.from_numpy(np.array(numbers, np.int64)),
            _times(np.array(times, np.int64)),
            arrow.Array(list(words), type=_TEXT),
            arrow.Array(list(texts), type=_TEXT),
        ]
        _write(path, fields, [batch])
