"""`runhaven seal` and `runhaven gc`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import runhaven
from runhaven_cli.app import runhaven_command


def call(*arguments: str, code: int = 0, typed: str | None = None) -> str:
    result = CliRunner().invoke(runhaven_command, list(arguments), prog_name="runhaven", input=typed)

    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def run():
    with runhaven.init(project="digits", id="abc123", name="calm-harbour-1") as run:
        for step in range(3000):
            run.log({"loss": 1 / (step + 1), "note": f"n{step}"})
    return run


def rows() -> list[dict[str, object]]:
    return list(runhaven.Api().run("digits/abc123").scan_history())


def test_seal_names_what_it_did(run):
    """A run is sealed once; the second time there is nothing new; without a run, it asks for one."""
    text = call("seal", "abc123")

    assert "calm-harbour-1" in text
    assert "6,000 points" in text
    assert "nothing new" in call("seal", "--all")
    assert "name the runs" in call("seal", code=2)


def test_gc_removes_only_what_is_sealed(run):
    """Before sealing nothing goes; after it the journals go, the rows stay, and then nothing is left to do."""
    before = rows()
    assert "Nothing to remove" in call("gc", "--yes")
    assert "is not sealed" in call("gc", "--dry-run", "--verbose")
    call("seal", "--all")
    dry = json.loads(call("gc", "--dry-run", "--json"))
    (journal,) = dry["files"]
    assert Path(journal).exists()
    assert "journals of 1 sealed run" in call("gc", typed="y\n")

    assert not Path(journal).exists()
    assert rows() == before
    assert "Nothing to remove" in call("gc")
    assert "no journals" in call("seal", "abc123", "--again", code=1)


def test_sealed_files_that_changed_keep_the_journals(run):
    """A flipped bit in a sealed file is found: the journals stay, and sealing again mends it."""
    call("seal", "--all")
    directory = runhaven.Api().run("digits/abc123").directory
    (points,) = (directory.path / "sealed").glob("*.points.parquet")
    data = bytearray(points.read_bytes())
    data[len(data) // 2] ^= 1
    points.write_bytes(data)

    assert "has changed" in call("gc", "--dry-run", "--verbose")
    call("seal", "abc123", "--again")
    assert "journals of 1" in call("gc", "--yes")


def test_a_running_run_keeps_its_journals():
    """What may still be written is never collected."""
    run = runhaven.init(project="digits", id="live")
    for step in range(3000):
        run.log({"loss": step})
    call("seal", "digits/live")

    assert "may be running" in call("gc", "--dry-run", "--verbose")
    run.finish()


def test_old_trash_goes(run):
    """A removed run stays for thirty days, or as long as one says."""
    call("rm", "abc123", "--yes")

    assert "Nothing to remove" in call("gc", "--yes")
    assert "1 removed run" in call("gc", "--yes", "--trash-days", "0")
    assert runhaven.Api().store.removed() == []
