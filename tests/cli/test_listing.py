"""`runhaven ls` with filters, orders and columns, and `runhaven doctor --reindex`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import runhaven
from runhaven import UsageError
from runhaven_cli.app import runhaven_command
from runhaven_cli.filtering import parse_filter


def call(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(runhaven_command, list(arguments), prog_name="runhaven")

    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def three() -> None:
    for number, rate in enumerate((0.3, 0.1, 0.01)):
        with runhaven.init(project="p", id=f"run{number}", config={"lr": rate, "opt": "adam"}) as run:
            run.log({"val/acc": number / 10})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config.lr<0.1", {"config.lr": {"$lt": 0.1}}),
        (" config.lr >= 1e-3 ", {"config.lr": {"$gte": 0.001}}),
        ("state=finished", {"state": {"$in": ["finished"]}}),
        ("state==finished", {"state": {"$in": ["finished"]}}),
        ("name!=12", {"name": {"$nin": [12, "12"]}}),
        ("config.deep=true", {"config.deep": {"$in": [True, "true"]}}),
        ("name~^calm-[a-z]+=", {"name": {"$regex": "^calm-[a-z]+="}}),
        ('{"$or": [{"id": "a"}]}', {"$or": [{"id": "a"}]}),
    ],
)
def test_a_filter_is_a_short_sentence(text, expected):
    """Key, operator and value become a filter; what stands in braces is one already."""
    assert parse_filter(text) == expected


@pytest.mark.parametrize("text", ["", "lr", "<0.1", "{]"])
def test_what_is_no_filter_is_said(text):
    """A text that says no condition is an error that shows one."""
    with pytest.raises(UsageError, match="is no filter"):
        parse_filter(text)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--filter", "config.lr<0.3"], ["run2", "run1"]),
        (["-f", "config.lr<0.3", "-f", "summary.val/acc<0.2"], ["run1"]),
        (["--sort", "config.lr"], ["run2", "run1", "run0"]),
        (["--sort=-config.lr"], ["run0", "run1", "run2"]),
        (["-f", '{"id": {"$in": ["run0", "run2"]}}', "-s", "created_at"], ["run0", "run2"]),
        (["-f", "id~1$"], ["run1"]),
    ],
)
def test_ls_filters_and_sorts(three, arguments, expected):
    """The runs that pass all filters come in the order that was asked for."""
    assert [run["id"] for run in json.loads(call("ls", "--json", *arguments))] == expected


def test_ls_shows_the_columns_that_were_asked_for(three):
    """Columns are fields; a run without one shows a dash."""
    text = call("ls", "--columns", "config.lr, summary.val/acc, config.none", "-f", "id=run2")
    head, row = text.splitlines()

    assert head.split()[-3:] == ["config.lr", "val/acc", "config.none"]
    assert row.split()[-3:] == ["0.01", "0.2", "-"]
    assert call("ls", "-f", "id=nothing") == "No run passes the filter.\n"
    assert "no field" in call("ls", "--columns", "colour", code=1)


def test_doctor_makes_the_catalogue_anew(three, store, tmp_path):
    """`doctor --reindex` builds the catalogue and counts its runs."""
    assert "anew; it holds 3 runs." in call("doctor", "--reindex")
    assert len(list((tmp_path / "cache").rglob("*.db"))) == 1
