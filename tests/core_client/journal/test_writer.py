"""Writing journals: threads, signals, sizes, stalls and endings."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from runhaven.journal.record import Schema
from runhaven.journal.tail import RESERVE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL = 4 * RESERVE


def steps(found: Any) -> list[int]:
    return [row[1] for _, row in sorted(found.rows.items())]


def fill(book: Any, *, first: int = 0) -> int:
    """Write rows until they have to wait for room; return the next step."""
    while not book.writer._is_stalled:
        book.floats(first, float(first))
        first += 1
    return first


def test_rows_of_many_threads_all_arrive(ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path) -> None:
    """Rows of eight threads are all there, each thread's in its order."""
    book = ledger(segment_size=SMALL)
    book.serve()

    def write(name: int) -> None:
        for step in range(1500):
            book.row(step, {f"t{name}": ("i", step)})

    threads = [threading.Thread(target=write, args=[name]) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    book.close()

    found = read(tmp_path)
    for name in range(8):
        mine = [row[3][0][2] for _, row in sorted(found.rows.items()) if row[3][0][0] == f"t{name}"]
        assert mine == list(range(1500))
    assert found.damage == []
    assert book.writer.trouble is None or book.writer.trouble.lost == 0


def test_a_signal_handler_may_log_at_any_moment(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path
) -> None:
    """A handler that interrupts a row halfway and logs itself neither deadlocks nor mixes the two rows up."""
    book = ledger(segment_size=1 << 20)
    book.serve()
    writer = book.writer
    schemas = Schema("", (("main", "i"),)), Schema("", (("handler", "i"),))
    count = [0, 0]

    def put(which: int) -> None:
        writer.put_row(writer.layout(schemas[which]), count[which], 0, [count[which]])
        count[which] += 1

    previous = signal.signal(signal.SIGVTALRM, lambda *_: writer.exclusively(put, 1))
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.0002, 0.0002)
    try:
        while count[1] < 250:
            writer.exclusively(put, 0)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
    book.close()

    found = read(tmp_path)
    for which, key in enumerate(("main", "handler")):
        assert [row[3][0][2] for _, row in sorted(found.rows.items()) if row[3][0][0] == key] == list(
            range(count[which])
        )
    assert writer.trouble is None or writer.trouble.lost == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_keeps_the_journal_whole(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path
) -> None:
    """Ctrl-C in the middle of a row loses at most that row: all whose call returned are there, and later ones too."""
    book = ledger(segment_size=SMALL)
    book.serve()
    layouts: list[Any] = []
    schemas = [Schema("", (("x", "i"),)), Schema("", (("x", "i"), ("y", "f"))), Schema("", (("x", "i"), ("s", "s")))]
    book.writer.exclusively(lambda: layouts.extend(map(book.writer.layout, schemas)))
    values: list[list[Any]] = [[0], [0, 0.5], [0, b"text"]]
    returned: list[int] = []

    is_armed = False

    def interrupt(*_: object) -> None:
        nonlocal is_armed
        if is_armed:
            is_armed = False
            raise KeyboardInterrupt

    previous = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.0007, 0.0007)
    step = interrupts = 0
    try:
        while step < 100_000:
            try:
                while step < 100_000:
                    is_armed = True
                    step += 1
                    which = step % 3
                    values[which][0] = step
                    book.writer.exclusively(book.writer.put_row, layouts[which], step, 0, values[which])
                    returned.append(step)
                is_armed = False
            except KeyboardInterrupt:
                interrupts += 1
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
    book.close()

    found = read(tmp_path)
    seen = steps(found)
    assert interrupts > 20
    assert seen == sorted(set(seen))
    assert set(returned) <= set(seen)
    assert all(row[3][0][2] == row[1] for row in found.rows.values())
    assert found.damage == []


@pytest.mark.parametrize("is_served", [True, False])
def test_a_record_bigger_than_a_segment(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path, is_served: bool
) -> None:
    """An event and a row many times bigger than a segment arrive, and so do their neighbours."""
    book = ledger(segment_size=SMALL)
    if is_served:
        book.serve()
    book.floats(1, 1.0)
    book.row(2, {"text": ("s", "x" * (20 * SMALL))})
    book.floats(3, 1.0)
    book.event("config", set={"big": "y" * (30 * SMALL)})
    book.floats(5, 1.0)
    book.close()

    found = read(tmp_path)

    assert steps(found) == [1, 2, 3, 5]
    assert found.rows[max(found.rows)[0], 3][3] == (("text", "s", "x" * (20 * SMALL)),)
    assert found.kinds() == ["config"]
    assert book.writer.trouble is None or book.writer.trouble.lost == 0


