"""A run's rows, taken apart into chunks: the points of one series, one writer and one type, in the order logged."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.missing import require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.journal.record import CellType, RowBlock, Schema

    Integers = NDArray[np.int64]
else:
    np = require("numpy", feature="sealing runs", package="runhaven[ui]")

EXACT = 2**53
"""Integers up to here are exact as float64; greater ones are kept as text beside the point."""

_TYPES = {"f": np.dtype(np.float64), "i": np.dtype(np.int64), "b": np.dtype(np.uint8)}

ROW = "-"
"""The type of a text that stands for a row without any cell."""


class ChunkName(NamedTuple):
    """What the points of a chunk share; also the order of chunks in a file.

    Attributes:
        stream: The series' stream.
        key: The series' key.
        writer: Name of the writer.
        type: Type of the cells.
    """

    stream: str
    key: str
    writer: str
    type: str


class Chunk(NamedTuple):
    """Points of one series, writer and type.

    Attributes:
        name: What they share.
        rows: Record numbers, ascending.
        steps: Steps.
        times: Wall times, microseconds since the epoch.
        values: Values, float64; of a chunk of texts a list of strings.
    """

    name: ChunkName
    rows: Integers
    steps: Integers
    times: Integers
    values: Any


class Chunks(NamedTuple):
    """All chunks of some rows, in the order of their names."""

    points: list[Chunk]
    texts: list[Chunk]


class Rows(NamedTuple):
    """Rows of one writer and one schema, block by block in the order logged."""

    writer: str
    schema: Schema
    blocks: list[RowBlock]


def take_apart(groups: Iterable[Rows]) -> Chunks:
    """Return the chunks of all rows, writer by writer and schema by schema."""
    points: list[Chunk] = []
    texts: list[Chunk] = []
    for writer, schema, blocks in groups:
        rows, steps, times = (
            _whole([getattr(block, name) for block in blocks], "i") for name in ("numbers", "steps", "times")
        )
        if not schema.cells:
            name = ChunkName(schema.stream, "", writer, ROW)
            texts.append(Chunk(name, rows, steps, times, [""] * len(rows)))
        for index, (key, kind) in enumerate(schema.cells):
            parts: list[Any] = [block.columns[index] for block in blocks]
            chunk = Chunk(ChunkName(schema.stream, key, writer, kind), rows, steps, times, [])
            if kind in "sj":
                texts += _texts(chunk._replace(values=[text for part in parts for text in part]))
                continue
            values = _whole(parts, kind)
            points.append(chunk._replace(values=values.astype(np.float64, copy=False)))
            if kind == "i":
                texts += _large(chunk._replace(values=values))
    return Chunks(_joined(points), _joined(texts))


def _whole(parts: Sequence[Any], kind: str) -> NDArray[Any]:
    """Return numbers of several blocks as one array, those of a single one without a copy."""
    found = [np.frombuffer(part, _TYPES[kind]) for part in parts]
    return found[0] if len(found) == 1 else np.concatenate(found)


def to_floats(kind: CellType, column: Any) -> NDArray[np.float64]:
    """Return a column of numbers as float64, a view where it can be one."""
    return np.frombuffer(column, _TYPES[kind]).astype(np.float64, copy=False)


def _texts(chunk: Chunk) -> Iterator[Chunk]:
    """Yield a chunk of strings or JSON as texts; strings that UTF-8 cannot hold as JSON of a type of their own."""
    if chunk.name.type == "j":
        yield chunk._replace(values=[json.dumps(value) for value in chunk.values])
        return
    is_plain = np.array([_is_utf8(text) for text in chunk.values], np.bool_)
    for chosen, kind in ((is_plain, "s"), (~is_plain, "S")):
        if chosen.any():
            values = [text for text, is_chosen in zip(chunk.values, chosen, strict=True) if is_chosen]
            texts = values if kind == "s" else [json.dumps(text) for text in values]
            yield _select(chunk, chosen, texts)._replace(name=chunk.name._replace(type=kind))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _large(chunk: Chunk) -> Iterator[Chunk]:
    """Yield, as texts, the integers that are not exact as float64."""
    chosen = (chunk.values > EXACT) | (chunk.values < -EXACT)
    if chosen.any():
        yield _select(chunk, chosen, [str(value) for value in chunk.values[chosen].tolist()])


def _select(chunk: Chunk, chosen: NDArray[np.bool_], values: Any) -> Chunk:
    return Chunk(chunk.name, chunk.rows[chosen], chunk.steps[chosen], chunk.times[chosen], values)


def _joined(chunks: list[Chunk]) -> list[Chunk]:
    """Join what several schemas hold of one chunk, in the order logged."""
    chunks.sort(key=lambda chunk: chunk.name)
    return [_join(list(group)) for _, group in groupby(chunks, key=lambda chunk: chunk.name)]


def _join(parts: list[Chunk]) -> Chunk:
    if len(parts) == 1:
        return parts[0]
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")
    steps = np.concatenate([part.steps for part in parts])[order]
    times = np.concatenate([part.times for part in parts])[order]
    if isinstance(parts[0].values, list):
        texts = [text for part in parts for text in part.values]
        values: Any = [texts[place] for place in order.tolist()]
    else:
        values = np.concatenate([part.values for part in parts])[order]
    return Chunk(parts[0].name, rows[order], steps, times, values)
