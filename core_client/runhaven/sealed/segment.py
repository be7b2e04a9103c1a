"""Reads one sealed segment: chunks of points, cells of the pyramid, rows, events and lines."""

from __future__ import annotations

import json
import os
import threading
from base64 import b64decode
from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from runhaven.errors import StoreError
from runhaven.journal.column import native
from runhaven.journal.record import Event, RowBlock, Schema
from runhaven.missing import require
from runhaven.sealed import index as indexes
from runhaven.sealed.chunk import ROW, Chunk, ChunkName
from runhaven.sealed.pages import Column, read_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.journal.record import CellType
    from runhaven.journal.record import Column as Cells
    from runhaven.sealed.index import ChunkEntry, Index, LevelEntry, SeriesIndex
else:
    np = require("numpy", feature="reading sealed runs", package="runhaven[ui]")

arrow = require("arro3.core", feature="reading sealed runs", package="runhaven[ui]")
parquet = require("arro3.io", feature="reading sealed runs", package="runhaven[ui]")

CACHE_BYTES = 256 << 20


class _Cache:
    """The stretches of columns that were read last, up to so many bytes in all; shared by all segments."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._held: OrderedDict[tuple[str, str, int, int], NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, place: tuple[str, str, int, int]) -> NDArray[Any] | None:
        with self._lock:
            found = self._held.get(place)
            if found is not None:
                self._held.move_to_end(place)
            return found

    def put(self, place: tuple[str, str, int, int], values: NDArray[Any]) -> None:
        with self._lock:
            if place not in self._held:
                self._held[place] = values
                self._left -= values.nbytes
            while self._left < 0 and self._held:
                _, oldest = self._held.popitem(last=False)
                self._left += oldest.nbytes


_cache = _Cache(CACHE_BYTES)


class Line(NamedTuple):
    """A printed line: writer, microseconds since the epoch, "stdout" or "stderr", text."""

    writer: str
    time_us: int
    stream: str
    text: str


class _Texts(NamedTuple):
    """The columns of values.parquet; the texts as Arrow holds them, which is compact."""

    rows: NDArray[np.int64]
    steps: NDArray[np.int64]
    times: NDArray[np.int64]
    values: Any


class Segment:
    """One sealed segment; reads nothing before it is asked.

    Attributes:
        name: Its name.
    """

    def __init__(self, directory: Path, name: str) -> None:
        """Name a segment."""
        self.name = name
        self._files = directory / name
        self._index: Index | None = None
        self._series: dict[tuple[str, str], SeriesIndex] = {}
        self._lock = threading.Lock()

    def _path(self, part: str) -> Path:
        return self._files.with_name(f"{self.name}.{part}")

    @property
    def index(self) -> Index:
        """What it holds.

        Raises:
            StoreError: If it cannot be read.
            OSError: If it is gone.
        """
        with self._lock:
            if self._index is None:
                self._index = indexes.load(self._path("index.json").read_bytes())
                self._series = {
                    (series.stream, series.key): series for series in self._index.series if series.type != ROW
                }
        return self._index

    def series(self, stream: str, key: str) -> SeriesIndex | None:
        """Return one series; None if it has no such one."""
        _ = self.index
        return self._series.get((stream, key))

    # Columns

    def points(self, names: Sequence[str], start: int, stop: int) -> list[NDArray[Any]]:
        """Return a stretch of columns of points.parquet: "row", "step", "time" (microseconds) or "value"."""
        return self._read("points.parquet", self.index.points, names, start, stop)

    def cells(self, names: Sequence[str], level: LevelEntry) -> list[NDArray[Any]]:
        """Return columns of a level: "step", "time", "x", "min", "max", "last", "count" or "nonfinite"."""
        return self._read("cells.parquet", self.index.cells, names, level.start, level.start + level.length)

    def _read(
        self, part: str, columns: dict[str, Any], names: Sequence[str], start: int, stop: int
    ) -> list[NDArray[Any]]:
        path = f"{self._files}.{part}"
        found = [_cache.get((path, name, start, stop)) for name in names]
        if all(values is not None for values in found):
            return cast("list[NDArray[Any]]", found)
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            read = [_read_column(fd, path, columns, name, start, stop) for name in names]
        finally:
            os.close(fd)
        for name, values in zip(names, read, strict=True):
            _cache.put((path, name, start, stop), values)
        return read

    # Chunks

    def chunk(self, series: SeriesIndex, entry: ChunkEntry) -> Chunk:
        """Return all points of a chunk."""
        columns = self.points(("row", "step", "time", "value"), entry.start, entry.stop)
        return Chunk(ChunkName(series.stream, series.key, entry.writer, entry.type), *columns)

    def text_chunk(self, series: SeriesIndex, entry: ChunkEntry) -> Chunk:
        """Return all texts of a chunk; its values are decoded."""
        found = self._texts
        span = slice(entry.start, entry.stop)
        texts: list[Any] = found.values.slice(entry.start, entry.length).to_pylist()
        values = texts
        if entry.type in "jS":
            values = [json.loads(text) for text in texts]
        elif entry.type == "i":
            values = [int(text) for text in texts]
        name = ChunkName(series.stream, series.key, entry.writer, entry.type)
        return Chunk(name, found.rows[span], found.steps[span], found.times[span], values)

    @cached_property
    def _texts(self) -> _Texts:
        """All texts, read once: each series asks for a stretch of them."""
        table = _read_table(self._path("values.parquet"))
        rows, steps, times = (_numbers(table, name) for name in ("row", "step", "time"))
        return _Texts(rows, steps, times, table["value"])

    def texts(self) -> list[str]:
        """Return the text of every cell that is no number, as it is stored."""
        if not self._path("values.parquet").exists():
            return []
        found: list[str] = self._texts.values.to_pylist()
        return found

    # Events

    def replay(self) -> Iterator[RowBlock | Event]:
        """Yield the events, and the rows that no snapshot sums up."""
        for writer, number, _, kind, data in self._rows(
            "events.parquet", ("writer", "number", "time", "event", "data")
        ):
            content = json.loads(data)
            yield _block(writer, content) if kind == "rows" else Event(writer, number, content)

    def lines(self) -> Iterator[Line]:
        """Yield what was printed."""
        for writer, _, time, stream, text in self._rows(
            "console.parquet", ("writer", "number", "time", "stream", "text")
        ):
            yield Line(writer, time, stream, text)

    def _rows(self, part: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
        path = self._path(part)
        if path.exists():
            table = _read_table(path)
            found = [
                _numbers(table, name).tolist() if name in ("number", "time") else table[name].to_pylist()
                for name in columns
            ]
            yield from zip(*found, strict=True)


def exact(chunks: list[Chunk], texts: list[Chunk]) -> Iterator[Chunk]:
    """Yield chunks whose values are what was logged: integers are integers, of any size."""
    large = {chunk.name: chunk for chunk in texts if chunk.name.type == "i"}
    for chunk in chunks:
        if chunk.name.type != "i":
            yield chunk
            continue
        with np.errstate(invalid="ignore"):
            # What float64 cannot hold is put right below.
            values = chunk.values.astype(np.int64)
        if (found := large.get(chunk.name)) is not None:
            values[np.searchsorted(chunk.rows, found.rows)] = found.values
        yield chunk._replace(values=values)
    yield from (chunk for chunk in texts if chunk.name.type != "i")


def _numbers(table: Any, column: str) -> NDArray[np.int64]:
    return table[column].combine_chunks().cast(arrow.DataType.int64()).to_numpy()


def _read_table(path: Path | str) -> Any:
    """Read a whole file.

    Raises:
        StoreError: If it cannot be read.
    """
    try:
        return parquet.read_parquet(path, batch_size=1 << 16).read_all()
    except BaseException as error:
        # What Rust calls a panic is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        message = f"{path} is damaged ({error}). While the run's journals are there, `runhaven seal --again` mends it."
        raise StoreError(message) from error


def _read_column(fd: int, path: str, columns: dict[str, Any], name: str, start: int, stop: int) -> NDArray[Any]:
    try:
        return read_column(fd, Column(*columns[name]), start, stop)
    except (ValueError, KeyError):
        # A page of a kind that is not known here: another reader takes the whole column.
        table = _read_table(path)
        whole = _numbers(table, name) if name == "time" else table[name].combine_chunks().to_numpy()
        return whole[start:stop]


def _block(writer: str, content: dict[str, Any]) -> RowBlock:
    schema = Schema(content["stream"], tuple((key, kind) for key, kind in content["cells"]))
    columns = tuple(_column(kind, column) for (_, kind), column in zip(schema.cells, content["columns"], strict=True))
    numbers, steps, times = (
        native(code, b64decode(content[name])) for code, name in (("Q", "numbers"), ("q", "steps"), ("q", "times"))
    )
    return RowBlock(writer, schema, numbers, steps, times, columns)


def _column(kind: CellType, stored: Any) -> Cells:
    if kind in "sj":
        return cast("list[Any]", stored)
    data = b64decode(stored)
    return bytearray(data) if kind == "b" else native("d" if kind == "f" else "q", data)