def test_a_writer_that_nobody_serves_blocks_once_and_briefly(ledger: Callable[..., Any]) -> None:
    """When the disk hangs, one row waits about 50 ms, the others not at all; memory stays bounded; losses are counted."""
    book = ledger(segment_size=SMALL)
    layouts: list[Any] = []
    book.writer.exclusively(lambda: layouts.append(book.writer.layout(Schema("", (("text", "s"),)))))
    text = b"x" * 20_000
    waits: list[float] = []
    for step in range(4000):
        start = time.perf_counter()
        book.writer.exclusively(book.writer.put_row, layouts[0], step, 0, [text])
        waits.append(time.perf_counter() - start)

    # It waits for room once. Were it to wait for each row that finds none, that would take minutes, on an idle machine too.
    assert max(waits) > 0.04
    assert sum(waits) < 100
    kept = sum(len(record.body) for record in book.writer._waiting)
    assert 30 << 20 < kept < 34 << 20
    assert book.writer.trouble.lost == 4000 - len(book.writer._waiting) - 1


def test_what_waited_arrives_when_the_disk_answers(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path
) -> None:
    """Rows, schemas and events that waited in memory arrive in their order, and nothing is lost."""
    book = ledger(segment_size=SMALL)
    count = fill(book)
    for step in range(count, count + 9000):
        book.floats(step, float(step))
    book.row(count + 9000, {"late": ("s", "schema")})
    book.event("note")
    assert not book.noted.events.keys() & read(tmp_path).events.keys()

    book.writer.service()
    book.floats(count + 9001, 1.0)
    found = read(tmp_path)

    assert steps(found) == list(range(count + 9002))
    assert found.kinds() == ["note"]
    assert book.writer.trouble.lost == 0


def test_a_queue_that_drains_holds_nobody_up(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path
) -> None:
    """While a long queue is taken in, other threads go on logging, and the order stays."""
    book = ledger(segment_size=1 << 20)
    count = fill(book)
    for step in range(count, count + 60_000):
        book.floats(step, float(step))
    thread = threading.Thread(target=book.writer.service)
    waits: list[float] = []
    thread.start()
    step = count + 60_000
    while thread.is_alive():
        start = time.perf_counter()
        book.floats(step, float(step))
        waits.append(time.perf_counter() - start)
        step += 1
    thread.join()
    book.close()

    # Held for the whole time, the lock would have let nobody in between.
    assert len(waits) > 2
    assert steps(read(tmp_path)) == list(range(step))


def test_the_end_of_a_run_is_told_when_there_is_no_room(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path
) -> None:
    """While rows wait for room, the vital events still find theirs, and can be read at once."""
    book = ledger(segment_size=SMALL)
    fill(book)
    book.event("note")
    book.event("incomplete", vital=True, reason="no room", lost_rows=3)
    book.event("finish", vital=True, exit_code=0)

    found = read(tmp_path)

    assert found.kinds() == ["incomplete", "finish"]


def test_rows_given_up_are_counted(ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path) -> None:
    """Giving up counts the rows that wait, not the events, and forgets them; what comes later is readable."""
    book = ledger(segment_size=SMALL)
    count = fill(book)
    book.row(count, {"a new schema": ("f", 1.0)})
    book.event("note")
    book.writer.give_up()
    assert book.writer.trouble.lost == 2

    book.writer.service()
    book.row(count + 1, {"a new schema": ("f", 1.0)})
    found = read(tmp_path)

    assert steps(found) == [*range(count - 1), count + 1]
    assert found.damage == []


def test_a_closed_journal_takes_nothing_and_raises_nothing(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path
) -> None:
    """Rows and events after the end are counted or ignored, never an exception; closing twice is closing once."""
    book = ledger()
    book.floats(0, 1.0)
    book.close()
    size = (tmp_path / "w1.rhj").stat().st_size
    book.floats(1, 1.0)
    book.row(2, {"new": ("s", "x")})
    book.event("finish", vital=True)
    book.writer.service()
    book.writer.close()

    assert steps(read(tmp_path)) == [0]
    assert (tmp_path / "w1.rhj").stat().st_size == size
    assert book.writer.trouble.lost == 2


