"""The `runhaven` command as a person types it."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

import runhaven
from runhaven_cli.app import runhaven_command
from runhaven_cli.plot import Span, plot, sparkline


def call(*arguments: str, code: int = 0, typed: str | None = None) -> str:
    result = CliRunner().invoke(runhaven_command, list(arguments), prog_name="runhaven", input=typed)

    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def run() -> runhaven.Run:
    with runhaven.init(project="digits", id="abc123", name="calm-harbour-1", config={"lr": 0.1}, tags=["base"]) as run:
        for step in range(100):
            run.log({"loss": 1 / (step + 1), "epoch": step // 10})
        print("printed")
    return run


def test_help_lists_every_command():
    """`runhaven --help` names each command with what it does."""
    text = call("--help")

    for name in ("ui", "ls", "show", "tail", "mv", "cp", "rm", "du", "doctor", "version", "completion"):
        assert re.search(rf"^  {name} +\w", text, re.MULTILINE)


def test_an_empty_store_says_how_to_begin():
    """`ls` and `du` of nothing explain themselves."""
    assert "runhaven.init()" in call("ls")
    assert "No runs" in call("du")


def test_ls_shows_runs_and_their_numbers(run):
    """`ls` lists name, id, state and metrics; --json is for scripts."""
    text = call("ls")

    assert all(word in text for word in ("calm-harbour-1", "abc123", "digits", "finished", "loss", "0.01"))
    (found,) = json.loads(call("ls", "digits", "--json"))
    assert (found["id"], found["config"], found["summary"]["loss"]) == ("abc123", {"lr": 0.1}, 0.01)
    assert json.loads(call("ls", "other", "--json")) == []


@pytest.mark.parametrize("path", ["abc123", "calm-harbour-1", "digits/abc123"])
def test_show_draws_a_run(run, path):
    """`show` finds a run by id, name or path, and draws its curves."""
    text = call("show", path)

    assert all(word in text for word in ("calm-harbour-1", "#base", "lr", "loss", "step 0 to 99"))
    assert any("\u2800" < letter <= "\u28ff" for letter in text)
    assert json.loads(call("show", path, "--json"))["last_step"] == 99


def test_an_unknown_run_is_one_line(run):
    """A wrong name is answered with the near ones, without a traceback."""
    text = call("show", "calm-harbor-1", code=1)

    assert text.startswith("Error: there is no run")
    assert "calm-harbour-1" in text


def test_tail_prints_what_the_run_printed(run):
    """`tail` prints the console; nothing printed is said."""
    assert call("tail", "abc123") in ("printed\n", "It has printed nothing.\n")


def test_rm_asks_and_spares_what_runs(run):
    """`rm` asks, deletes on yes, and refuses a run that is running."""
    assert "Delete this run?" in call("rm", "abc123", code=1, typed="n\n")
    assert "Deleted 1 run." in call("rm", "abc123", typed="y\n")
    assert call("ls", "--json").strip() == "[]"
    live = runhaven.init(project="digits", id="live0000")
    assert "is running" in call("rm", "live0000", "--yes", code=1)
    live.finish()
    runhaven.init(project="digits", id="abc123").finish()


def test_doctor_finds_damage():
    """`doctor` passes a sound store and names the file and the place of a flipped byte."""
    code = "import runhaven; r = runhaven.init(project='p', id='abc123'); r.log({'a': 1}); r.finish()"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "1 runs can be read: 1 finished" in call("doctor")
    (journal,) = runhaven.Api().run("abc123").directory.journal.glob("*.rhj")
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 0xFF
    journal.write_bytes(data)
    text = call("doctor", code=1)

    assert journal.name in text
    assert "cannot be read" in text
    assert any(found["level"] == "problem" for found in json.loads(call("doctor", "--json", code=1)))


def test_du_and_version(run):
    """`du` sums up projects and runs; `version` tells what is installed."""
    assert "digits" in call("du")
    assert f"calm-harbour-1 ({run.path})" in call("du", "digits")
    assert json.loads(call("version", "--json"))["runhaven"] == runhaven.__version__


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script(shell):
    """`completion` prints what the shell evaluates."""
    assert "_RUNHAVEN_COMPLETE" in call("completion", shell)


def test_a_store_of_the_future_is_refused(run, store):
    """A newer format is named, not guessed at."""
    (store / "runhaven.json").write_text('{"format": 9, "min_reader": 9}')

    assert "Upgrade runhaven" in call("ls", code=1)


def test_plots_keep_extremes():
    """A spike reaches the top row; equal values are one line; nothing finite is said."""
    spans = [Span(x, 0.0, 1.0 if x == 50 else 0.0, 0.0) for x in range(100)]
    rows = plot(spans, width=20, height=4)

    assert rows[0].startswith("1 │")
    assert rows[0].strip("1 │\u2800")
    assert plot([Span(0, float("nan"), float("nan"), float("nan"))], width=5, height=2) == ["(no finite values)"]
    assert sparkline([0, 1, float("nan"), 2]) == "▁▄ █" or len(sparkline([0, 1, float("nan"), 2])) == 4
