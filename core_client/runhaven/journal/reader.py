"""Reads the journals of a run while they grow: frames first, then whatever the tail holds beyond them."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from runhaven.journal.frame import (
    BATCH_KIND,
    END_KIND,
    LOOSE_SECTION,
    ROWS_SECTION,
    SCHEMA_SECTION,
    is_sound,
    last_row,
    split_loose,
    split_rows,
    unpack_section,
)
from runhaven.journal.layout import (
    EVENT_TAG,
    SCHEMA_TAG,
    block_from_bodies,
    blocks_from_parts,
    decode_json,
    parse_layout,
    seed_for,
)
from runhaven.journal.record import Damage, Event
from runhaven.journal.source import FrameSource, TailSource

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from runhaven.journal.frame import Frame
    from runhaven.journal.layout import Layout, Part
    from runhaven.journal.record import RowBlock
    from runhaven.journal.source import Place

_ATTEMPTS = 4
_AHEAD = 1 << 20
_AHEAD_RECENT = 16 << 10
_UNREADABLE = (ValueError, KeyError, RecursionError)


class Position(NamedTuple):
    """How far a writer's journal has been read.

    Attributes:
        number: The record to go on with.
        offset: Where the next frame begins in the journal file.
        layouts: The schemas that were met so far, as `Layout.describe` writes them.
    """

    number: int
    offset: int
    layouts: tuple[str, ...]


class JournalReader:
    """Hands out what all writers of one run have written, each record once.

    Attributes:
        damage: Stretches that could not be read so far.
        has_more: Whether the last poll may have left something for the next one.
    """

    def __init__(
        self,
        directory: Path,
        *,
        spool: Path | None = None,
        rows: Literal["all", "recent"] = "all",
        since: Mapping[str, Position] | None = None,
    ) -> None:
        """Prepare to read; touches no file yet.

        Args:
            directory: The run's journal directory.
            spool: Where the tails lie when the run directory is on a network file system.
            rows: "recent" leaves out the rows that a later `snapshot` event of their writer sums up.
            since: Where to go on with the writers that were read before.
        """
        self.damage: list[Damage] = []
        self.has_more = False
        self._directory = directory
        self._spool = spool
        self._is_recent = rows == "recent"
        self._writers: dict[str, _WriterReader] = {}
        self._since = since or {}

    @property
    def positions(self) -> dict[str, Position]:
        """How far each writer's journal has been read, those of `since` included."""
        return {**self._since, **{name: writer.position for name, writer in self._writers.items()}}

    def poll(self, *, room: int | None = None) -> list[RowBlock | Event]:
        """Return all records that are new since the last poll, writer by writer in the order of their start.

        Args:
            room: How many bytes of records to return about; what is left is for the next poll.
        """
        found: list[RowBlock | Event] = []
        names, tails = self._list()
        self.has_more = False
        for name in sorted(names):
            writer = self._writers.get(name)
            if writer is None:
                path = self._directory / f"{name}.rhj"
                writer = self._writers[name] = _WriterReader(name, path, self.damage, is_recent=self._is_recent)
                if name in self._since:
                    writer.go_on(self._since[name])
            found += writer.poll(tails.get(name, []), room)
            if room is not None:
                room -= writer.taken
                if room <= 0:
                    self.has_more = True
                    break
        return found

    def unread(self) -> list[Damage]:
        """Return the ends of files that no sound frame explains and no tail stands for.

        While their writer lives they are merely not complete yet.
        """
        _, tails = self._list()
        ends = (writer.unread() for name, writer in self._writers.items() if name not in tails)
        return [end for end in ends if end is not None]

    def _list(self) -> tuple[set[str], dict[str, list[Path]]]:
        names: set[str] = set()
        tails: dict[str, list[tuple[int, Path]]] = {}
        for directory in filter(None, (self._directory, self._spool)):
            for entry in _entries(directory):
                stem, _, kind = entry.rpartition(".")
                if kind == "rhj":
                    names.add(stem)
                elif kind == "tail":
                    name, _, number = stem.rpartition(".")
                    if name and number.isdecimal():
                        names.add(name)
                        tails.setdefault(name, []).append((int(number), directory / entry))
        return names, {name: [path for _, path in sorted(paths)] for name, paths in tails.items()}


