"""Tables hold anything, grow, and come back."""

from __future__ import annotations

import json
import math
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch

import runhaven
from runhaven.media import load

RGB = np.zeros((4, 4, 3), np.uint8)


def test_cells_of_every_type_come_back(keep):
    """Numbers exactly, texts, None, NaN, arrays, lists and media with their references."""
    row = [
        2**53 + 1,
        0.1,
        "text",
        None,
        math.inf,
        True,
        np.float32(0.5),
        [1, {"a": 2}],
        torch.arange(3),
        runhaven.Image(RGB),
    ]
    columns = [f"c{index}" for index in range(len(row))]
    kept = keep(table=runhaven.Table(columns=columns, data=[row]))
    table = load(kept["table"], kept.store)
    content = json.loads(kept.bytes(kept["table"]))

    assert table.columns == columns
    assert table.data[0][:9] == [2**53 + 1, 0.1, "text", None, math.inf, True, 0.5, [1, {"a": 2}], [0, 1, 2]]
    assert kept.picture(table.data[0][9]).size == (4, 4)
    assert (kept["table"]["ncols"], kept["table"]["nrows"]) == (10, 1)
    assert content["column_types"][0] == ["number"]
    assert content["column_types"][4] == ["number"]
    assert content["column_types"][9] == ["image-file"]


def test_frames_and_arrays_become_tables(keep):
    """pandas, as data, as dataframe or bare, and two-dimensional arrays."""
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "when": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    kept = keep(
        bare=frame,
        given=runhaven.Table(dataframe=frame),
        data=runhaven.Table(data=frame),
        array=runhaven.Table(data=np.eye(2)),
    )

    assert kept["bare"]["sha256"] == kept["given"]["sha256"] == kept["data"]["sha256"]
    assert load(kept["bare"], kept.store).columns == ["a", "b", "when"]
    assert load(kept["bare"], kept.store).data[0][:2] == [1, "x"]
    assert load(kept["array"], kept.store).data == [[1.0, 0.0], [0.0, 1.0]]
    assert runhaven.Table(dataframe=frame).get_dataframe().equals(frame)


def test_what_w_and_b_scripts_do_with_a_table():
    """Adding, reading and computing work as in W&B."""
    table = runhaven.Table(columns=["id", "x"])
    table.add_data(1, 10.0)
    table.add_row(2, 20.0)
    table.add_column("y", np.array([0.5, 1.5]))
    table.add_computed_columns(lambda index, row: {"z": index + row["x"]})
    table.set_pk("id")

    assert runhaven.Table().columns == ["Input", "Output", "Expected"]
    assert table.get_column("z") == [10.0, 21.0]
    assert table.get_column("y", convert_to="numpy").tolist() == [0.5, 1.5]
    assert table.get_index() == [0, 1]
    assert list(table.iterrows()) == [(0, [1, 10.0, 0.5, 10.0]), (1, [2, 20.0, 1.5, 21.0])]
    assert table.index_ref(1) == 1
    assert table.cast("x", float) == "number"
    for wrong in (
        lambda: table.add_data(1),
        lambda: table.add_column("y", [1, 2]),
        lambda: table.add_column("w", [1]),
        lambda: table.get_column("gone"),
        lambda: table.cast("x", str),
        lambda: runhaven.Table(log_mode=cast("Any", "SOMETIMES")),
    ):
        with pytest.raises(runhaven.UsageError):
            wrong()


def test_a_column_of_several_types_is_said_once(capfd, monkeypatch):
    """It is kept all the same; `allow_mixed_types` means it; strict mode raises."""
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    run = runhaven.init(project="p", settings={"quiet": True})
    table = runhaven.Table(columns=["a"], data=[[1], ["x"], [None]])
    run.log({"table": table})
    run.log({"table": table, "meant": runhaven.Table(columns=["b"], data=[[1], ["x"]], allow_mixed_types=True)})
    run.finish()
    strict = runhaven.init(project="p", settings={"strict": True, "silent": True})

    assert capfd.readouterr().err.count("column 'a' of a table holds number and string") == 1
    for bad in (table, runhaven.Table(columns=["a"], data=[[None]], optional=False)):
        with pytest.raises(runhaven.UsageError):
            strict.log({"table": bad})


