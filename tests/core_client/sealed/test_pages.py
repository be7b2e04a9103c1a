"""Files of numbers: other tools read them, and our page reader reads any stretch of them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhaven.sealed import parquet
from runhaven.sealed.pages import Column, read_column
from runhaven.sealed.parquet import FLOAT, INTEGER, SMALL, TIME, WORD, Field, NumberFile

pq = pytest.importorskip("pyarrow.parquet")

MANY = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
INTEGERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.integers(-100, 100), st.integers(2**50, 2**50 + 9), st.just(0)
)
FIELDS = [
    Field("word", WORD, "runs"), Field("small", SMALL, "runs"), Field("level", INTEGER, "runs"), Field("split", INTEGER),
    Field("delta", INTEGER, "delta"), Field("time", TIME, "delta"), Field("float", FLOAT),
]  # fmt: skip
NUMBERS = ("split", "delta", "time", "float")


class Run(NamedTuple):
    """Rows with the same word; the floats have the bits of the integers."""

    word: str
    small: int
    level: int
    integers: list[int]


RUNS = st.lists(
    st.builds(
        Run, st.text(st.characters(codec="utf-8"), max_size=3), st.integers(-5, 5), INTEGERS, st.lists(INTEGERS, min_size=1, max_size=200)
    ),
    min_size=1,
    max_size=5,
)  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("pages") / "a.parquet"


def write(path: Path, runs: list[Run], *, page: int, group: int) -> dict[str, Column]:
    with pytest.MonkeyPatch.context() as patch, path.open("wb") as file:
        patch.setattr(parquet, "ROW_GROUP", group)
        found = NumberFile(file, FIELDS, page=page, metadata={"who": "we"})
        for run in runs:
            values = np.array(run.integers, np.int64)
            found.add([*run[:3], values, values, values % 2**60, values.view(np.float64)], len(values))
        return found.end()


def expected(runs: list[Run]) -> dict[str, list[Any]]:
    rows = [(*run[:3], value) for run in runs for value in run.integers]
    words, smalls, levels, integers = map(list, zip(*rows, strict=True))
    floats: list[float] = np.array(integers, np.int64).view(np.float64).tolist()
    times = [value % 2**60 for value in integers]
    return dict(
        zip([field.name for field in FIELDS], [words, smalls, levels, integers, integers, times, floats], strict=True)
    )


def bits(columns: dict[str, list[Any]]) -> dict[str, Any]:
    """Make NaN comparable and zeros of either sign unequal; which NaN it is a tool may change."""
    return columns | {"float": [value.hex() for value in columns["float"]]}


def with_pyarrow(path: Path) -> dict[str, list[Any]]:
    table = pq.read_table(path)
    return {
        name: (table[name].cast("int64") if name == "time" else table[name]).to_pylist() for name in table.column_names
    }


def with_arro3(path: Path) -> dict[str, list[Any]]:
    from arro3 import core, io

    table: Any = io.read_parquet(path).read_all()
    kinds = {"word": core.DataType.string(), "time": core.DataType.int64()}
    return {
        name: (table[name].cast(kinds[name]) if name in kinds else table[name]).to_pylist()
        for name in table.column_names
    }


def with_polars(path: Path) -> dict[str, list[Any]]:
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(path).with_columns(
        polars.col("time").to_physical(), polars.col("word").cast(polars.String)
    )
    return {name: frame[name].to_list() for name in frame.columns}


def with_duckdb(path: Path) -> dict[str, list[Any]]:
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.sql(f"select * replace (epoch_us(time) as time) from read_parquet('{path}')")
    return dict(zip(found.columns, map(list, zip(*found.fetchall(), strict=True)), strict=True))


@pytest.mark.parametrize("read", [with_pyarrow, with_arro3, with_polars, with_duckdb])
@settings(MANY, max_examples=40)
@given(RUNS, st.integers(1, 300), st.integers(1, 400))
def test_other_tools_read_what_was_written(path, read, runs, page, group):
    """Whatever the words, the numbers, the pages and the row groups, each tool finds every value of every row."""
    write(path, runs, page=page, group=group)

    assert bits(read(path)) == bits(expected(runs))


def test_pages_of_full_size_are_read_by_other_tools(path):
    """A file of pages as long as they are when runs are sealed is read whole by each tool, with a pause in its times."""
    values = [number * number % 1013 + (10**9 if number > 9000 else 0) for number in range(20_000)]
    runs = [Run("a", 0, 64, values), Run("b", 1, 256, values[:500])]
    write(path, runs, page=8192, group=1 << 20)

    assert all(
        bits(read(path)) == bits(expected(runs)) for read in (with_pyarrow, with_arro3, with_polars, with_duckdb)
    )


@MANY
@given(RUNS, st.integers(1, 300), st.integers(1, 400))
def test_the_footer_tells_the_bounds_of_each_row_group(path, runs, page, group):
    """Row groups say their least and greatest value, so that a tool can pass over them; NaN counts for nothing."""
    write(path, runs, page=page, group=group)
    columns = expected(runs)
    about = pq.ParquetFile(path).metadata
    start = 0

    for place in range(about.num_row_groups):
        rows = slice(start, start := start + about.row_group(place).num_rows)
        for at, field in enumerate(FIELDS):
            if field.name == "time":
                continue  # As times, these numbers are beyond what Python can hold.
            known = [value for value in columns[field.name][rows] if value == value]  # noqa: PLR0124 - not NaN
            known.sort(key=str.encode if field.name == "word" else None)
            told = about.row_group(place).column(at).statistics
            found = [told.min, told.max] if told is not None and told.has_min_max else []
            assert found == known[:1] + known[-1:]
    assert start == len(columns["word"])


def test_words_stay_numbers_of_a_dictionary(path):
    """A tool that keeps words as numbers of a dictionary is told that these are ones, and which time zone times have."""
    write(path, [Run("loss", 0, 64, [1, 2, 3])], page=2, group=10)
    kinds = {field.name: str(field.type) for field in pq.read_schema(path)}

    assert kinds["word"].startswith("dictionary<values=string")
    assert kinds["time"] == "timestamp[us, tz=UTC]"
    assert pq.read_metadata(path).metadata[b"who"] == b"we"


@MANY
@given(RUNS, st.integers(1, 300), st.integers(1, 400), st.data())
def test_any_stretch_of_any_column(path, runs, page, group, data):
    """Whatever the encoding, the pages and the row groups, a stretch holds what was written there, bit for bit."""
    places = write(path, runs, page=page, group=group)
    columns = expected(runs)
    start = data.draw(st.integers(0, len(columns["word"])))
    stop = data.draw(st.integers(start, len(columns["word"])))
    fd = os.open(path, os.O_RDONLY)
    found = {name: read_column(fd, column, start, stop) for name, column in places.items()}
    os.close(fd)

    assert tuple(found) == NUMBERS
    assert all(found[name].tolist() == columns[name][start:stop] for name in ("split", "delta", "time"))
    assert found["float"].view(np.int64).tolist() == columns["split"][start:stop]


@MANY
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_page_is_told_or_gives_numbers(path, place, change):
    """A flipped byte makes no crash: an error that says so, or as many numbers as there should be."""
    places = write(path, [Run("a", 0, 1, list(range(0, 3000, 3)))], page=100, group=1000)
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= change
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        for column in places.values():
            with contextlib.suppress(ValueError):
                assert len(read_column(fd, column, 10, 990)) == 980
    finally:
        os.close(fd)
