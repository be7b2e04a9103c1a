"""Seals what a run's journals hold beyond what is sealed: a pure function of their ranges, so that two may do it at once."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import sys
from base64 import b64encode
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from runhaven.errors import StoreError
from runhaven.journal.column import little_endian
from runhaven.journal.reader import JournalReader
from runhaven.journal.record import RowBlock
from runhaven.sealed.manifest import Manifest, has_place, newest, place_to_read, place_to_write, unnamed

if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runhaven.journal.reader import Position
    from runhaven.journal.record import Event, Numbers, Schema
    from runhaven.metric import Metric
    from runhaven.sealed.chunk import Rows
    from runhaven.sealed.run import SealedRun
    from runhaven.store.layout import RunDirectory

logger = logging.getLogger("runhaven")

FILES = ("points.parquet", "cells.parquet", "values.parquet", "events.parquet", "console.parquet", "index.json")
_NEWEST_ONLY = frozenset({"heartbeat", "snapshot", "usage"})
_ATTEMPTS = 3

PIECE = 128 << 20
"""How many bytes of rows become one segment about, so that a long run is sealed in as much memory as any other."""


class Sealed(NamedTuple):
    """What an act of sealing did.

    Attributes:
        rows: How many rows were sealed.
        points: How many points.
        bytes: What the new files take.
    """

    rows: int
    points: int
    bytes: int


@functools.cache
def can_seal() -> bool:
    """Tell whether the packages are there that sealing and reading what is sealed need."""
    zstd = "compression" if sys.version_info >= (3, 14) else "backports"
    return all(find_spec(module) is not None for module in ("numpy", "arro3", zstd))


def open_sealed(run: RunDirectory) -> SealedRun | None:
    """Return what is sealed of a run; None without anything that can be read, while the journals are whole.

    Raises:
        StoreError: If the journals are gone and the sealed files are damaged.
        ImportError: If the journals are gone and a package is missing.
    """
    if not has_place(run):
        return None
    place = place_to_read(run)
    manifest = newest(place)
    if not manifest.segments:
        return None
    has_journals = all((run.journal / f"{writer}.rhj").exists() for writer in manifest.positions)
    if has_journals and not can_seal():
        return None
    from runhaven.sealed.run import SealedRun

    sealed = SealedRun(run, place, manifest)
    try:
        for segment in sealed.segments:
            _ = segment.index
    except (OSError, StoreError) as error:
        if has_journals:
            logger.debug("sealed files are passed over", exc_info=True)
            return None
        message = f"{run.path} has no journals any more, and its sealed files cannot be read: {error}"
        raise StoreError(message) from error
    return sealed


def seal(run: RunDirectory) -> Sealed | None:
    """Seal all that is not sealed yet; None if there is nothing.

    Safe to be killed at any moment, and to be done by several processes at once. The journals stay.

    Raises:
        ImportError: If a package that it needs is missing.
        OSError: If nothing can be written.
    """
    done: list[Sealed] = []
    attempts = _ATTEMPTS
    has_more = True
    while has_more and attempts:
        sealed, has_more = _seal_piece(run)
        if sealed is not None:
            done.append(sealed)
        elif has_more:
            attempts -= 1
    return Sealed(*map(sum, zip(*done, strict=True))) if done else None


def _seal_piece(run: RunDirectory) -> tuple[Sealed | None, bool]:
    """Seal what comes next; return what was done, if this sealer did it, and whether there may be more."""
    place = place_to_write(run)
    before = newest(place)
    work = _read(run, before)
    if work is None:
        return None, False
    done, checksums = _write(place, work)
    if not replace(work.manifest, checksums={**before.checksums, **checksums}).commit(place):
        # Another sealer was first. A third one may be writing these very files: they are left to a later sealer.
        return None, True
    for path in unnamed(place, newest(place)):
        path.unlink(missing_ok=True)
    return done, work.has_more


def pending_bytes(run: RunDirectory) -> int:
    """Return how many bytes of journal are not sealed yet; a tail does not count, for it will be folded."""
    positions = newest(place_to_read(run)).positions
    pending = 0
    for path in run.journal.glob("*.rhj"):
        offset = positions[path.stem].offset if path.stem in positions else 0
        pending += max(0, path.stat().st_size - offset)
    return pending


class _Work(NamedTuple):
    name: str
    manifest: Manifest
    groups: list[Rows]
    events: list[Event]
    metrics: Mapping[str, Metric]
    recent: list[RowBlock]
    has_more: bool


def _read(run: RunDirectory, before: Manifest) -> _Work | None:
    """Read what the journals hold beyond the manifest."""
    from runhaven.sealed.chunk import Rows
    from runhaven.sealed.segment import Segment
    from runhaven.store.view import RunView

    reader = JournalReader(run.journal, spool=run.manifest().spool_here(), since=before.positions)
    records = reader.poll(room=PIECE)
    positions = reader.positions
    if not records and not reader.has_more:
        return None
    view = RunView(keeps_rows=False, parent=run.manifest().parent)
    for name in before.segments:
        view.fold(Segment(place_to_write(run), name).replay())
    view.fold(records)
    groups: dict[tuple[str, Schema], Rows] = {}
    events: list[Event] = []
    recent: list[RowBlock] = []
    for record in records:
        if not isinstance(record, RowBlock):
            events.append(record)
        elif not (view.sessions[record.writer].is_inherited and record.schema.stream.startswith("node=")):
            place = record.writer, record.schema
            groups.setdefault(place, Rows(*place, [])).blocks.append(record)
            recent.append(record.since(view.sessions[record.writer].snapshot))
    # Events that are kept in part alone, and lines, do not tell it again when they are replayed.
    last_us = {writer: max(one.last_us, before.last_us.get(writer, 0)) for writer, one in view.sessions.items()}
    name = _name(before.positions, positions)
    rewinds, damage = view.rewinds(), (*before.damage, *reader.damage)
    resumed = {writer: rewinds.get(writer) for writer in view.resumptions()}
    is_edited = bool(view.edits.renames or view.edits.corrections)
    manifest = Manifest(before.number + 1, (*before.segments, name), positions, last_us, resumed, damage, is_edited)
    recent = [block for block in recent if len(block)]
    return _Work(name, manifest, list(groups.values()), events, view.rules, recent, reader.has_more)


def _name(before: Mapping[str, Position], after: Mapping[str, Position]) -> str:
    """Name a segment by what it covers."""
    ranges = {writer: (before[writer].number if writer in before else 0, end.number) for writer, end in after.items()}
    changed = sorted((writer, *span) for writer, span in ranges.items() if span[0] != span[1])
    return hashlib.sha256(json.dumps(changed).encode()).hexdigest()[:16]


def _write(place: Path, work: _Work) -> tuple[Sealed, dict[str, str]]:
    """Write the files of a segment and return what they hold, and the checksum of each."""
    from runhaven.platform.files import replace_atomically
    from runhaven.sealed.write import write_events, write_lines, write_rows

    files = place / work.name
    index = write_rows(files, work.groups, work.metrics)
    write_events(files.with_name(f"{work.name}.events.parquet"), _events(work))
    write_lines(files.with_name(f"{work.name}.console.parquet"), _lines(work.events))
    replace_atomically(files.with_name(f"{work.name}.index.json"), index.dump())
    paths = [path for part in FILES if (path := place / f"{work.name}.{part}").exists()]
    points = sum(series.count for series in index.series)
    done = Sealed(sum(index.rows.values()), points, sum(path.stat().st_size for path in paths))
    return done, {path.name: checksum(path) for path in paths}


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _events(work: _Work) -> list[tuple[str, int, int, str, str]]:
    """Return the events to keep, of heartbeats, snapshots and sums of usage the newest, and the rows that no snapshot sums up."""
    newest_of: dict[tuple[str, str], int] = {}
    for event in work.events:
        kind = str(event.data.get("event"))
        if kind in _NEWEST_ONLY:
            newest_of[event.writer, kind] = event.number
    kept: list[tuple[str, int, int, str, str]] = []
    for event in work.events:
        kind = str(event.data.get("event"))
        if kind != "console" and newest_of.get((event.writer, kind), event.number) == event.number:
            kept.append((event.writer, event.number, _time(event), _word(kind), json.dumps(event.data)))
    kept += [(block.writer, block.numbers[0], block.times[0], "rows", _dump(block)) for block in work.recent]
    return sorted(kept)


def _time(event: Event) -> int:
    time = event.data.get("time")
    return time if isinstance(time, int) and abs(time) < 2**63 else 0


def _word(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _dump(block: RowBlock) -> str:
    columns = [column if isinstance(column, list) else _packed(column) for column in block.columns]
    rows = {name: _packed(getattr(block, name)) for name in ("numbers", "steps", "times")}
    return json.dumps({"stream": block.schema.stream, "cells": block.schema.cells, **rows, "columns": columns})


def _packed(column: Numbers | array[float] | memoryview[float] | bytearray) -> str:
    """Return numbers as base 64 of their bytes; a run that was killed may have a hundred thousand rows without a snapshot."""
    return b64encode(little_endian(column)).decode()


def _lines(events: Sequence[Event]) -> list[tuple[str, int, int, str, str]]:
    found: list[tuple[str, int, int, str, str]] = []
    for event in events:
        if event.data.get("event") == "console":
            try:
                stream = _word(str(event.data["stream"]))
                lines = [(int(time), _word(str(text))) for time, text in event.data["lines"]]
            except (LookupError, TypeError, ValueError):
                continue
            found += [(event.writer, event.number, time, stream, text) for time, text in lines]
    return found
