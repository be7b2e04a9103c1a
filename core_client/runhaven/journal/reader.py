"""Reads the journals of a run while they grow: frames first, then whatever the tail holds beyond them."""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO, Literal

from runhaven.journal.frame import (
    BATCH_KIND,
    FRAME_SIZE,
    LOOSE_SECTION,
    MAGIC,
    ROWS_SECTION,
    is_sound,
    open_frame,
    open_sections,
    split_loose,
    split_rows,
)
from runhaven.journal.layout import (
    EVENT_TAG,
    SCHEMA_TAG,
    block_from_bodies,
    block_from_planes,
    decode_json,
    parse_layout,
    seed_for,
)
from runhaven.journal.record import Damage, Event, RowBlock
from runhaven.journal.tail import START_SIZE, read_start, scan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runhaven.journal.frame import (
        Frame,
        Section,
    )
    from runhaven.journal.layout import (
        Layout,
    )

_ATTEMPTS = 4
_CHUNK = 64 << 10


class JournalReader:
    """Hands out what all writers of one run have written, each record once.

    Attributes:
        damage: Stretches that could not be read so far.
    """

    def __init__(self, directory: Path, *, spool: Path | None = None, rows: Literal["all", "recent"] = "all") -> None:
        """Prepare to read; touches no file yet.

        Args:
            directory: The run's journal directory.
            spool: Where the tails lie when the run directory is on a network file system.
            rows: "recent" leaves out the rows that a later `snapshot` event of their writer sums up.
        """
        self.damage: list[Damage] = []
        self._directory = directory
        self._spool = spool
        self._rows = rows
        self._writers: dict[str, _WriterReader] = {}

    def poll(self) -> list[RowBlock | Event]:
        """Return all records that are new since the last poll, writer by writer in the order of their start."""
        found: list[RowBlock | Event] = []
        names, tails = self._list()
        for name in sorted(names):
            writer = self._writers.get(name)
            if writer is None:
                writer = self._writers[name] = _WriterReader(name, self._directory, self.damage)
            records = writer.poll(tails.get(name, []))
            found += _recent(records) if self._rows == "recent" else _opened(records)
        return found

    def unread(self) -> list[Damage]:
        """Return the ends of files that no sound frame explains and no tail stands for.

        While their writer lives they are merely not complete yet.
        """
        _, tails = self._list()
        return [writer.unread for name, writer in self._writers.items() if writer.unread and name not in tails]

    def _list(self) -> tuple[set[str], dict[str, list[Path]]]:
        names: set[str] = set()
        tails: dict[str, list[tuple[int, Path]]] = {}
        for directory in filter(None, (self._directory, self._spool)):
            for entry in _entries(directory):
                name, _, kind = entry.partition(".")
                if kind == "rhj":
                    names.add(name)
                elif kind.endswith(".tail") and kind[:-5].isdecimal():
                    names.add(name)
                    tails.setdefault(name, []).append((int(kind[:-5]), directory / entry))
        return names, {name: [path for _, path in sorted(paths)] for name, paths in tails.items()}


