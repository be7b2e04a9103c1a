"""Files and frames of runs hold what was logged, exactly."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from runhaven import NotFoundError, UsageError
from runhaven.api import Api
from runhaven.api.export import Choice, write_history
from runhaven.sealed.seal import seal

duckdb = pytest.importorskip("duckdb")

ROWS = [
    {"loss": 0.1 + 0.2, "n": 2**60 + 1, "text": 'a,"b"\n', "flag": True, "tree": [1, {"a": math.nan}]},
    {"loss": math.nan, "n": -(2**63)},
    {"loss": math.inf, "odd": "\ud800", "maybe": None},
    {"loss": -math.inf, "maybe": 1.5},
    {"loss": 3, "n": 7},
]


@pytest.fixture(params=["journal", "sealed"])
def run(request, written):
    for step, row in enumerate(ROWS):
        written.log(row, step)
    for node in ("a", "b"):
        for step in range(3):
            written.log({"cpu": step + 0.5}, step, stream=f"node={node}")
    if request.param == "sealed":
        assert seal(written.close().directory)
    return written.close()


def exported(runs, form, **choice) -> bytes:
    file = io.BytesIO()
    write_history(runs, file, form, Choice(**choice))
    return file.getvalue()


def parquet(path):
    found = duckdb.connect().execute(f"select * from read_parquet('{path}')")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def test_lines_of_json_are_the_rows(run):
    """Each line holds the keys that its row has; what JSON lacks is a text."""
    found = [json.loads(line) for line in exported([run], "jsonl").splitlines()]

    assert [row["_step"] for row in found] == list(range(5))
    assert (found[0]["_run"], found[0]["_id"]) == (run.ulid, run.id)
    assert (found[0]["loss"], found[0]["n"], found[0]["text"]) == (0.1 + 0.2, 2**60 + 1, 'a,"b"\n')
    assert (found[0]["flag"], found[0]["tree"]) == (True, [1, {"a": "NaN"}])
    assert [row["loss"] for row in found[1:]] == ["NaN", "Infinity", "-Infinity", 3]
    assert found[2]["odd"] == "\ud800"
    assert found[2]["maybe"] is None
    assert "maybe" not in found[0]


def test_cells_of_csv_are_exact(run):
    """Floats are written with all their digits, integers whole; an absent cell is empty."""
    found = list(csv.DictReader(io.StringIO(exported([run], "csv").decode())))

    assert float(found[0]["loss"]) == 0.1 + 0.2
    assert [row["loss"] for row in found[1:4]] == ["NaN", "Infinity", "-Infinity"]
    assert [row["n"] for row in found] == [str(2**60 + 1), str(-(2**63)), "", "", "7"]
    assert (found[0]["text"], found[0]["flag"], found[1]["flag"]) == ('a,"b"\n', "true", "")


def test_columns_of_parquet_have_the_types_that_were_logged(run, tmp_path):
    """Integers stay integers, None is of no type, and what is no number is text."""
    path = run.export(tmp_path / "run.parquet")
    rows = parquet(path)

    assert [row["n"] for row in rows] == [2**60 + 1, -(2**63), None, None, 7]
    assert rows[0]["loss"] == 0.1 + 0.2
    assert math.isnan(rows[1]["loss"])
    assert [row["loss"] for row in rows[2:]] == [math.inf, -math.inf, 3.0]
    assert [row["maybe"] for row in rows] == [None, None, None, 1.5, None]
    assert (rows[0]["flag"], rows[0]["text"], rows[0]["tree"]) == (True, 'a,"b"\n', '[1, {"a": "NaN"}]')


def test_a_long_file_has_a_row_a_point(run, tmp_path):
    """The points of all streams, numbers as numbers, and exact beside them what a float cannot hold."""
    path = run.export(tmp_path / "run.parquet", shape="long", stream="all")
    rows = {(row["stream"], row["key"], row["step"]): (row["value"], row["text"]) for row in parquet(path)}

    assert len(rows) == sum(map(len, ROWS)) + 6
    assert rows["default", "n", 0] == (float(2**60), str(2**60 + 1))
    assert rows["default", "n", 4] == (7.0, None)
    assert rows["default", "text", 0] == (None, 'a,"b"\n')
    assert rows["node=b", "cpu", 2] == (2.5, None)


def test_long_lines_of_json_hold_the_values_themselves(run):
    """Without types for columns, a value is what was logged."""
    found = [json.loads(line) for line in exported([run], "jsonl", shape="long", keys=["n"]).splitlines()]

    assert [row["value"] for row in found] == [2**60 + 1, -(2**63), 7]
    assert found[0].keys() == {"run", "id", "stream", "key", "step", "time", "value"}


@pytest.mark.parametrize("is_sealed", [False, True])
def test_what_does_not_count_is_not_exported(written, is_sealed):
    """Points that a later session repeats are left out; renamed and corrected ones are as they are by now, in SQL too."""
    for step in range(5):
        written.log({"loss": float(step)}, step)
    written.session(resumed=True)
    written.log({"loss": 20.0}, 3)
    run = written.close()
    if is_sealed:
        seal(run.directory)
    run.rename_metric("loss", "train/loss")
    run.correct("train/loss", 1, 0.125)
    run.correct("train/loss", 2, None)
    rows = [json.loads(line) for line in exported([run], "jsonl", shape="long").splitlines()]
    points = Api().sql("select key, step, value from points order by step")

    assert sorted((row["step"], row["value"]) for row in rows) == [(0, 0.0), (1, 0.125), (3, 20.0)]
    assert {row["key"] for row in rows} == {"train/loss"}
    assert points == [{"key": row["key"], "step": row["step"], "value": row["value"]} for row in rows]


def test_several_runs_share_the_columns(write):
    """A file of several runs has the keys of all."""
    for name, key in (("a", "x"), ("b", "y")):
        one = write(name)
        one.log({key: 1.0}, 0)
        one.close()
    runs = Api().runs()
    found = list(csv.DictReader(io.StringIO(exported(runs, "csv").decode())))

    assert {(row["_id"], row["x"], row["y"]) for row in found} == {("a", "1.0", ""), ("b", "", "1.0")}


def test_a_file_that_cannot_be_is_said_and_the_old_one_stays(run, tmp_path):
    """Unknown formats, shapes and keys are errors that say what to do; nothing is overwritten."""
    path = tmp_path / "run.csv"
    path.write_text("old")

    with pytest.raises(UsageError, match="parquet, csv or jsonl"):
        run.export(tmp_path / "run.xls")
    with pytest.raises(UsageError, match="'wide' or 'long'"):
        run.export(path, shape="tall")
    with pytest.raises(NotFoundError, match="never logged 'lss'"):
        run.export(path, keys=["lss"])
    with pytest.raises(UsageError, match="cannot be written"):
        run.export(tmp_path / "missing" / "run.csv")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.glob(".run*")] == []


def test_the_machines_load_is_a_stream(run):
    """`stream="system"` means all nodes, in the order of time, each row with its node."""
    rows = list(run.scan_history(["cpu"], stream="system"))

    assert sorted((row["_node"], row["cpu"]) for row in rows) == [
        (node, step + 0.5) for node in "ab" for step in range(3)
    ]
    assert len(run.history(stream="system", format="rows")) == 6
    assert next(run.scan_history(stream="node=a")).keys() == {"_step", "_timestamp", "_runtime", "cpu"}


@pytest.mark.parametrize("form", ["pandas", "polars"])
def test_a_history_is_the_frame_that_is_asked_for(run, form):
    """Rows of all kinds fit in a frame of either package."""
    package = pytest.importorskip(form)
    frame = run.history(format=form)

    assert isinstance(frame, package.DataFrame)
    assert list(frame["_step"]) == list(range(5))
    assert frame["loss"].to_list()[0] == 0.1 + 0.2
    with pytest.raises(UsageError, match="choose 'rows'"):
        run.history(format="numpy")


def test_histories_are_one_below_the_other(write):
    """Each row says its run; runs without the keys are left out, and keys that none has are an error."""
    for name, key in (("a", "x"), ("b", "x"), ("c", "y")):
        one = write(name)
        for step in range(3):
            one.log({key: float(step)}, step)
        one.close()
    runs = Api().runs()

    assert {row["run_id"] for row in runs.histories()} == {"a", "b", "c"}
    assert [row["run_id"] for row in runs.histories(keys=["x"])] == ["b"] * 3 + ["a"] * 3
    assert runs.histories(keys=["x"], format="polars").shape == (6, 5)
    assert runs.histories(keys=["x"], format="pandas").columns[0] == "run_id"
    with pytest.raises(NotFoundError, match="'z'"):
        runs.histories(keys=["z"])
    with pytest.raises(UsageError, match="choose 'rows'"):
        runs.histories(format="arrow")  # pyright: ignore[reportArgumentType] - a mistake
