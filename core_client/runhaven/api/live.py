"""What of some runs does not lie sealed as it counts by now: batches for tables beside the sealed files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runhaven.api.sheet import Field, Repeated, finite
from runhaven.api.streams import streams_of
from runhaven.api.stretch import stretches
from runhaven.journal.reader import JournalReader
from runhaven.journal.record import Event
from runhaven.sealed.manifest import newest, place_to_read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from runhaven.api.data import RunData
    from runhaven.api.run import Run
    from runhaven.api.sheet import Batch
    from runhaven.api.stretch import Stretch

_EXACT = 2**53
_RUN, _PLACE = Field("run", "w"), [Field("step", "i"), Field("time", "t")]
_SERIES = [_RUN, Field("stream", "w"), Field("key", "w")]
_RECORD = [_RUN, Field("writer", "s"), Field("number", "i"), Field("time", "t")]
FIELDS = {
    "points": [*_SERIES, *_PLACE, Field("value", "f")],
    "values": [*_SERIES, Field("type", "w"), *_PLACE, Field("value", "s")],
    "events": [*_RECORD, Field("event", "s"), Field("data", "s")],
    "console": [*_RECORD, Field("stream", "s"), Field("text", "s")],
}
"""The columns of each table, as `sheet.write` takes them."""


def batches(table: str, runs: Sequence[Run], files: dict[Path, str]) -> Iterator[Batch]:
    """Yield what of a table the sealed files do not tell, a run at a time.

    Args:
        table: "points", "values", "events" or "console".
        runs: The runs.
        files: Is told the sealed files that tell the rest, and the ulid of the run of each.
    """
    for run in runs:
        own = type(run)(run.directory)
        if table in ("events", "console"):
            _note_files(own, table, files)
            yield from _records(own, table)
            continue
        data = own.stored
        if _is_plain(own, data):
            _note_files(own, table, files)
            data = data._replace(sealed=None)
        for stream in streams_of(data, "all"):
            for found in stretches(data, stream):
                yield from (_points if table == "points" else _values)(own.ulid, stream or "default", found)


def _is_plain(run: Run, data: RunData) -> bool:
    """Tell whether each sealed point counts as it lies: none is hidden, renamed or corrected."""
    return not (data.resumed or data.edits.renames or data.edits.corrections or run.parent)


def _note_files(run: Run, table: str, files: dict[Path, str]) -> None:
    place = place_to_read(run.directory).resolve()
    for segment in newest(place).segments:
        path = place / f"{segment}.{table}.parquet"
        if path.exists():
            files[path] = run.ulid


def _points(ulid: str, stream: str, found: Stretch) -> Iterator[Batch]:
    if found.kind == "*":
        found = _only(found, [isinstance(value, int | float) for value in found.values])
    if found.kind in "fib*" and len(found.steps):
        marks = [Repeated(word, len(found.steps)) for word in (ulid, stream, found.key)]
        yield [*marks, found.steps, found.times, found.values]


def _values(ulid: str, stream: str, found: Stretch) -> Iterator[Batch]:
    """Yield what is no number, and the integers that are not exact as floats."""
    if found.kind in "i*":
        found = _only(found, [_is_text(value) for value in found.values])
    if found.kind in "sji*" and len(found.steps):
        marks = [Repeated(word, len(found.steps)) for word in (ulid, stream, found.key)]
        kinds = [_kind(value) for value in found.values] if found.kind == "*" else [found.kind] * len(found.steps)
        texts = [_text(value, kind) for value, kind in zip(found.values, kinds, strict=True)]
        yield [*marks, kinds, found.steps, found.times, texts]


def _is_text(value: Any) -> bool:
    return abs(value) > _EXACT if isinstance(value, int) else not isinstance(value, float)


def _kind(value: Any) -> str:
    return "i" if isinstance(value, int) else "s" if isinstance(value, str) else "j"


def _text(value: Any, kind: str) -> str:
    return json.dumps(finite(value), ensure_ascii=False) if kind == "j" else str(value)


def _only(found: Stretch, chosen: Sequence[bool]) -> Stretch:
    places = [place for place, is_chosen in enumerate(chosen) if is_chosen]
    steps, times = [found.steps[place] for place in places], [found.times[place] for place in places]
    return found._replace(steps=steps, times=times, values=[found.values[place] for place in places])


def _records(run: Run, table: str) -> Iterator[Batch]:
    """Yield the events, or the printed lines, that the journals hold beyond what is sealed."""
    directory = run.directory
    since = newest(place_to_read(directory)).positions
    reader = JournalReader(directory.journal, spool=directory.manifest().spool_here(), rows="recent", since=since)
    events = (record for record in reader.poll() if isinstance(record, Event))
    rows = list(_lines(events) if table == "console" else _events(events))
    if rows:
        yield [Repeated(run.ulid, len(rows)), *zip(*rows, strict=True)]


def _events(events: Iterable[Event]) -> Iterator[tuple[str, int, int, str, str]]:
    for event in events:
        kind, time = str(event.data.get("event")), event.data.get("time")
        if kind != "console":
            yield event.writer, event.number, time if isinstance(time, int) else 0, kind, json.dumps(event.data)


def _lines(events: Iterable[Event]) -> Iterator[tuple[str, int, int, str, str]]:
    for event in events:
        if event.data.get("event") == "console":
            for time, text in event.data.get("lines", ()):
                yield event.writer, event.number, time, str(event.data.get("stream")), str(text)
