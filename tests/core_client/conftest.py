"""Runs written by the real journal writer, with the times and steps that a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runhaven.api import Run
from runhaven.journal.record import Schema
from runhaven.journal.writer import JournalWriter
from runhaven.store.layout import Store
from runhaven.value import flatten, to_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

START_US = 1_700_000_000_000_000


class WrittenRun:
    """A run whose journals a test writes record by record."""

    def __init__(self, root: Path, *, run_id: str = "abc", project: str = "p") -> None:
        self.store = Store(root)
        self.store.create()
        self.directory = self.store.new_run(entity="me", project=project, id=run_id)
        self.time_us = START_US
        self.writers: list[JournalWriter] = []

    def session(self, *, resumed: bool = False, role: str = "main", **start: Any) -> JournalWriter:
        name = f"{len(self.writers):012x}-aaaaaa"
        writer = JournalWriter(self.directory.journal, name=name, header={}, wake=lambda: None)
        self.writers.append(writer)
        self.event("start", role=role, resumed=resumed, **start)
        return writer

    def event(self, kind: str, *, writer: JournalWriter | None = None, **data: Any) -> None:
        self.time_us += 1000
        found = writer or self.writers[-1]
        found.exclusively(found.put_event, {"event": kind, "time": self.time_us, **data})

    def log(self, data: Mapping[str, Any], step: int, *, stream: str = "", writer: JournalWriter | None = None) -> None:
        self.time_us += 1000
        cells = {key: to_cell(value) for key, value in flatten(data)}
        schema = Schema(stream, tuple((key, kind) for key, (kind, _) in cells.items()))
        found = writer or self.writers[-1]
        values = [cell for _, cell in cells.values()]
        found.exclusively(lambda: found.put_row(found.layout(schema), step, self.time_us, values))

    def close(self) -> Run:
        for writer in self.writers:
            writer.close()
        return self.read()

    def read(self) -> Run:
        return Run(self.directory)


@pytest.fixture
def written(store) -> WrittenRun:
    found = WrittenRun(store)
    found.session()
    return found


@pytest.fixture
def write(store) -> Callable[..., WrittenRun]:
    """Make runs in the test's store."""

    def make(run_id: str, **names: str) -> WrittenRun:
        found = WrittenRun(store, run_id=run_id, **names)
        found.session(user="ada")
        return found

    return make


@pytest.fixture(scope="session")
def write_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], WrittenRun]:
    """Make runs in stores of their own, for tests that make many."""

    def make() -> WrittenRun:
        return WrittenRun(tmp_path_factory.mktemp("store"))

    return make
