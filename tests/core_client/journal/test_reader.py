"""Reading journals back, at rest and while they grow."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhaven.journal.fold import REPEAT_AFTER
from runhaven.journal.reader import JournalReader
from runhaven.journal.record import RowBlock
from runhaven.journal.tail import RESERVE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL = 4 * RESERVE
INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(), max_size=30)
CELLS = st.one_of(
    st.tuples(st.just("f"), st.floats(width=64)),
    st.tuples(st.just("i"), INT64),
    st.tuples(st.just("b"), st.booleans()),
    st.tuples(st.just("s"), TEXT),
    st.tuples(st.just("j"), st.lists(st.none() | st.integers() | TEXT, max_size=3)),
)
ROWS = st.tuples(INT64, st.dictionaries(st.sampled_from("abcdef"), CELLS, max_size=4), TEXT, INT64)
EVENTS = st.dictionaries(TEXT, st.none() | INT64 | TEXT, max_size=3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(ROWS, EVENTS, st.just("fold")), max_size=25), st.booleans())
def test_whatever_was_written_is_read(
    ledger: Callable[..., Any],
    read: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
    actions: list[Any],
    is_closed: bool,
) -> None:
    """Any sequence of rows and events comes back exactly, from the frames, the tail, or both."""
    directory = tmp_path_factory.mktemp("journal")
    book = ledger(directory)
    for action in actions:
        if action == "fold":
            book.writer._fold(everything=True)
        elif isinstance(action, dict):
            book.event("note", data=action)
        else:
            step, values, stream, at = action
            book.row(step, values, stream=stream, time=at)
    if is_closed:
        book.close()

    found = read(directory)

    assert found.rows == book.noted.rows
    assert found.events == book.noted.events
    assert found.damage == []
    assert sorted(path.name for path in directory.iterdir()) == (["w1.rhj"] if is_closed else ["w1.0.tail", "w1.rhj"])


@pytest.mark.parametrize("is_folded", [False, True])
def test_rows_of_many_shapes(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path, is_folded: bool
) -> None:
    """Rows without cells, with two thousand, and of schemas that alternate come back exactly."""
    book = ledger()
    for index in range(30):
        book.floats(index)
        book.floats(index, *(float(index * cell) for cell in range(2000)))
        for _ in range(10):
            book.row(index, {"x": ("i", index), "ok": ("b", True)})
            book.row(index, {"x": ("f", 0.5)}, stream="node=a")
            book.row(index, {"name": ("s", "é" * index), "table": ("j", {"a": [index]})})
    if is_folded:
        book.close()

    found = read(tmp_path)

    assert found.rows == book.noted.rows
    assert found.damage == []


def test_a_reader_sees_every_row_once_while_segments_come_and_go(ledger: Callable[..., Any], tmp_path: Path) -> None:
    """A reader that polls through folds, rotations and removals sees every row of each schema once and in order."""
    book = ledger(segment_size=SMALL)
    total = 30_000
    book.serve()
    polled = threading.Semaphore(0)

    def write() -> None:
        for step in range(total):
            if step % 1000 == 0:
                polled.acquire()
            book.floats(step, float(step), 0.5, time=step) if step % 3 else book.row(step, {"i": ("i", step)})

    thread = threading.Thread(target=write)
    reader = JournalReader(tmp_path)
    steps: dict[Any, list[int]] = {}
    numbers: list[int] = []
    thread.start()
    while True:
        is_last = not thread.is_alive()
        if is_last:
            book.close()
        for block in reader.poll():
            assert isinstance(block, RowBlock)
            steps.setdefault(block.schema, []).extend(block.steps)
            numbers += block.numbers
            for column in block.columns:
                assert list(column) in (list(block.steps), [0.5] * len(block))
        polled.release()
        if is_last:
            break
    thread.join()

    assert reader.damage == []
    assert book.writer.trouble is None or book.writer.trouble.lost == 0
    assert sorted(map(len, steps.values())) == [total // 3, total * 2 // 3]
    assert all(found == sorted(found) for found in steps.values())
    assert len(set(numbers)) == total


def test_a_poll_without_news_is_cheap(ledger: Callable[..., Any], tmp_path: Path) -> None:
    """A poll that finds nothing new reads nothing again: it costs a small part of the first one, tails included."""
    for name in range(10):
        book = ledger(name=f"w{name}")
        for step in range(3000):
            book.floats(step, 1.0)
        book.writer._fold(everything=True)
        book.floats(0, 2.0)
    reader = JournalReader(tmp_path)
    costs: list[float] = []
    for is_first in [True] + 50 * [False]:
        start = time.process_time()
        found = reader.poll()
        costs.append(time.process_time() - start)
        assert len(found) >= 20 if is_first else found == []

    assert min(costs[1:]) < costs[0] / 3


def test_recent_rows_are_those_after_the_last_snapshot(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path
) -> None:
    """With rows="recent", every event comes, and of the rows all after the last snapshot, wherever they lie."""
    book, last = ledger(), 0
    for step in range(300):
        if step == 200:
            book.event("snapshot", summary={})
            last = book.writer.number
        book.floats(step, 1.0)
        book.row(step, {"s": ("s", "x")})
        if step in (150, 250):
            book.row(step, {"late": ("f", 1.0)})
        if step in (100, 220):
            book.writer._fold(everything=True)

    found = read(tmp_path, rows="recent")
    book.close()
    closed = read(tmp_path, rows="recent")

    expected = {key: row for key, row in book.noted.rows.items() if key[1] >= last}
    assert found.rows == expected
    assert closed.rows == expected
    assert found.events == closed.events == book.noted.events


def test_recent_rows_of_every_poll(ledger: Callable[..., Any], tmp_path: Path) -> None:
    """With rows="recent", what comes after the first poll comes too."""
    book = ledger()
    book.floats(0, 1.0)
    book.event("snapshot", summary={})
    book.floats(1, 1.0)
    reader = JournalReader(tmp_path, rows="recent")
    first = [block.steps.tolist() for block in reader.poll() if isinstance(block, RowBlock)]
    book.floats(2, 1.0)
    second = [block.steps.tolist() for block in reader.poll() if isinstance(block, RowBlock)]

    assert (first, second) == ([[1]], [[2]])


def test_journals_come_in_the_order_of_their_names(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path
) -> None:
    """Journals of several writers are read one after the other by name; a name may hold dots."""
    books = [ledger(name=name) for name in ("b", "a.1", "a")]
    for book in books:
        book.floats(1, 1.0)

    writers = [block.writer for block in JournalReader(tmp_path).poll()]

    assert writers == ["a", "a.1", "b"]
    assert len(read(tmp_path).rows) == 3


def test_a_tail_in_a_spool_is_read_with_the_frames(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path
) -> None:
    """Where the tail lies in a local spool, a reader on that host sees every row; another sees what is folded."""
    directory, spool = tmp_path / "run", tmp_path / "spool"
    directory.mkdir()
    book = ledger(directory, spool=spool)
    for step in range(10):
        book.floats(step, 1.0)
    book.writer._fold(everything=True)
    book.floats(10, 1.0)

    assert read(directory, spool=spool).rows == book.noted.rows
    assert len(read(directory).rows) == 10


def test_a_schema_is_told_again_for_the_sake_of_damage(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path
) -> None:
    """When the frame that holds a schema's record is destroyed, rows are lost only until the schema is told again."""
    book = ledger(segment_size=64 << 10)
    written = 0
    path = tmp_path / "w1.rhj"
    while path.stat().st_size < 2 * REPEAT_AFTER:
        book.row(written, {f"m{cell}": ("i", hash((written, cell))) for cell in range(20)})
        written += 1
        if written % 50 == 0:
            book.writer.service()
    book.close()
    assert book.writer.trouble is None
    data = bytearray(path.read_bytes())
    data[150:20_000] = bytes(19_850)
    path.write_bytes(data)

    found = read(tmp_path)

    assert len(found.rows) > written // 3
    assert all(book.noted.rows[key] == row for key, row in found.rows.items())
    assert found.damage


def test_a_reader_of_nothing(read: Callable[..., Any], tmp_path: Path) -> None:
    """A directory that is missing, empty, or full of other things holds no records and no damage."""
    assert read(tmp_path / "none").rows == {}
    (tmp_path / "x.rhj.part").write_bytes(b"x")
    (tmp_path / ".tail").write_bytes(b"x")
    (tmp_path / "w.x.tail").write_bytes(b"x")
    (tmp_path / "w.rhj").write_bytes(b"")

    found = read(tmp_path)

    assert (found.rows, found.events, found.damage) == ({}, {}, [])
