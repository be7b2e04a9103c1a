"""`runhaven mv`, `cp` and `rm --undo` as a person types them."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

import runhaven
from runhaven_cli.app import runhaven_command


def call(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(runhaven_command, list(arguments), prog_name="runhaven")

    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def run() -> runhaven.Run:
    with runhaven.init(project="digits", entity="me", id="abc123", name="calm-harbour-1") as run:
        run.log({"loss": 1.0})
    return run


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("other", "me/other/abc123"),
        ("other/x", "me/other/x"),
        ("you/other/x", "you/other/x"),
        ("digits/x", "me/digits/x"),
    ],
)
def test_mv_moves(run, target, path):
    """PROJECT, PROJECT/ID and ENTITY/PROJECT/ID name the new place."""
    assert call("mv", "calm-harbour-1", target) == f"me/digits/abc123 is {path} now.\n"
    assert ["/".join(one.path) for one in runhaven.Api().runs()] == [path]


def test_cp_copies(run):
    """A copy keeps the id in another project; a taken place is one line."""
    assert call("cp", "abc123", "other") == "Copied me/digits/abc123 to me/other/abc123.\n"
    assert "exists already" in call("cp", "digits/abc123", "other", code=1)
    assert "exists already" in call("mv", "digits/abc123", "other/abc123", code=1)
    assert len(runhaven.Api().runs()) == 2


@pytest.mark.parametrize("target", ["a/b/c/d", "//", ""])
def test_a_place_that_is_none_is_refused(run, target):
    """What cannot be a place is said with what can."""
    assert "PROJECT/ID" in call("mv", "abc123", target, code=2)


@pytest.mark.parametrize("word", ["abc123", "calm-harbour-1", "digits/abc123", "ulid"])
def test_rm_can_be_undone(run, word):
    """`rm` says how to undo it, `rm --undo` lists what there is, `rm --undo RUN` brings it back."""
    ulid = runhaven.Api().run("abc123").ulid
    text = call("rm", "abc123", "--yes")
    assert f"runhaven rm --undo {ulid}" in text
    listed = call("rm", "--undo")
    assert all(part in listed for part in (ulid, "calm-harbour-1", "me/digits/abc123"))
    text = call("rm", "--undo", ulid if word == "ulid" else word)

    assert text == "Brought back me/digits/abc123.\n"
    assert [one.id for one in runhaven.Api().runs()] == ["abc123"]
    assert "trash is empty" in call("rm", "--undo")


def test_undo_finds_its_way_round_what_is_taken(run):
    """A taken id is answered with `--id`; a word for several runs with their ulids; an unknown one with the list."""
    first = runhaven.Api().run("abc123").ulid
    call("rm", "abc123", "--yes")
    runhaven.init(project="digits", entity="me", id="abc123").finish()
    second = runhaven.Api().run("abc123").ulid
    text = call("rm", "--undo", "abc123", code=1)
    (hint,) = re.findall(r"runhaven rm (--undo \S+ --id) NEW", text)
    assert "Brought back me/digits/again." in call("rm", *hint.split(), "again")
    call("rm", "abc123", "again", "--yes")

    text = call("rm", "--undo", "nonsense", code=1)
    assert "rm --undo` lists" in text
    runhaven.init(project="digits", entity="me", id="again").finish()
    call("rm", "again", "--yes")
    text = call("rm", "--undo", "again", code=1)
    assert "any of 2 deleted runs" in text
    assert first in text
    assert second not in text


def test_rm_wants_to_know_what(run):
    """Without RUNS there is nothing to delete; `--id` is for one run that comes back."""
    assert "Missing argument" in call("rm", code=2)
    assert "--undo" in call("rm", "abc123", "--id", "x", code=2)