@pytest.mark.parametrize("mode", ["IMMUTABLE", "MUTABLE"])
def test_a_table_that_is_logged_again_is_kept_as_it_is_then(store, mode):
    """Each log() keeps the rows of its moment."""
    table = runhaven.Table(columns=["a"], log_mode=mode)
    run = runhaven.init(project="p")
    for value in range(3):
        table.add_data(value)
        run.log({"table": table})
    run.finish()
    rows = list(runhaven.Api().run(run.path).scan_history())

    assert [load(row["table"], store).data for row in rows] == [[[0]], [[0], [1]], [[0], [1], [2]]]


def test_an_incremental_table_keeps_the_new_rows_alone(store):
    """Each log() stores what was added; each reference reads as the whole table until then, also beyond a hundred parts."""
    table = runhaven.Table(columns=["a"], log_mode="INCREMENTAL")
    run = runhaven.init(project="p")
    for value in range(130):
        table.add_data(value)
        run.log({"table": table})
    table.add_column("b", list(range(130)))
    run.log({"table": table})
    run.finish()
    references = [row["table"] for row in runhaven.Api().run(run.path).scan_history()]

    assert references[0]["_type"] == "incremental-table-file"
    for count in (1, 2, 100, 101, 130):
        assert load(references[count - 1], store).data == [[value] for value in range(count)]
        assert references[count - 1]["nrows"] == count
    assert [part["nrows"] for part in references[9]["parts"]] == [1] * 10
    assert max(len(reference["parts"]) for reference in references) <= 100
    assert load(references[-1], store).data == [[value, value] for value in range(130)]


def test_a_bad_cell_does_not_cost_the_table(keep):
    """A picture that cannot be kept is a placeholder in its cell."""
    kept = keep(table=runhaven.Table(columns=["a"], data=[[runhaven.Image("gone.png")], [runhaven.Image(RGB)]]))
    data = load(kept["table"], kept.store).data

    assert [row[0]["_type"] for row in data] == ["error", "image-file"]


def test_joined_tables_name_both(keep):
    """A joined table refers to its tables and to the column that both have."""
    one, other = runhaven.Table(columns=["id", "x"], data=[[1, 2]]), runhaven.Table(columns=["id", "y"], data=[[1, 3]])
    kept = keep(joined=runhaven.JoinedTable(one, other, "id"), parts=runhaven.PartitionedTable("folder"))

    assert load(kept["joined"]["table2"], kept.store).data == [[1, 3]]
    assert kept["joined"]["join_key"] == "id"
    assert kept["parts"] == {"_type": "partitioned-table", "parts_path": "folder"}


def test_a_large_table_is_kept_whole_and_said(capfd, monkeypatch, store):
    """Beyond W&B's 10,000 rows there is one warning, and nothing is cut off."""
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    table = runhaven.Table(columns=["a"], data=[[index] for index in range(10_001)])
    with runhaven.init(project="p", settings={"quiet": True}) as run:
        run.log({"table": table})
        table.add_data(-1)
        run.log({"table": table})
    rows = list(runhaven.Api().run(run.path).scan_history())

    assert load(rows[1]["table"], store).data == table.data
    assert capfd.readouterr().err.count("add it to an artifact") == 1


def test_a_cell_that_failed_when_it_was_made_costs_itself_alone(keep):
    """A picture with an argument that nobody knows is a placeholder in its cell; the table and the row are kept."""
    bad = runhaven.Image(RGB, **cast("Any", {"nonsense": 1}))
    kept = keep(table=runhaven.Table(columns=["a"], data=[[bad], [runhaven.Image(RGB)]]), loss=1.0)

    assert [row[0]["_type"] for row in load(kept["table"], kept.store).data] == ["error", "image-file"]
    assert kept["loss"] == 1.0
