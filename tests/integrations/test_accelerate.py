"""The real accelerate, on a tiny model."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contracts.reading import the_run

import runhaven
from runhaven._run import Run

accelerate = pytest.importorskip("accelerate")

from accelerate import Accelerator  # noqa: E402 - after the check

from runhaven_integrations.accelerate import RunhavenTracker, WandBTracker  # noqa: E402

has_registry = pytest.mark.skipif(
    not hasattr(accelerate.tracking, "register_tracker_class"), reason="this version has no registry of trackers"
)


def train(accelerator: Any, steps: int = 3, *, first: int = 0) -> None:
    model, optimizer = accelerator.prepare(layer := torch.nn.Linear(2, 1), torch.optim.SGD(layer.parameters(), lr=0.1))
    for step in range(first, first + steps):
        loss = model(torch.ones(4, 2)).square().mean()
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        accelerator.log({"loss": loss.item(), "nested": {"a": 1}}, step=step)


@has_registry
def test_log_with_its_name(tmp_path):
    """`log_with="runhaven"` logs at the caller's steps, keeps the configuration, and `end_training` ends the run."""
    accelerator = Accelerator(cpu=True, log_with="runhaven")
    accelerator.init_trackers("p", config={"lr": 0.1, "path": Path("/x")}, init_kwargs={"runhaven": {"tags": ["t"]}})
    train(accelerator)
    assert isinstance(accelerator.get_tracker("runhaven", unwrap=True), Run)
    accelerator.end_training()
    run = the_run()

    assert (run.state, run.tags, run.config) == ("finished", ["t"], {"lr": 0.1, "path": "/x"})
    assert [(row["_step"], row["nested.a"]) for row in run.scan_history()] == [(0, 1), (1, 1), (2, 1)]


def test_a_tracker_can_be_handed_over(tmp_path):
    """An instance works with every version."""
    accelerator = Accelerator(cpu=True, log_with=WandBTracker("p", name="n"))
    accelerator.init_trackers("ignored")
    train(accelerator)
    accelerator.end_training()

    assert (the_run().name, the_run().state) == ("n", "finished")


def test_images_and_tables(tmp_path):
    """The tracker's own methods take what accelerate's other trackers take."""
    tracker = RunhavenTracker("p", strict=True)
    accelerator = Accelerator(cpu=True, log_with=tracker)
    accelerator.init_trackers("p")
    made: Any = accelerator.get_tracker("runhaven")
    made.log_images({"pictures": np.zeros((2, 8, 8, 3), "uint8")}, step=1)
    made.log_table("table", columns=["a"], data=[[1]], step=1)
    accelerator.end_training()
    (row,) = the_run().scan_history()

    assert row["pictures"]["count"] == 2
    assert row["table"]["_type"] == "table-file"


def test_inside_init_the_callers_run_is_used_and_left_open(tmp_path):
    """`end_training` ends no run that it did not begin."""
    with runhaven.init(project="mine") as run:
        accelerator = Accelerator(cpu=True, log_with=RunhavenTracker())
        accelerator.init_trackers("ignored")
        train(accelerator)
        accelerator.end_training()
        assert not run.is_finished

    assert the_run("mine").state == "finished"
    assert len(runhaven.Api().runs()) == 1


def test_a_training_that_resumes_goes_on_with_its_run(tmp_path):
    """The run is noted beside a checkpoint; `resume_from` continues it, and the checkpoint is an artifact."""
    accelerator = Accelerator(cpu=True, log_with=RunhavenTracker("p", log_model=True))
    accelerator.init_trackers("p")
    train(accelerator)
    place = accelerator.save_state(str(tmp_path / "state"))
    tracker: Any = accelerator.get_tracker("runhaven")
    tracker.log_checkpoint(place, step=2, is_best=True)
    accelerator.end_training()
    again = Accelerator(cpu=True, log_with=RunhavenTracker("p", resume_from=place))
    again.init_trackers("p")
    train(again, first=3)
    again.end_training()
    (artifact,) = the_run().logged_artifacts()

    assert [row["_step"] for row in the_run().scan_history()] == list(range(6))
    assert {"best", "latest"} <= set(artifact.aliases)


def test_an_error_inside_the_tracker_is_said_once_and_training_goes_on(tmp_path, monkeypatch, capfd):
    """Whatever breaks in our part reaches no training; in strict mode it is raised."""
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")

    def broken(*_: object, **__: object) -> None:
        message = "broken"
        raise RuntimeError(message)

    monkeypatch.setattr(Run, "log", broken)
    accelerator = Accelerator(cpu=True, log_with=RunhavenTracker("p"))
    accelerator.init_trackers("p")
    train(accelerator)
    accelerator.end_training()
    strict = Accelerator(cpu=True, log_with=RunhavenTracker("p", strict=True))
    strict.init_trackers("p")

    assert capfd.readouterr().err.count("RunhavenTracker could not log metrics") == 1
    with pytest.raises(RuntimeError, match="broken"):
        train(strict)


SCRIPT = """
import sys
from accelerate import Accelerator
accelerator = Accelerator(cpu=True, log_with="runhaven")
accelerator.init_trackers("p", config={"a": 1})
for step in range(5):
    accelerator.log({"rank": accelerator.process_index, "x": step}, step=step)
accelerator.get_tracker("runhaven").log_images({}, step=4) if accelerator.is_main_process else None
if "fail" in sys.argv:
    raise RuntimeError("boom")
accelerator.end_training()
"""


@has_registry
@pytest.mark.skipif(sys.platform != "linux", reason="gloo on loopback")
@pytest.mark.parametrize(("action", "state"), [("end", "finished"), ("fail", "failed")])
def test_two_processes_make_one_run(tmp_path, action, state):
    """Under torchrun, without any import of Runhaven in the script, the main process logs; an exception fails the run."""
    (tmp_path / "train.py").write_text(textwrap.dedent(SCRIPT))
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "train.py", action],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip

    assert (done.returncode == 0) == (action == "end"), done.stderr[-3000:]
    assert the_run().state == state
    assert [(row["_step"], row["rank"], row["x"]) for row in the_run().scan_history()] == [
        (at, 0, at) for at in range(5)
    ]
