"""The run that an adapter logs into."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import runhaven
from runhaven.adapter import Adapter, note_run, noted_run


def runs(project: str = "p") -> list[runhaven.api.Run]:
    return list(runhaven.Api().runs(project, order="+created_at"))


def checkpoint_of(adapter: Adapter, folder: Path) -> Path:
    path = folder / "model.pt"
    path.touch()
    note_run(path, adapter.run)
    return path


def test_the_callers_run_comes_first_then_the_active_one_then_its_own():
    """A run that was handed in wins over the active one, and that over one of the adapter's own."""
    with runhaven.init(project="p", reinit="create_new") as given, runhaven.init(project="p") as active:
        assert Adapter("A", run=given).run is given
        assert Adapter("A", project="q").run is active
    own = Adapter("A", project="q").run

    assert own.project == "q"
    assert own is runhaven.run


def test_the_default_project_gives_way_to_every_setting(monkeypatch):
    """`default_project` holds where neither an argument nor a setting names one."""
    assert Adapter("A", default_project="d").project == "d"
    assert Adapter("A", default_project="d", project="p").project == "p"
    monkeypatch.setenv("WANDB_PROJECT", "w")

    assert Adapter("A", default_project="d").project == "w"
    assert Adapter("A", default_project="d").run.project == "w"


def test_the_next_init_ends_a_run_whose_training_is_over():
    """While the training goes on, `init()` returns the adapter's run; afterwards it ends it and opens another."""
    adapter = Adapter("A", project="p")
    first = adapter.run
    assert runhaven.init(project="q") is first
    adapter.note_outcome(has_failed=True)
    second = runhaven.init(project="q")

    assert second is not first
    assert [run.state for run in runs()] == ["failed"]
    assert not second.is_left_over


def test_a_training_of_which_no_end_was_heard_has_failed():
    """Where a framework does not tell of an exception, the next training's beginning does; one adapter's own goes on."""
    first = Adapter("A", project="p")
    first.begin()
    first.run.log({"a": 1})
    second = Adapter("A", project="p")
    second.begin()
    second.run.log({"a": 2})
    second.note_outcome(has_failed=False)
    second.begin()
    assert second.run is runhaven.init()
    runhaven.finish()

    assert [run.state for run in runs()] == ["failed", "finished"]


def test_an_id_from_the_environment_is_the_users_choice(tmp_path, monkeypatch):
    """`WANDB_RUN_ID` names the run, whatever a checkpoint says."""
    path = checkpoint_of(Adapter("A", project="p"), tmp_path)
    runhaven.finish()
    monkeypatch.setenv("WANDB_RUN_ID", "chosen")
    second = Adapter("A", project="p")
    second.continue_from(path)

    assert (second.id, second.run.id) == ("chosen", "chosen")


def test_start_over_makes_a_run_for_each_trial():
    """Each trial of a search has a run of its own, with its own arguments; a run of the caller's is left open."""
    adapter = Adapter("A", project="p", group="search")
    for trial in range(3):
        adapter.start_over(name=f"trial {trial}")
        adapter.run.log({"loss": trial})
        adapter.note_outcome(has_failed=False)
    runhaven.finish()
    with runhaven.init(project="q") as mine:
        other = Adapter("A")
        assert other.run is mine
        other.start_over()
        assert not mine.is_finished

    assert [(run.name, run.group, run.state) for run in runs()] == [
        (f"trial {trial}", "search", "finished") for trial in range(3)
    ]


def test_an_adapter_goes_on_with_its_run_behind_a_finish():
    """What comes after `finish()` belongs to the same run."""
    adapter = Adapter("A", project="p")
    adapter.run.log({"a": 1}, step=3)
    runhaven.finish()
    adapter.run.log({"b": 2}, step=4)
    runhaven.finish()
    (run,) = runs()

    assert {**run.summary} == {"a": 1, "b": 2}


