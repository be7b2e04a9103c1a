"""`runhaven export` and `runhaven sql` as a person types them."""

from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner

import runhaven
from runhaven.sealed.seal import seal
from runhaven_cli.app import runhaven_command


def call(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(runhaven_command, list(arguments), prog_name="runhaven")

    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch) -> None:
    """One run that is sealed, one that is not, one of which a part is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number, name in enumerate(("sealed", "fresh", "part")):
        with runhaven.init(project="p", id=name, name=f"name of {name}", config={"lr": 0.1 * number}) as run:
            for step in range(10):
                run.log({"loss": 1 / (step + 1), "note": "ok", "big": 2**60 + 1})
            print("printed by", name)
        if name != "fresh":
            seal(runhaven.Api().run(name).directory)
    with runhaven.init(project="p", id="part", resume="must") as run:
        run.log({"loss": 5.0}, step=8)


def test_export_prints_csv():
    """Without options, the rows of a run come as CSV."""
    rows = list(csv.DictReader(io.StringIO(call("export", "sealed"))))

    assert len(rows) == 10
    assert (rows[1]["loss"], rows[1]["big"], rows[1]["_id"]) == ("0.5", str(2**60 + 1), "sealed")


def test_export_writes_a_folder(tmp_path):
    """A directory gets a file a run."""
    call("export", "-p", "p", "-o", f"{tmp_path}/out/", "-f", "jsonl")

    assert {path.name for path in (tmp_path / "out").iterdir()} == {"p-sealed.jsonl", "p-fresh.jsonl", "p-part.jsonl"}
    assert len((tmp_path / "out/p-fresh.jsonl").read_text().splitlines()) == 10


def test_export_lists_runs():
    """`--runs` gives a row a run."""
    rows = list(csv.DictReader(io.StringIO(call("export", "--runs"))))

    assert {row["id"]: row["config.lr"] for row in rows} == {"sealed": "0.0", "fresh": "0.1", "part": "0.2"}
    assert {row["summary.note"] for row in rows} == {"ok"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name the runs"),
        (("nobody",), "there is no run 'nobody'"),
        (("-p", "q"), "no runs in project 'q'"),
        (("sealed", "-k", "lss"), "never logged 'lss'"),
        (("sealed", "-o", "x.xls"), "parquet, csv or jsonl"),
    ],
)
def test_export_says_what_is_wrong(arguments, message):
    """An error is one line that says what to do."""
    code = 2 if not arguments else 1

    assert message in call("export", *arguments, code=code)


def test_sql_counts_the_points_that_count():
    """Sealed and unsealed points are one table; what a resumed run repeats counts once, as for the Api."""
    pytest.importorskip("duckdb")
    query = "select id, count(*) as n, max(value) as top, max(step) as at from points where key = 'loss' group by id"
    found = {row["id"]: (row["n"], row["top"], row["at"]) for row in json.loads(call("sql", query, "--json"))}

    assert found == {"sealed": (10, 1.0, 9), "fresh": (10, 1.0, 9), "part": (9, 5.0, 8)}
    for name, (count, top, _) in found.items():
        rows = list(runhaven.Api().run(name).scan_history(["loss"]))
        assert (len(rows), max(row["loss"] for row in rows)) == (count, top)


def test_sql_knows_values_events_and_lines():
    """Texts, great integers, events and printed lines are tables of all runs, sealed or not."""
    pytest.importorskip("duckdb")
    values = "select id, min(value) as v from values where type = 'i' group by id"
    events = "select id, count(*) as n from events where event = 'finish' group by id"

    assert {row["id"]: row["v"] for row in json.loads(call("sql", values, "--json"))} == dict.fromkeys(
        ("sealed", "fresh", "part"), str(2**60 + 1)
    )
    assert {row["id"]: row["n"] for row in json.loads(call("sql", events, "--json"))} == {
        "sealed": 1,
        "fresh": 1,
        "part": 2,
    }
    assert call("sql", "select text from console order by text", "--csv") == (
        "text\nprinted by fresh\nprinted by part\nprinted by sealed\n"
    )


def test_sql_prints_a_table_of_runs():
    """Configuration and summary are columns, and JSON."""
    pytest.importorskip("duckdb")
    text = call("sql", "select name, \"config.lr\", summary->>'note' as note from runs order by 2 desc", "-n", "1")

    assert text.splitlines()[0].split() == ["name", "config.lr", "note"]
    assert text.splitlines()[1].split() == ["name", "of", "part", "0.2", "ok"]
    assert "more than these 1 rows" in text


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("selec", "DuckDB: Parser Error"),
        ("select nam from runs", "name"),
        ("copy (select 1) to 'x.csv'", "only reads"),
        ("explain analyze copy (select 1) to 'x.csv'", "only reads"),
        ("select 1; select 2", "only reads"),
        ("install httpfs", "only reads"),
        ("select * from read_text('/etc/passwd')", "Permission Error"),
        ("select * from 'http://127.0.0.1:1/x.parquet'", "Error"),
    ],
)
def test_sql_only_reads_the_store(query, message, tmp_path, monkeypatch):
    """What is no question, or about anything but the store, is refused in one line."""
    pytest.importorskip("duckdb")
    monkeypatch.chdir(tmp_path)
    text = call("sql", query, code=1)

    assert message in text
    assert text.count("\n") == 1
    assert not (tmp_path / "x.csv").exists()


def test_sql_reads_a_store_of_any_name(tmp_path):
    """Quotes and patterns in the store's path mean themselves."""
    pytest.importorskip("duckdb")
    store = tmp_path / "it's [a] *store?"
    with runhaven.init(dir=store, project="p", id="x") as run:
        run.log({"a": 1.5})
    seal(runhaven.Api(store).run("x").directory)

    assert runhaven.Api(store).sql("select id, value from points") == [{"id": "x", "value": 1.5}]
    assert runhaven.Api(store).sql("select value from points", format="polars")["value"].to_list() == [1.5]
