"""What every adapter owes its users, on the real frameworks."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from contracts.case import ADAPTERS, AdapterCase, case_of
from contracts.reading import points, the_run

import runhaven
from runhaven._run import Run
from runhaven.adapter import Adapter

TESTS = Path(__file__).parents[1]
WITHOUT_TRAINING = {"accelerate", "sklearn", "torch"}
"""Adapters that log what a user calls them for, and follow no training."""


@pytest.fixture(params=ADAPTERS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def case(name: str) -> AdapterCase:
    return case_of(name)


class BoomError(Exception):
    pass


def boom_in_second_epoch(epoch: int, batch: int) -> None:
    if (epoch, batch) == (1, 1):
        raise BoomError


def test_every_adapter_has_a_case():
    """What follows a training is in this suite."""
    declared = {entry.name for entry in entry_points(group="runhaven.integrations") if "runhaven_" in entry.value}

    assert declared - WITHOUT_TRAINING == set(ADAPTERS)


def test_curves_equal_the_frameworks_own_record(case, tmp_path):
    """Every number that the framework recorded is in the run at the same step, once, and nothing else is."""
    trained = case.train(tmp_path, project="p")
    runhaven.finish()
    found = points(the_run())

    assert trained.points
    assert len(found) == len(set(found))
    assert set(found) == trained.points


def test_epochs_are_an_ordinary_column(case, tmp_path):
    """The epoch stands beside the metrics; steps are the framework's."""
    trained = case.train(tmp_path, project="p")
    runhaven.finish()
    steps = {step for _, step, _ in points(the_run())}

    assert steps == {step for _, step, _ in trained.points}
    assert len(steps) >= 2
    assert case.epoch is None or any(key == case.epoch for key, _, _ in points(the_run()))


def test_without_init_the_run_stays_open_until_the_process_ends_it(case, tmp_path):
    """The adapter opens a run and does not end it; `finish` does, as finished."""
    case.train(tmp_path, project="p")
    assert the_run().state == "running"
    runhaven.finish()

    assert the_run().state == "finished"


def test_inside_init_the_callers_run_is_used_and_left_open(case, tmp_path):
    """The adapter logs into the active run, whatever project it was given, and does not end it."""
    with runhaven.init(project="p") as run:
        trained = case.train(tmp_path, project="ignored")
        assert not run.is_finished
        run.log({"mine": 1.0})

    assert trained.points < set(points(the_run()))
    assert the_run().state == "finished"
    assert len(runhaven.Api().runs()) == 1


def test_a_failing_training_is_failed_and_keeps_its_rows(case, tmp_path):
    """The exception reaches the caller as it was; the run ends as failed, with what was logged before."""
    with pytest.raises(BoomError), runhaven.init(project="p"):
        case.train(tmp_path, on_batch=boom_in_second_epoch)

    assert the_run().state == "failed"
    assert points(the_run())


def test_a_second_training_in_the_process_gets_a_run_of_its_own(case, tmp_path):
    """A new adapter's training ends the run that the adapter before it left open, and opens its own."""
    first = case.train(tmp_path / "a", project="p")
    second = case.train(tmp_path / "b", project="p")
    runs = runhaven.Api().runs("p", order="+created_at")
    states = [run.state for run in runs]
    runhaven.finish()

    assert states == ["finished", "running"]
    assert [set(points(run)) for run in runs] == [first.points, second.points]


def test_a_training_after_a_failed_one_gets_a_run_of_its_own(case, tmp_path):
    """The caller may catch what a training raised and try again: one run is failed, the next one goes on by itself."""
    with pytest.raises(BoomError):
        case.train(tmp_path / "a", project="p", on_batch=boom_in_second_epoch)
    second = case.train(tmp_path / "b", project="p")
    failed, running = runhaven.Api().runs("p", order="+created_at")

    assert [failed.state, running.state] == ["failed", "running"]
    assert set(points(running)) == second.points


def test_hyperparameters_of_any_type_become_configuration(case, tmp_path):
    """Callables, paths and nested values among the hyper-parameters are kept by what they say."""
    case.train(tmp_path, project="p", config={"mine": 1})
    runhaven.finish()
    config = the_run().config

    assert config["mine"] == 1
    assert {key: config.get(key) for key in case.parameters} == case.parameters


def test_the_best_value_stands_in_the_summary(case, tmp_path):
    """The summary has the best value of what the training watches, beside its last one."""
    trained = case.train(tmp_path, project="p", epochs=3)
    runhaven.finish()
    key, goal = case.best
    series = {step: value for name, step, value in trained.points if name == key}
    best = min(series.values()) if goal == "min" else max(series.values())

    assert the_run().summary[f"{key}.{goal}"] == best
    assert the_run().summary[key] == series[max(series)]


def models() -> list[runhaven.Artifact]:
    run = the_run()
    found = [artifact for artifact in run.logged_artifacts() if artifact.type == "model"]
    return sorted(found, key=lambda artifact: int(artifact.version[1:]))


