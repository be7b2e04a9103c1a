"""The page reader against another one, on the files of another writer."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arro3 import core as arrow
from arro3 import io as parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhaven.sealed.pages import columns_of, read_column

pq = pytest.importorskip("pyarrow.parquet")

MANY = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
INTEGERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.integers(-100, 100), st.integers(2**50, 2**50 + 9), st.just(0)
)


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("pages") / "a.parquet"


def write(path: Path, integers: list[int], encoding: Any, *, page: int, group: int) -> None:
    values = np.array(integers, np.int64)
    kinds = {"i": arrow.DataType.int64(), "t": arrow.DataType.timestamp("us", tz="UTC"), "f": arrow.DataType.float64()}
    kinds["w"] = arrow.DataType.string()
    schema = arrow.Schema([arrow.Field(name, kind, nullable=False) for name, kind in kinds.items()])
    columns = [
        arrow.Array.from_numpy(values),
        arrow.Array.from_numpy(values).cast(kinds["t"]),
        arrow.Array.from_numpy(values.view(np.float64)),
        arrow.Array([str(value) for value in integers], type=kinds["w"]),
    ]
    parquet.write_parquet(
        arrow.RecordBatch.from_arrays(columns, schema=schema),
        path,
        compression="zstd(1)",
        column_dictionary_enabled={"i": False, "t": False, "f": False},
        column_encoding={"i": encoding, "t": encoding, "f": "plain" if encoding == "plain" else "byte_stream_split"},
        data_page_row_count_limit=page,
        write_batch_size=page,
        max_row_group_size=group,
    )


@MANY
@given(
    st.lists(INTEGERS, min_size=1, max_size=600),
    st.sampled_from(["plain", "delta_binary_packed", "byte_stream_split"]),
    st.integers(1, 300),
    st.integers(1, 400),
    st.data(),
)
def test_any_stretch_of_any_column(path, integers, encoding, page, group, data):
    """Whatever the encoding, the pages and the row groups, a stretch holds what another reader finds."""
    write(path, integers, encoding, page=page, group=group)
    columns = columns_of(path.read_bytes())
    start = data.draw(st.integers(0, len(integers)))
    stop = data.draw(st.integers(start, len(integers)))
    fd = os.open(path, os.O_RDONLY)
    found = {name: read_column(fd, column, start, stop) for name, column in columns.items()}
    os.close(fd)
    expected = pq.read_table(path).slice(start, stop - start)

    assert set(found) == {"i", "t", "f"}
    assert found["i"].tolist() == expected["i"].to_pylist()
    assert found["t"].tolist() == expected["t"].cast("int64").to_pylist()
    assert found["f"].tobytes() == expected["f"].to_numpy().tobytes()


@MANY
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_page_is_told_or_gives_numbers(path, place, change):
    """A flipped byte makes no crash: an error that says so, or as many numbers as there should be."""
    write(path, list(range(0, 3000, 3)), "delta_binary_packed", page=100, group=1000)
    whole = path.read_bytes()
    columns = columns_of(whole)
    data = bytearray(whole)
    data[place % len(data)] ^= change
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        for column in columns.values():
            with contextlib.suppress(ValueError):
                assert len(read_column(fd, column, 10, 990)) == 980
    finally:
        os.close(fd)


def test_another_file_is_no_parquet():
    """What is no Parquet file is refused."""
    with pytest.raises(ValueError, match="not a Parquet file"):
        columns_of(b"nothing of the kind")
