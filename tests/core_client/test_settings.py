"""Where settings come from, and which wins."""

from __future__ import annotations

from pathlib import Path

import pytest

import runhaven
from runhaven.settings import Settings, from_environment, resolve, store_directory


def test_the_nearer_setting_wins(tmp_path, monkeypatch):
    """Argument over RUNHAVEN over WANDB over project file over user file over default."""
    home, work = tmp_path / "home", tmp_path / "work" / "deep"
    (home / ".config" / "runhaven").mkdir(parents=True)
    work.mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.chdir(work)
    assert resolve().project == "uncategorized"
    (home / ".config" / "runhaven" / "settings.toml").write_text('project = "user"\n')
    assert resolve().project == "user"
    (work.parent / "pyproject.toml").write_text('[tool.runhaven]\nproject = "project"\n')
    assert resolve().project == "project"
    monkeypatch.setenv("WANDB_PROJECT", "wandb")
    assert resolve().project == "wandb"
    monkeypatch.setenv("RUNHAVEN_PROJECT", "runhaven")
    assert resolve().project == "runhaven"
    assert resolve({"project": "argument"}, {"project": None}).project == "argument"


def test_accounts_and_servers_of_others_are_never_read():
    """W&B's keys, addresses and directories say nothing about Runhaven."""
    found = from_environment({"WANDB_API_KEY": "k", "WANDB_BASE_URL": "u", "WANDB_DIR": "d", "WANDB_MODE": "dryrun"})

    assert found == {"mode": "dryrun"}
    assert Settings.of(found).mode == "offline"


@pytest.mark.parametrize(
    ("name", "value"), [("mode", "sideways"), ("silent", "maybe"), ("x_stats_sampling_interval", "-1"), ("resume", "x")]
)
def test_a_value_that_does_not_fit_is_named(name, value):
    """The message names setting, value and what would fit."""
    with pytest.raises(runhaven.UsageError, match=name):
        Settings.of({name: value})


def test_settings_of_others_are_accepted():
    """Names that only W&B knows are noted and have no effect."""
    assert Settings.of({"start_method": "thread", "x_service_wait": 3}).ignored == {"start_method", "x_service_wait"}


def test_under_pytest_the_store_is_a_temporary_one(monkeypatch, tmp_path):
    """A user's own tests never write into the user's runs."""
    monkeypatch.delenv("RUNHAVEN_DIR")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)

    assert "runhaven-pytest-" in str(store_directory())
    monkeypatch.delenv("PYTEST_VERSION", raising=False)
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    assert store_directory() == tmp_path / ".runhaven"
    assert store_directory("~/elsewhere") == Path("~/elsewhere").expanduser()


def test_a_settings_file_that_is_broken_is_named(tmp_path, monkeypatch):
    """A file that is no TOML is an error with its path, not a guess."""
    (tmp_path / "runhaven.toml").write_text("project = ")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(runhaven.UsageError, match=r"runhaven\.toml"):
        resolve()
