"""Broken journals: torn, flipped, zeroed, shuffled and foreign bytes give fewer rows, never wrong ones, and never a crash."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhaven.journal.reader import JournalReader
from runhaven.journal.record import RowBlock

GOLDEN = Path(__file__).parent / "golden" / "v1"


def rows_of(directory: Path) -> tuple[dict[int, str], list[Any]]:
    """Return each row by its number, and the damage; asks twice, as a live reader does."""
    reader = JournalReader(directory)
    found: dict[int, str] = {}
    for record in [*reader.poll(), *reader.poll()]:
        if isinstance(record, RowBlock):
            for index, number in enumerate(record.numbers):
                assert number not in found
                cells = {
                    key: repr(column[index])
                    for (key, _), column in zip(record.schema.cells, record.columns, strict=True)
                }
                found[number] = f"{record.steps[index]} {record.times[index]} {cells}"
    return found, [*reader.damage, *reader.unread()]


def mutate(data: bytes, draw: st.DataObject) -> bytes:
    """Break a file in one of the ways in which disks and people break files."""
    at = draw.draw(st.integers(0, len(data) - 1))
    size = draw.draw(st.integers(1, 300))
    kind = draw.draw(st.sampled_from(["cut", "flip", "zero", "foreign", "swap", "remove", "repeat"]))
    if kind == "cut":
        return data[:at]
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ 1 << draw.draw(st.integers(0, 7))]) + data[at + 1 :]
    if kind == "zero":
        return data[:at] + bytes(min(size, len(data) - at)) + data[at + size :]
    if kind == "foreign":
        return data[:at] + draw.draw(st.binary(min_size=1, max_size=300)) + data[at:]
    if kind == "swap":
        return data[at:] + data[:at]
    return data[:at] + data[at + size :] if kind == "remove" else data[: at + size] + data[at:]


def journal_files(case: str) -> list[Path]:
    return [path for path in (GOLDEN / case).iterdir() if path.suffix in {".rhj", ".tail"}]


@pytest.mark.parametrize("case", ["finished", "crashed", "every-kind"])
@given(draw=st.data())
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_no_broken_file_gives_a_wrong_row(case, draw, tmp_path_factory):
    """Whatever happens to the bytes: each row read is one that was written, under its number, and gaps are reported; so by two threads."""
    good, _ = rows_of(GOLDEN / case)
    directory = tmp_path_factory.mktemp("broken")
    for path in journal_files(case):
        data = path.read_bytes()
        for _ in range(draw.draw(st.integers(0, 3))):
            data = mutate(data, draw) or b"\0"
        (directory / path.name).write_bytes(data)
    start = time.process_time()
    found, damage = rows_of(directory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runhaven.journal.layout._WORTH_SHARING", 0)
        by_two_threads = rows_of(directory)

    assert found.items() <= good.items()
    assert by_two_threads == (found, damage)
    assert time.process_time() - start < 60
    if good.keys() - found.keys() & set(range(max(found, default=0))):
        assert damage


@pytest.mark.parametrize("case", ["finished", "crashed", "every-kind"])
@given(draw=st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_bytes_of_another_journal_are_never_read(case, draw, tmp_path_factory):
    """A file of another journal, whole or as half of a file, gives no row, though all its checksums are sound there."""
    directory = tmp_path_factory.mktemp("foreign")
    good, _ = rows_of(GOLDEN / case)
    foreign = draw.draw(
        st.sampled_from([path for other in ("finished", "every-kind") for path in journal_files(other)])
    )
    other = foreign.read_bytes()
    for path in journal_files(case):
        mine = path.read_bytes() if path.name != foreign.name else b""
        cut = draw.draw(st.integers(0, len(mine)))
        data = draw.draw(
            st.sampled_from([other, mine[:cut] + other, other + mine[cut:], mine[cut:] + other + mine[:cut]])
        )
        (directory / (path.name if case != "every-kind" else f"x{path.name}")).write_bytes(data)
    found, _ = rows_of(directory)

    assert found.items() <= (good.items() if case != "every-kind" else set())


@given(data=st.binary(max_size=2000))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_foreign_files_are_passed_over(data, tmp_path_factory):
    """Files that are no journals give nothing and break nothing."""
    directory = tmp_path_factory.mktemp("foreign")
    for name in ("w.rhj", "w.0.tail", "notes.txt", "x.tail", "y.abc.tail"):
        (directory / name).write_bytes(data)

    assert rows_of(directory)[0] == {}


def test_a_flipped_byte_is_reported(tmp_path):
    """Damage in the middle of a file is not silent."""
    good, damage = rows_of(GOLDEN / "finished")
    (path,) = (GOLDEN / "finished").glob("*.rhj")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / path.name).write_bytes(data)
    found, reported = rows_of(tmp_path)

    assert len(good) > 300
    assert damage == []
    assert reported != []
    assert len(found) < len(good)