def _entries(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names alone are wanted
    except OSError:
        return []


@dataclass(slots=True)
class _ClosedRows:
    """A section of rows that nobody has asked to decode yet."""

    writer: str
    layout: Layout
    first: int
    section: Section
    since: int
    file: str
    damage: list[Damage] = field(repr=False)

    def open(self) -> list[RowBlock]:
        try:
            numbers, planes = split_rows(self.section, self.first)
            block = block_from_planes(self.writer, self.layout, numbers, planes).since(self.since)
        except ValueError as error:
            self.damage.append(Damage(self.file, 0, len(self.section.data), str(error)))
            return []
        return [block] if len(block) else []


def _opened(records: Iterable[_ClosedRows | RowBlock | Event]) -> list[RowBlock | Event]:
    found: list[RowBlock | Event] = []
    for record in records:
        if isinstance(record, _ClosedRows):
            found += record.open()
        else:
            found.append(record)
    return found


def _recent(records: list[_ClosedRows | RowBlock | Event]) -> list[RowBlock | Event]:
    """Open only the rows after the last snapshot; a batch's events come before its rows, so compare numbers."""
    snapshots = [
        record.number for record in records if isinstance(record, Event) and record.data.get("event") == "snapshot"
    ]
    last = max(snapshots, default=-1)
    kept: list[_ClosedRows | RowBlock | Event] = []
    for record in records:
        if isinstance(record, _ClosedRows):
            if record.first + record.section.rows > last or record.section.flags:
                record.since = max(record.since, last)
                kept.append(record)
        elif isinstance(record, RowBlock):
            block = record.since(last)
            kept += [block] if len(block) else []
        else:
            kept.append(record)
    return _opened(kept)


class _WriterReader:
    """Follows the files of one writer."""

    def __init__(self, name: str, directory: Path, damage: list[Damage]) -> None:
        self.unread: Damage | None = None
        self._name = name
        self._seed = seed_for(name)
        self._file = directory / f"{name}.rhj"
        self._damage = damage
        self._offset = 0
        self._next = 0
        self._layouts: dict[int, Layout] = {}
        self._positions: dict[Path, tuple[int, int]] = {}

    def poll(self, tails: list[Path]) -> list[_ClosedRows | RowBlock | Event]:
        found = self._poll_frames()
        for attempt in range(_ATTEMPTS):
            records, is_complete = self._poll_tails(tails)
            found += records
            if is_complete or attempt == _ATTEMPTS - 1:
                break
            # A segment was folded and removed under our hands: its records are in the frames by now.
            found += self._poll_frames()
            tails = [path for path in tails if path.exists()]
        return found

    # Frames

    def _poll_frames(self) -> list[_ClosedRows | RowBlock | Event]:
        try:
            with self._file.open("rb") as file:
                file.seek(self._offset)
                data = memoryview(file.read())
        except OSError:
            return []
        found: list[_ClosedRows | RowBlock | Event] = []
        position = 0
        while position < len(data):
            frame = open_frame(data, position)
            stop = position + FRAME_SIZE + (frame.length if frame else 0)
            payload = data[position + FRAME_SIZE : stop]
            if frame is None or stop > len(data) or not is_sound(data[position:], frame, payload):
                resumed = _next_frame(data, position + 1)
                if resumed is None:
                    break
                self._damage.append(
                    Damage(self._file.name, self._offset + position, resumed - position, "no sound frame")
                )
                position = resumed
                continue
            found += self._open_batch(frame, payload, self._offset + position)
            position = stop
        self._offset += position
        left = len(data) - position
        self.unread = Damage(self._file.name, self._offset, left, "no sound frame") if left else None
        return found

    def _open_batch(self, frame: Frame, payload: memoryview, offset: int) -> list[_ClosedRows | RowBlock | Event]:
        if frame.kind != BATCH_KIND or frame.first + frame.records <= self._next:
            return []
        found: list[_ClosedRows | RowBlock | Event] = []
        try:
            for section in open_sections(payload):
                if section.kind == LOOSE_SECTION:
                    found += self._take(split_loose(section, frame.first))
                elif section.kind == ROWS_SECTION:
                    layout = self._layouts[section.schema]
                    found.append(
                        _ClosedRows(self._name, layout, frame.first, section, self._next, self._file.name, self._damage)
                    )
        except (ValueError, KeyError) as error:
            self._damage.append(
                Damage(self._file.name, offset, FRAME_SIZE + frame.length, f"unreadable batch: {error}")
            )
        self._next = frame.first + frame.records
        return found

    # Tail

    def _poll_tails(self, tails: list[Path]) -> tuple[list[_ClosedRows | RowBlock | Event], bool]:
        found: list[_ClosedRows | RowBlock | Event] = []
        for path in tails:
            try:
                with path.open("rb") as file:
                    start = read_start(file.read(START_SIZE))
                    if start is None:
                        continue
                    if start > self._next and path not in self._positions:
                        # What comes before lies in frames that were written after we read them.
                        found += self._poll_frames()
                    found += self._poll_tail(path, file, start)
            except OSError:
                return found, False
        return found, True

    def _poll_tail(self, path: Path, file: BinaryIO, start: int) -> list[RowBlock | Event]:
        found: list[RowBlock | Event] = []
        position, expected = self._positions.get(path, (START_SIZE, start))
        size = _CHUNK
        while True:
            file.seek(position)
            data = file.read(size)
            result = scan(data, first=expected, seed=self._seed)
            self._damage += [
                Damage(path.name, position + at, length, "no sound record") for at, length in result.damaged
            ]
            found += self._take(result.records)
            position, expected = position + result.position, result.expected
            self._positions[path] = position, expected
            self._next = max(self._next, expected)
            if not result.records:
                if len(data) < size or not data.rstrip(b"\0"):
                    return found
                size *= 4

    # Both

    def _take(self, records: Iterable[tuple[int, int, bytes | memoryview]]) -> list[RowBlock | Event]:
        found: list[RowBlock | Event] = []
        for tag, group in groupby(
            (record for record in records if record[0] >= self._next), key=lambda record: record[1]
        ):
            entries = list(group)
            try:
                found += self._decode(tag, entries)
            except (ValueError, KeyError) as error:
                self._damage.append(Damage(self._file.name, 0, sum(len(body) for _, _, body in entries), str(error)))
        return found

    def _decode(self, tag: int, entries: list[tuple[int, int, bytes | memoryview]]) -> list[RowBlock | Event]:
        if tag == EVENT_TAG:
            return [Event(self._name, number, decode_json(body)) for number, _, body in entries]
        if tag == SCHEMA_TAG:
            for _, _, body in entries:
                layout = parse_layout(body)
                self._layouts[layout.id] = layout
            return []
        numbers = array("Q", [number for number, _, _ in entries])
        return [block_from_bodies(self._name, self._layouts[tag], numbers, [body for _, _, body in entries])]


def _next_frame(data: memoryview, start: int) -> int | None:
    """Find where the next sound frame starts."""
    raw = data.obj if start == 0 else bytes(data[start:])
    position = bytes(raw).find(MAGIC)
    while position >= 0:
        at = start + position
        frame = open_frame(data, at)
        stop = at + FRAME_SIZE + (frame.length if frame else 0)
        if frame and stop <= len(data) and is_sound(data[at:], frame, data[at + FRAME_SIZE : stop]):
            return at
        position = bytes(raw).find(MAGIC, position + 1)
    return None
