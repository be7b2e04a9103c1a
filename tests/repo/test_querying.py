"""What `docs/querying.md` shows works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import runhaven
from runhaven.sealed.seal import seal
from runhaven_cli.app import runhaven_command

PAGE = (Path(__file__).parents[2] / "docs/querying.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(bash|python)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("calm", "wild")):
        with runhaven.init(project="digits", id=name, config={"lr": 0.1 / (number + 1)}) as run:
            for step in range(20):
                run.log({"loss": 1 / (step + 1 + number), "acc": step / 20})
        seal(runhaven.Api().run(name).directory)


@pytest.mark.parametrize("at", range(len(BLOCKS)))
def test_each_block_of_the_page_runs(at):
    """A shell block's commands succeed, a Python block runs."""
    pytest.importorskip("duckdb")
    pytest.importorskip("polars")
    language, text = BLOCKS[at]
    if language == "python":
        exec(compile(text, f"docs/querying.md block {at}", "exec"), {})
        return
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]

    assert all(words[0] == "runhaven" for words in lines)
    for words in lines:
        done = CliRunner().invoke(runhaven_command, words[1:], prog_name="runhaven")
        assert done.exit_code == 0, done.output


def test_the_page_knows_all_tables():
    """The page has each table that `runhaven sql` makes, with its columns."""
    pytest.importorskip("duckdb")
    api = runhaven.Api()
    tables = [row["name"] for row in api.sql("show tables")]

    assert {*tables} == {"runs", "points", "values", "events", "console"}
    assert all(f"| `{table}` |" in PAGE for table in tables)
    assert all(f"`{row['column_name']}`" in PAGE for row in api.sql("describe points"))
