"""What is done with whole columns, with numpy and with the standard library alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from runhaven.journal.column import bounds, consecutive, merge_planes, native, split_planes

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["numpy", None], ids=["numpy", "standard library"], autouse=True)
def _arithmetic(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test runs as if somebody had imported numpy, and as if nobody had."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "numpy", pytest.importorskip("numpy") if request.param else None)
        yield


def test_planes_take_the_bytes_apart_and_together() -> None:
    """Splitting into byte planes and merging them are each other's inverse."""
    data = bytes(range(24))

    planes = split_planes(data, width=8)

    assert planes[:3] == bytes([0, 8, 16])
    assert merge_planes(planes, width=8) == data
    assert merge_planes(memoryview(planes), width=8) == data


def test_numbers_lie_little_endian() -> None:
    """The bytes of a column are its numbers, the lowest byte first."""
    assert native("q", b"\1" + bytes(7) + b"\xff" * 8).tolist() == [1, -1]
    assert native("d", bytes(6) + b"\xf0\x3f").tolist() == [1.0]


def test_record_numbers_follow_each_other() -> None:
    """Consecutive numbers begin where they should, beyond 63 bits too."""
    assert list(consecutive(2**64 - 3, 3)) == [2**64 - 3, 2**64 - 2, 2**64 - 1]
    assert list(consecutive(7, 0)) == []


def test_bounds_are_the_least_and_the_greatest() -> None:
    """The bounds of a column are exact integers."""
    assert bounds(native("q", b"".join(step.to_bytes(8, "little", signed=True) for step in (5, -(2**63), 7)))) == (
        -(2**63),
        7,
    )