def _entries(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names alone are wanted
    except OSError:
        return []


class _ClosedRows(NamedTuple):
    """A section of rows that is left alone until it is clear that somebody wants them."""

    frame: Frame
    place: Place
    since: int


def _most_rows(rows: _ClosedRows) -> int:
    """Return how many rows a section has if it is sound, and not many more if it is not: its frame's header is."""
    return min(rows.place.section.rows, rows.frame.records)


_Record: TypeAlias = "RowBlock | Event"


class _WriterReader:
    """Merges the journal file and the tail of one writer.

    Attributes:
        taken: How many bytes of records the last poll found in frames.
    """

    def __init__(self, name: str, path: Path, damage: list[Damage], *, is_recent: bool) -> None:
        self._name = name
        self._seed = seed_for(name)
        self._damage = damage
        self._is_recent = is_recent
        ahead = _AHEAD_RECENT if is_recent else _AHEAD
        self._frames = FrameSource(path, seed=self._seed, ahead=ahead, damage=damage)
        self.taken = 0
        self._tails: dict[Path, TailSource] = {}
        self._next = 0
        self._layouts: dict[int, Layout] = {}
        self._schemas: list[bytes | memoryview] = []
        self._found: list[_Record] = []
        self._closed: list[_ClosedRows] = []

    @property
    def position(self) -> Position:
        """How far it has read."""
        layouts = tuple(
            layout.describe().decode("utf-8", "surrogatepass") for _, layout in sorted(self._layouts.items())
        )
        return Position(self._next, self._frames.unread[0], layouts)

    def go_on(self, position: Position) -> None:
        """Leave out what was read before."""
        self._next = position.number
        self._frames.go_on(position.offset)
        for layout in position.layouts:
            self._define(layout.encode("utf-8", "surrogatepass"))

    def poll(self, tails: list[Path], room: int | None) -> list[_Record]:
        """Return what is new, or so much of it that there is no more room."""
        self._found = []
        self.taken = 0
        gap: tuple[int, int] | None = None
        try:
            self._poll_frames(room)
            for _ in range(_ATTEMPTS):
                if room is not None and self.taken >= room:
                    # The tail goes on where the frames end.
                    break
                gap = self._poll_tails(tails, accepted=gap)
                if gap is None:
                    break
                # Either a segment was folded and removed under our hands, and its records are in the frames by now; or
                # the writer went on from one that we had already read.
                tails = [path for path in tails if path.exists()]
                self._poll_frames(room)
            if self._is_recent:
                self._open_recent()
            return self._found
        finally:
            self._frames.close()

    def unread(self) -> Damage | None:
        """Return the end of the journal file that no sound frame explains."""
        offset, length = self._frames.unread
        return Damage(self._frames.name, offset, length, "no sound frame") if length else None

    def _open_recent(self) -> None:
        """Open only the rows after the last snapshot; a batch's events come before its rows, so compare numbers."""
        last = max(
            (
                found.number
                for found in self._found
                if isinstance(found, Event) and found.data.get("event") == "snapshot"
            ),
            default=-1,
        )
        kept: list[_Record] = []
        for found in self._found:
            block = found if isinstance(found, Event) else found.since(last)
            if isinstance(block, Event) or len(block):
                kept.append(block)
        self._found = kept
        self._closed = [
            rows._replace(since=max(rows.since, last))
            for rows in self._closed
            if rows.frame.first + rows.frame.records > last
        ]
        self._open_closed()

    def _note(self, offset: int, length: int, reason: str, *, file: str | None = None) -> None:
        self._damage.append(Damage(file or self._frames.name, offset, length, reason))

    def _expect(self, number: int, file: str, offset: int) -> None:
        """Note it when the next record is not the one that has to come."""
        if number > self._next:
            self._note(offset, 0, f"{number - self._next} records from number {self._next} on are missing", file=file)
            self._next = number

    # Frames

    def _poll_frames(self, room: int | None) -> None:
        try:
            for frame, start in self._frames.frames():
                if frame.kind == END_KIND:
                    self._expect(frame.first, self._frames.name, start)
                elif frame.kind == BATCH_KIND and frame.first + frame.records > self._next:
                    self._expect(frame.first, self._frames.name, start)
                    self._open_batch(frame, start)
                    self._next = frame.first + frame.records
                if room is not None and self.taken >= room:
                    break
        except OSError:
            # Not there yet, or gone; what there is will come with a later poll.
            return
        finally:
            if not self._is_recent:
                self._open_closed()

    def _open_batch(self, frame: Frame, start: int) -> None:
        end = start
        for place in self._frames.sections(frame, start):
            end = place.offset + place.section.length
            try:
                self._open_section(frame, place)
            except _UNREADABLE as error:
                self._note(place.offset, place.section.length, f"unreadable section: {error!r}")
        if end != start + frame.length:
            self._note(end, start + frame.length - end, "no sound section")

    def _open_section(self, frame: Frame, place: Place) -> None:
        section = place.section
        self.taken += section.raw_length
        if section.kind == ROWS_SECTION:
            self._closed.append(_ClosedRows(frame, place, self._next))
            return
        data = self._frames.read(place.offset, section.length)
        if not is_sound(section, data):
            self._note(place.offset, section.length, "no sound section")
        elif section.kind == LOOSE_SECTION:
            self._take(split_loose(section, data, first=frame.first))
        elif section.kind == SCHEMA_SECTION:
            self._define(unpack_section(section, data))

    def _open_closed(self) -> None:
        """Open all rows that were left alone so far; those of one schema together."""
        closed, self._closed = self._closed, []
        alike: dict[int, list[_ClosedRows]] = {}
        for rows in closed:
            if rows.since <= rows.frame.first or self._is_wanted(rows):
                alike.setdefault(rows.place.section.schema, []).append(rows)
        known = len(self._damage)
        for schema, sections in alike.items():
            parts = self._parts(sections)
            try:
                layout = self._layout(schema)
            except LookupError:
                for _, open_rows in parts:
                    open_rows()  # Which says why it cannot.
            else:
                counts = [_most_rows(rows) for rows in sections]
                self._found += blocks_from_parts(self._name, layout, parts, counts=counts)
        self._damage[known:] = sorted(self._damage[known:], key=lambda damage: damage.offset)

    def _is_wanted(self, rows: _ClosedRows) -> bool:
        """Tell whether a section whose first rows are known has others."""
        section, offset = rows.place
        try:
            data = self._frames.read(offset, section.length)
            return not is_sound(section, data) or last_row(section, data, first=rows.frame.first) >= rows.since
        except (OSError, ValueError):
            # Whoever opens it will say so.
            return True

    def _parts(self, sections: Sequence[_ClosedRows]) -> Generator[tuple[int, Callable[[], Part | None]], None, None]:
        """Yield the place of each section, and what opens it."""
        for place, rows in enumerate(sections):
            section, offset = rows.place
            try:
                data = self._frames.read(offset, section.length)
            except OSError as error:
                self._note(offset, section.length, f"unreadable rows: {error}")
            else:
                yield place, partial(self._open_rows, rows, data)

    def _open_rows(self, rows: _ClosedRows, data: memoryview) -> Part | None:
        """Return numbers and planes of a section, and how many of its first rows are known; None if it is damaged."""
        frame, (section, offset), since = rows
        if not is_sound(section, data):
            self._note(offset, section.length, "no sound section")
            return None
        try:
            layout = self._layout(section.schema)
            numbers, planes = split_rows(section, data, first=frame.first)
            layout.check(planes, rows=_most_rows(rows))
        except LookupError as error:
            self._note(offset, section.length, f"unreadable section: {error!r}")
        except ValueError as error:
            self._note(offset, section.length, f"unreadable rows: {error}")
        else:
            return numbers, planes, bisect_left(numbers, since)
        return None

    # Tail

    def _poll_tails(self, tails: list[Path], *, accepted: tuple[int, int] | None) -> tuple[int, int] | None:
        """Read all segments in their order.

        Returns:
            None, or between which records something has to be read first: another try may find it.
            What is `accepted` is missing for good.
        """
        self._tails = {path: source for path, source in self._tails.items() if path in tails}
        for path in tails:
            source = self._tails.get(path)
            if source is None:
                source = self._tails[path] = TailSource(path, seed=self._seed, damage=self._damage)
            try:
                with path.open("rb", buffering=0) as file:
                    if not source.begin(file, expected=self._next) or source.first is None:
                        continue
                    if source.first > self._next:
                        gap = (self._next, source.first)
                        if gap != accepted:
                            return gap
                        self._expect(source.first, path.name, 0)
                    for records in source.records(file):
                        self._take(records)
                        self._next = max(self._next, records[-1][0] + 1)
            except OSError:
                return self._next, -1
        return None

    # Both

    def _define(self, body: bytes | memoryview) -> None:
        # Rows that a snapshot sums up stay closed, and then nobody needs to know what is in them.
        self._schemas.append(body)
        if not self._is_recent:
            self._parse_schemas()

    def _parse_schemas(self) -> None:
        while self._schemas:
            layout = parse_layout(self._schemas.pop(0))
            self._layouts.setdefault(layout.id, layout)

    def _layout(self, number: int) -> Layout:
        """Return what rows of a schema look like.

        Raises:
            LookupError: If no sound schema said so.
        """
        while self._schemas and number not in self._layouts:
            try:
                self._parse_schemas()
            except _UNREADABLE as error:
                self._note(0, 0, f"unreadable schema: {error!r}")
        return self._layouts[number]

    def _take(self, records: Sequence[tuple[int, int, bytes | memoryview]]) -> None:
        """Take in records that stand one by one."""
        rows: dict[int, tuple[list[int], list[bytes | memoryview]]] = {}
        for number, tag, body in records:
            if number < self._next and tag != SCHEMA_TAG:
                continue
            if tag not in (EVENT_TAG, SCHEMA_TAG):
                numbers, bodies = rows.setdefault(tag, ([], []))
                numbers.append(number)
                bodies.append(body)
                continue
            try:
                if tag == SCHEMA_TAG:
                    self._define(body)
                else:
                    self._found.append(Event(self._name, number, decode_json(body)))
            except _UNREADABLE as error:
                self._note(0, len(body), f"unreadable record {number}: {error!r}")
        for tag, (numbers, bodies) in rows.items():
            try:
                layout = self._layout(tag)
                self._found.append(block_from_bodies(self._name, layout, array("Q", numbers), bodies))
            except _UNREADABLE as error:
                size = sum(len(body) for body in bodies)
                self._note(0, size, f"{len(bodies)} unreadable rows from number {numbers[0]} on: {error!r}")