def test_no_checkpoint_is_logged_unless_asked_for(case, tmp_path):
    """By default a training makes no artifact."""
    case.train(tmp_path, project="p")
    runhaven.finish()

    assert models() == []


@pytest.mark.parametrize("log_model", [True, "end", "all"])
def test_checkpoints_become_versions_of_a_model(case, tmp_path, log_model):
    """Each content is one version, the newest is `latest`, the best `best`, and each knows its step."""
    trained = case.train(tmp_path, project="p", log_model=log_model)
    runhaven.finish()
    versions = models()
    contents = {tuple((e.path, e.digest) for e in artifact.manifest.entries.values()) for artifact in versions}

    assert 1 <= len(versions) <= len(trained.checkpoints)
    assert len(contents) == len(versions)
    assert "latest" in versions[-1].aliases
    assert sum("best" in artifact.aliases for artifact in versions) == 1
    assert all(artifact.metadata["step"] > 0 for artifact in versions)


def in_a_process(name: str, folder: Path, action: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "contracts.child", name, str(folder), action],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": paths},
    )  # fmt: skip


def test_a_killed_training_that_resumes_goes_on_with_its_run(case, name, tmp_path):
    """After `kill -9` another process resumes from the checkpoint and continues the same run; no step is doubled."""
    assert in_a_process(name, tmp_path, "killed").returncode == -9
    assert the_run().state == "crashed"
    done = in_a_process(name, tmp_path, "resumed")
    found = points(the_run())
    places = [(key, step) for key, step, _ in found]

    assert done.returncode == 0, done.stderr[-3000:]
    assert the_run().state == "finished"
    assert len(places) == len(set(places))
    assert min(step for _, step in places) <= 1


def test_resuming_in_the_same_process_goes_on_with_the_run(case, tmp_path):
    """A new adapter in the same process continues the run of the checkpoint, too."""
    first = case.train(tmp_path, project="p", epochs=1)
    second = case.train(tmp_path, project="p", epochs=2, is_resumed=True)
    runhaven.finish()

    assert set(points(the_run())) == first.points | second.points


def test_an_error_inside_the_adapter_is_said_once_and_training_goes_on(case, tmp_path, monkeypatch, capfd):
    """Whatever breaks in our part, the training reaches its end, and one line says what was not kept."""
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")

    def broken(*_: object, **__: object) -> None:
        message = "broken"
        raise RuntimeError(message)

    for owner, method in ((Run, "log"), (Run, "define_metric"), (Run, "log_artifact"), (Adapter, "configure")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, method, broken)
            trained = case.train(tmp_path / method, project="p", log_model="all")
        runhaven.finish()
        said = [line for line in capfd.readouterr().err.splitlines() if "RuntimeError('broken')" in line]

        assert trained.points
        assert len(said) <= 2, said
        assert len(set(said)) == len(said)
        assert all("Training goes on" in line for line in said)
    assert said, "a configuration that cannot be kept is said"


def test_strict_mode_raises_it(case, tmp_path, monkeypatch):
    """With `strict`, an error inside the adapter reaches the caller."""

    def broken(*_: object, **__: object) -> None:
        raise BoomError

    monkeypatch.setattr(Run, "log", broken)
    with pytest.raises(BoomError):
        case.train(tmp_path, project="p", strict=True)


def test_a_store_that_cannot_be_written_stops_no_training(case, tmp_path, monkeypatch, capfd):
    """Without a place for the run, the training goes on and one line says so."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("RUNHAVEN_DIR", str(tmp_path / "file"))
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    trained = case.train(tmp_path, project="p", log_model="all")
    said = capfd.readouterr().err

    assert trained.points
    assert said.count("could not open a run") == 1


def test_it_pickles_with_its_run(case):
    """A copy in another process belongs to the same run, whether it is open yet or not."""
    made = case.make(project="p")
    early = pickle.loads(pickle.dumps(made))
    run = made.adapter.run
    late = pickle.loads(pickle.dumps(made))

    assert early.adapter.id == run.id
    assert late.adapter.run is run
    assert isinstance(run, Run)


def test_it_has_wandbs_spelling_too(name, case):
    """`runhaven.<name>` and `runhaven.integration.<name>` are the very module."""
    assert case
    module = import_module(f"runhaven_integrations.{name}")

    assert import_module(f"runhaven.{name}") is module
    assert import_module(f"runhaven.integration.{name}") is module
    assert getattr(runhaven, name) is module
    assert module.__name__ == f"runhaven_integrations.{name}"


def test_a_missing_package_names_the_command(name, case):
    """Without the framework, the import says what needs it and what to run."""
    code = f"import sys; sys.modules[{case.package!r}] = None; import runhaven.{name}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr.strip().splitlines()[-1] == f"ImportError: {case.missing}"
