"""Writes the files of one sealed segment: points, cells, values, events, console, and their index."""

from __future__ import annotations

import json
import mmap
import os
import secrets
from itertools import groupby
from typing import TYPE_CHECKING, Any

from runhaven.metric import rule_for
from runhaven.missing import require
from runhaven.sealed import pyramid
from runhaven.sealed.axis import aligned
from runhaven.sealed.chunk import EXACT, ROW, take_apart
from runhaven.sealed.index import ChunkEntry, Index, LevelEntry, SeriesIndex
from runhaven.sealed.pages import columns_of
from runhaven.value import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.metric import Metric
    from runhaven.sealed.chunk import Chunk, Chunks, Rows
else:
    np = require("numpy", feature="sealing runs", package="runhaven[ui]")

arrow = require("arro3.core", feature="sealing runs", package="runhaven[ui]")
parquet = require("arro3.io", feature="sealing runs", package="runhaven[ui]")

DEFAULT = "default"
"""What the stream "" is called in the files; an empty word would also take the writer ten times as long."""

POINT_PAGE = 8192
CELL_PAGE = 4096
_ROW_GROUP = 1 << 20
_TIME = arrow.DataType.timestamp("us", tz="UTC")
_TEXT = arrow.DataType.string()
_WORD = arrow.DataType.dictionary(arrow.DataType.int32(), _TEXT)
_SMALL, _INTEGER, _FLOAT = arrow.DataType.int32(), arrow.DataType.int64(), arrow.DataType.float64()


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
    is_regular = stride > 0 and bool(np.all(steps[1:] - steps[:-1] == stride))
    return ChunkEntry(
        chunk.name.writer, chunk.name.type, start, len(steps), least, greatest, is_sorted, _ascends(times),
        stride if is_regular else 0,
    )  # fmt: skip


def _ascends(values: NDArray[Any]) -> bool:
    return bool(np.all(values[1:] >= values[:-1]))


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


def _write(path: Path, fields: Sequence[Any], batches: Iterable[Sequence[Any]], **options: Any) -> None:
    """Write a file whole: nobody sees it before it is."""
    schema = arrow.Schema(fields)
    found = (arrow.RecordBatch.from_arrays(list(arrays), schema=schema) for arrays in batches)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - for its mode
            parquet.write_parquet(
                arrow.RecordBatchReader.from_batches(schema, found),
                file,
                compression="zstd(1)",
                max_row_group_size=_ROW_GROUP,
                **options,
            )
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _field(name: str, kind: Any) -> Any:
    return arrow.Field(name, kind, nullable=False)


def _columns(path: Path) -> dict[str, Any]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return {name: list(column) for name, column in columns_of(memoryview(bytes(data))).items()}


def _repeated(word: str, count: int) -> Any:
    """Return a column of one word; what UTF-8 cannot hold of it is escaped: the index has the word exactly."""
    words = arrow.Array([word.encode("utf-8", "backslashreplace").decode()], type=_TEXT).cast(_WORD)
    return words.take(arrow.Array.from_numpy(np.zeros(count, np.int32)))


_PLACES = [_field("row", _INTEGER), _field("step", _INTEGER), _field("time", _TIME)]
_POINT_ENCODING = {
    "writer": "plain", "row": "byte_stream_split", "step": "byte_stream_split", "time": "delta_binary_packed", "value": "byte_stream_split",
}  # fmt: skip


def _places(chunk: Chunk) -> list[Any]:
    return [arrow.Array.from_numpy(chunk.rows), arrow.Array.from_numpy(chunk.steps), _times(chunk.times)]


def _times(times: NDArray[np.int64]) -> Any:
    return arrow.Array.from_numpy(times).cast(_TIME)