def test_axes_and_best_values_leave_the_users_rules_alone():
    """What the user defined stays as it is; what they did not gets a primary axis and a best value."""
    run = runhaven.init(project="p")
    run.define_metric("val/acc", summary="mean")
    adapter = Adapter("A")
    adapter.set_axis("epoch", "val/*", "val/acc")
    adapter.track_best("val/acc", "max")
    adapter.track_best("loss", "min")
    for epoch in range(3):
        run.log({"epoch": epoch, "val/acc": epoch / 10, "val/f1": 0.5, "loss": 3 - epoch})
    run.finish()
    (found,) = runs()

    assert found.metrics["val/*"].step_metric == "epoch"
    assert found.summary["val/acc.mean"] == pytest.approx(0.1)
    assert "val/acc.max" not in found.summary
    assert (found.summary["loss.min"], found.summary["loss"]) == (1, 1)


@pytest.mark.parametrize("arguments", [{"id": "mine"}, {"resume": "never"}])
def test_what_the_user_chose_comes_before_the_checkpoint(tmp_path, arguments):
    """An id of the user's, or `resume="never"`, is a run of its own."""
    path = checkpoint_of(Adapter("A", project="p"), tmp_path)
    runhaven.finish()
    second = Adapter("A", project="p", **arguments)
    second.continue_from(path)

    assert second.run.id != runs()[0].id
    assert second.run.id == arguments.get("id", second.run.id)


def test_a_run_that_was_moved_is_found_by_its_checkpoint(tmp_path):
    """The note names the run for good, whatever project and id it has by now."""
    path = checkpoint_of(Adapter("A", project="p"), tmp_path)
    runhaven.finish()
    runs()[0].move(project="elsewhere", id="renamed")
    second = Adapter("A", project="p")
    second.continue_from(path)

    assert (second.run.project, second.run.id) == ("elsewhere", "renamed")
    assert second.run.resumed


def test_a_run_that_another_process_is_logging_is_not_taken_over(tmp_path, monkeypatch, capfd):
    """Two trainings from one checkpoint at the same time are two runs, and one line says so."""
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    code = f"""
import sys
from runhaven.adapter import Adapter, note_run
adapter = Adapter("A", project="p")
note_run({str(tmp_path)!r}, adapter.run)
print("ready", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ.copy()
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        adapter = Adapter("A", project="p")
        adapter.continue_from(tmp_path)
        adapter.run.log({"mine": 1})
        assert other.stdin is not None
        other.stdin.close()
    runhaven.finish()
    said = capfd.readouterr().err

    assert len(runs()) == 2
    assert noted_run(tmp_path) == runs()[0].directory.ulid
    assert said.count("is being logged by another process") == 1


def test_broken_settings_stop_no_training_that_has_begun(tmp_path, monkeypatch, capfd):
    """Settings that turn bad after the adapter was made cost the run, with a line, and not the training."""
    monkeypatch.chdir(tmp_path)
    adapter = Adapter("A", project="p")
    (tmp_path / "runhaven.toml").write_text("not toml [")
    adapter.run.log({"a": 1})

    assert adapter.run.disabled
    assert "A could not open a run" in capfd.readouterr().err
    with pytest.raises(runhaven.UsageError, match="TOML"):
        Adapter("A", project="p")


def test_a_block_can_be_guarded_too(monkeypatch, capfd):
    """`with adapter.guard(...)` says an error once and goes on; KeyboardInterrupt passes."""
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    adapter = Adapter("A", project="p")
    for _ in range(2):
        with adapter.guard("count"):
            _ = 1 / 0
    said = capfd.readouterr().err

    assert said.count("A could not count: ZeroDivisionError") == 1
    with pytest.raises(KeyboardInterrupt), adapter.guard("count"):
        raise KeyboardInterrupt
    with pytest.raises(ZeroDivisionError), Adapter("A", strict=True).guard("count"):
        _ = 1 / 0
