"""What the journal's tests share: a writer that notes what it wrote, and reading everything back into plain dicts."""

from __future__ import annotations

import contextlib
import queue
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from runhaven.journal.layout import encode_json
from runhaven.journal.reader import JournalReader
from runhaven.journal.record import Event, RowBlock, Schema
from runhaven.journal.writer import JournalWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    from runhaven.journal.record import CellType

Row = tuple[str, int, int, tuple[tuple[str, str, Any], ...]]


@dataclass
class Noted:
    """Rows and events by (writer, number); floats as their bits, so that NaN equals itself."""

    rows: dict[tuple[str, int], Row] = field(default_factory=dict)
    events: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    damage: list[Any] = field(default_factory=list)
    order: list[int] = field(default_factory=list)

    def add(self, records: Iterable[RowBlock | Event]) -> Noted:
        for record in records:
            if isinstance(record, Event):
                assert (record.writer, record.number) not in self.events, "an event came twice"
                self.events[record.writer, record.number] = record.data
                continue
            columns = [
                _plain(kind, column) for (_, kind), column in zip(record.schema.cells, record.columns, strict=True)
            ]
            for index, number in enumerate(record.numbers):
                assert (record.writer, number) not in self.rows, "a row came twice"
                cells = tuple(
                    (key, kind, column[index]) for (key, kind), column in zip(record.schema.cells, columns, strict=True)
                )
                row = (record.schema.stream, record.steps[index], record.times[index], cells)
                self.rows[record.writer, number] = row
                self.order.append(number)
        return self

    def kinds(self) -> list[str]:
        return [data["event"] for _, data in sorted(self.events.items())]


def _plain(kind: str, column: Any) -> list[Any]:
    if kind == "f":
        return [struct.pack("<d", value) for value in column]
    return [bool(value) for value in column] if kind == "b" else list(column)


class Ledger:
    """A journal writer that notes what it has written."""

    def __init__(self, directory: Path, name: str = "w1", **options: Any) -> None:
        # Unlike an Event, it survives an interrupt in the middle of a call.
        self.woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.writer = JournalWriter(
            directory, name=name, header={"format": 1}, wake=lambda: self.woken.put(None), **options
        )
        self.noted = Noted()
        self._thread: threading.Thread | None = None
        self._is_over = False

    def row(self, step: int, values: dict[str, tuple[CellType, Any]], *, stream: str = "", time: int = 0) -> int:
        """Write a row and return its number."""
        schema = Schema(stream, tuple((key, kind) for key, (kind, _) in values.items()))
        packed = [_encoded(kind, value) for kind, value in values.values()]
        cells = tuple((key, kind, _plain(kind, [value])[0]) for key, (kind, value) in values.items())
        numbers: list[int] = []

        def put() -> None:
            layout = self.writer.layout(schema)
            numbers.append(self.writer.number)
            self.writer.put_row(layout, step, time, packed)

        self.writer.exclusively(put)
        self.noted.rows[self.writer.name, numbers[0]] = (stream, step, time, cells)
        return numbers[0]

    def floats(self, step: int, *values: float, time: int = 0) -> int:
        return self.row(step, {f"m{index}": ("f", value) for index, value in enumerate(values)}, time=time)

    def event(self, kind: str, *, vital: bool = False, **data: Any) -> None:
        def put() -> None:
            self.noted.events[self.writer.name, self.writer.number] = {"event": kind, "time": 0, **data}
            self.writer.put_event({"event": kind, "time": 0, **data}, vital=vital)

        self.writer.exclusively(put)

    def serve(self) -> None:
        """Run `service` on a thread, as a run does."""

        def serve() -> None:
            while not self._is_over:
                with contextlib.suppress(queue.Empty):
                    self.woken.get(timeout=0.05)
                self.writer.service()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over = True
        self.woken.put(None)
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        self.stop()
        self.writer.close()


def _encoded(kind: str, value: Any) -> Any:
    if kind == "s":
        return value.encode("utf-8", "surrogatepass")
    return encode_json(value) if kind == "j" else value


@pytest.fixture
def ledger(tmp_path: Path) -> Generator[Callable[..., Ledger]]:
    made: list[Ledger] = []

    def make(directory: Path = tmp_path, **options: Any) -> Ledger:
        made.append(Ledger(directory, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()
        one.writer.disown()


@pytest.fixture
def read() -> Callable[..., Noted]:
    def read(directory: Path, **options: Any) -> Noted:
        reader = JournalReader(directory, **options)
        found = Noted().add(reader.poll())
        found.damage = reader.damage
        return found

    return read