def _write_points(path: Path, chunks: Sequence[Chunk]) -> dict[str, Any]:
    if not chunks:
        return {}
    writers = {name: place for place, name in enumerate(sorted({chunk.name.writer for chunk in chunks}))}

    def columns(chunk: Chunk) -> list[Any]:
        count = len(chunk.rows)
        writer = arrow.Array.from_numpy(np.full(count, writers[chunk.name.writer], np.int32))
        words = [_repeated(chunk.name.stream or DEFAULT, count), _repeated(chunk.name.key, count)]
        return [*words, writer, *_places(chunk), arrow.Array.from_numpy(chunk.values)]

    _write(
        path,
        [_field("stream", _WORD), _field("key", _WORD), _field("writer", _SMALL), *_PLACES, _field("value", _FLOAT)],
        map(columns, chunks),
        column_dictionary_enabled=dict.fromkeys(_POINT_ENCODING, False),
        column_encoding=_POINT_ENCODING,
        data_page_row_count_limit=POINT_PAGE,
        write_batch_size=POINT_PAGE,
        key_value_metadata={"runhaven.writers": json.dumps(list(writers))},
    )
    return _columns(path)


def _write_texts(path: Path, chunks: Sequence[Chunk]) -> None:
    def columns(chunk: Chunk) -> list[Any]:
        words = [_repeated(word, len(chunk.rows)) for word in (chunk.name.stream or DEFAULT, *chunk.name[1:])]
        return [*words, *_places(chunk), arrow.Array(chunk.values, type=_TEXT)]

    if chunks:
        names = [_field(name, _WORD) for name in ("stream", "key", "writer", "type")]
        _write(path, [*names, *_PLACES, _field("value", _TEXT)], map(columns, chunks))


# Cells


_CELL_FIELDS = [
    _field("stream", _WORD), _field("key", _WORD), _field("axis", _WORD), _field("level", _INTEGER),
    _field("step", _INTEGER), _field("time", _TIME), _field("x", _FLOAT), _field("min", _FLOAT),
    _field("max", _FLOAT), _field("last", _FLOAT), _field("count", _INTEGER), _field("nonfinite", _INTEGER),
]  # fmt: skip
_CELL_ENCODING = dict.fromkeys(("step", "x", "min", "max", "last", "count", "nonfinite", "level"), "byte_stream_split")


def _write_cells(
    path: Path,
    series: Mapping[tuple[str, str], SeriesIndex],
    chunks: Mapping[tuple[str, str], list[Chunk]],
    metrics: Mapping[str, Metric],
) -> dict[str, Any]:
    rows = 0

    def batches() -> Iterator[list[Any]]:
        nonlocal rows
        for name, own in chunks.items():
            entry = series[name]
            rule = rule_for(metrics, name[1]) if not name[0].startswith("node=") else None
            entry.axis = rule.step_metric or "" if rule else ""
            points = _along(entry, own, chunks.get((name[0], entry.axis), []))
            entry.cell_points = len(points.values)
            for level in pyramid.build(points):
                count = len(level.steps)
                entry.levels.append(LevelEntry(level.size, rows, count))
                entry.has_sorted_times = _ascends(level.times) if level.size == pyramid.BASE else entry.has_sorted_times
                rows += count
                yield _cell_columns(entry, level)

    own = iter(batches())
    first = next(own, None)
    if first is None:
        return {}
    _write(
        path,
        _CELL_FIELDS,
        (batch for batch in _chained(first, own)),
        column_dictionary_enabled=dict.fromkeys((*_CELL_ENCODING, "time"), False),
        column_encoding=_CELL_ENCODING | {"time": "delta_binary_packed"},
        data_page_row_count_limit=CELL_PAGE,
        write_batch_size=CELL_PAGE,
    )
    return _columns(path)


def _chained(first: list[Any], rest: Iterator[list[Any]]) -> Iterator[list[Any]]:
    yield first
    yield from rest


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


def _cell_columns(entry: SeriesIndex, level: pyramid.Level) -> list[Any]:
    count = len(level.steps)
    names = [_repeated(word, count) for word in (entry.stream or DEFAULT, entry.key, entry.axis or "step")]
    rest = (level.xs, level.lows, level.highs, level.lasts, level.counts, level.nonfinite)
    size = np.full(count, level.size, np.int64)
    return [
        *names,
        arrow.Array.from_numpy(size),
        arrow.Array.from_numpy(level.steps),
        _times(level.times),
        *map(arrow.Array.from_numpy, rest),
    ]


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