def test_threads_that_log_while_the_journal_closes_lose_nothing_unseen(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path
) -> None:
    """Every row logged beside `close` is either in the journal or counted as lost."""
    for attempt in range(10):
        directory = tmp_path / str(attempt)
        directory.mkdir()
        book = ledger(directory)
        layouts: list[Any] = []
        book.writer.exclusively(lambda book=book, layouts=layouts: layouts.append(book.writer.layout(Schema("", ()))))
        is_over = threading.Event()
        counts: list[int] = []

        def write(book: Any = book, layout: Any = layouts[0], is_over: Any = is_over, counts: Any = counts) -> None:
            step = 0
            while not is_over.is_set():
                book.writer.exclusively(book.writer.put_row, layout, step, 0, ())
                step += 1
            counts.append(step)

        threads = [threading.Thread(target=write) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.01)
        book.close()
        is_over.set()
        for thread in threads:
            thread.join()

        lost = book.writer.trouble.lost if book.writer.trouble else 0
        assert len(read(directory).rows) + lost == sum(counts)


def test_a_deleted_tail_is_replaced(ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path) -> None:
    """When somebody deletes the tail, what it held is folded, later rows go to a new one, and the trouble is told."""
    book = ledger()
    for step in range(10):
        book.floats(step, 1.0)
    (tmp_path / "w1.0.tail").unlink()
    book.writer.service()
    for step in range(10, 20):
        book.floats(step, 1.0)

    assert steps(read(tmp_path)) == list(range(20))
    assert book.writer.trouble == ("the tail was deleted", 0)


def test_a_spool_that_was_tidied_up_is_made_again(
    ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path
) -> None:
    """When the spool's directory vanishes, it is made again and no row is lost."""
    directory, spool = tmp_path / "run", tmp_path / "spool"
    for place in (directory, spool):
        place.mkdir()
    book = ledger(directory, spool=spool)
    book.floats(0, 1.0)
    (spool / "w1.0.tail").unlink()
    spool.rmdir()
    book.writer.service()
    book.floats(1, 1.0)

    assert steps(read(directory, spool=spool)) == [0, 1]


def test_a_run_directory_that_vanishes_disturbs_nobody(ledger: Callable[..., Any], tmp_path: Path) -> None:
    """When the whole directory is deleted, logging, service and close go on without an exception."""
    directory = tmp_path / "run"
    directory.mkdir()
    book = ledger(directory, segment_size=SMALL)
    book.floats(0, 1.0)
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
    for step in range(2000):
        book.floats(step, 1.0)
        if step % 500 == 0:
            book.writer.service()
    book.close()

    assert book.writer.trouble is not None


def test_segments_go_only_when_the_frames_are_safe(ledger: Callable[..., Any], tmp_path: Path) -> None:
    """A folded segment stays until the journal file was synced, so that a power cut cannot take both."""
    book = ledger(segment_size=SMALL)
    book.writer._synced_at = time.monotonic() + 1000
    for step in range(3000):
        book.floats(step, 1.0)
        if step % 100 == 0:
            book.writer.service()
    before = len(list(tmp_path.glob("*.tail")))
    book.writer._synced_at = 0
    book.writer.service()
    after = len(list(tmp_path.glob("*.tail")))

    assert before > 4
    assert after <= 2


def test_a_forked_child_lets_go(ledger: Callable[..., Any], read: Callable[..., Any], tmp_path: Path) -> None:
    """A child that disowns the journal closes its view of it; parent and files are untouched."""
    book = ledger()
    book.floats(0, 1.0)
    pid = os.fork()
    if pid == 0:
        try:
            book.writer.disown()
            book.floats(1, 1.0)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    book.floats(2, 1.0)
    book.close()

    assert steps(read(tmp_path)) == [0, 2]


def test_folding_alternating_schemas_stays_cheap(ledger: Callable[..., Any], tmp_path: Path) -> None:
    """Rows of two schemas in turn cost less than 6 bytes a cell."""
    book = ledger()
    for step in range(20_000):
        book.row(step, {"a": ("f", step / 7), "b": ("f", 0.5)}, time=step * 1000, stream="" if step % 2 else "x")
    book.close()

    assert (tmp_path / "w1.rhj").stat().st_size / 40_000 < 6
