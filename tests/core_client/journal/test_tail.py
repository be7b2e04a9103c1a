"""Segments of the tail, and finding records in damaged ones."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runhaven.journal.layout import EVENT_TAG, seal_record, seed_for
from runhaven.journal.tail import START_SIZE, Segment, find_record, read_start, scan

if TYPE_CHECKING:
    from pathlib import Path

SEED = seed_for("w1")
FAR = 2**32 - 5


def records_from(first: int, bodies: list[bytes], seed: int = SEED) -> list[bytes]:
    return [seal_record(first + at, EVENT_TAG, body, seed=seed) for at, body in enumerate(bodies)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=12), st.sampled_from([0, 7, FAR, 2**40 + FAR]), st.integers(0, 200))
def test_a_scan_finds_all_records_up_to_a_torn_one(bodies: list[bytes], first: int, cut: int) -> None:
    """Cut anywhere, a segment gives exactly the records that are whole, numbered on past 2**32."""
    records = records_from(first, bodies)
    data = b"".join(records)[:cut]
    whole = 0
    while whole < len(records) and sum(map(len, records[: whole + 1])) <= cut:
        whole += 1

    for rest in (b"", bytes(40)):
        found, position = scan(data + rest, first=first, seed=SEED)

        if not rest or whole == len(records):
            assert found == [(first + at, EVENT_TAG, bodies[at]) for at in range(whole)]
            assert position == sum(map(len, records[:whole]))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.binary(max_size=50), min_size=2, max_size=12),
    st.sampled_from([0, 65_530, FAR, 2**40 + FAR]),
    st.data(),
)
def test_records_after_damage_are_found(bodies: list[bytes], first: int, data: st.DataObject) -> None:
    """Behind a damaged stretch the next sound record is found, with its number."""
    records = records_from(first, bodies)
    at = data.draw(st.integers(1, len(records) - 1))
    broken = b"".join(records[:at])
    broken = data.draw(st.one_of(st.just(bytes(len(broken))), st.binary(min_size=len(broken), max_size=len(broken))))

    found = find_record(broken + b"".join(records[at:]), first=first, seed=SEED)

    assert found == (len(broken), first + at)


def test_records_of_another_journal_or_an_earlier_time_are_no_records() -> None:
    """Neither a foreign journal's records nor numbers that have been are taken for what comes next."""
    foreign = b"".join(records_from(3, [b"a", b"b"], seed_for("w2")))
    earlier = b"".join(records_from(3, [b"a", b"b"]))

    assert find_record(foreign, first=3, seed=SEED) is None
    assert find_record(earlier, first=5, seed=SEED) is None
    assert scan(foreign, first=3, seed=SEED) == ([], 0)
    assert scan(earlier, first=4, seed=SEED) == ([], 0)


@pytest.mark.parametrize(
    "garbage",
    [
        bytes(4 << 20),
        b"\x20\0\0\0\1\0\0\0" * (512 << 10),
        b"\0\0\x10\0\1\0\0\0" * (512 << 10),
        seal_record(1, EVENT_TAG, b"x" * 100, seed=seed_for("w2")) * 30_000,
    ],
    ids=["zeros", "short lengths", "long lengths", "foreign records"],
)
def test_a_search_in_vain_ends_soon(garbage: bytes) -> None:
    """A whole segment of bytes made to look like records costs less than two seconds."""
    start = time.process_time()

    assert find_record(garbage, first=0, seed=SEED) is None
    assert time.process_time() - start < 2


def test_a_segment_says_where_its_numbers_start(tmp_path: Path) -> None:
    """The head of a segment gives the full number of its first record, and checks."""
    segment = Segment(tmp_path / "w1.0.tail", 1 << 16)
    assert read_start(segment.path.read_bytes()[:START_SIZE], seed=SEED) is None

    segment.begin(2**40 + 3, seed=SEED)
    head = segment.path.read_bytes()[:START_SIZE]
    segment.close(remove=True)

    assert read_start(head, seed=SEED) == 2**40 + 3
    assert read_start(head, seed=seed_for("w2")) is None
    assert read_start(head[:-1], seed=SEED) is None
    assert not segment.path.exists()


def test_a_segment_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    """Where the disk refuses the room, no file stays behind."""
    with pytest.raises(OSError, match=r"."):
        Segment(tmp_path / "w1.0.tail", 1 << 62)

    assert list(tmp_path.iterdir()) == []
