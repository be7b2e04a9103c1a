"""Programs below `runhaven run` that say no word of Runhaven, or have our logger already, with real frameworks.

Each script writes the framework's own record of the training to `record.json`, as names, steps and values.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

import runhaven

if TYPE_CHECKING:
    from pathlib import Path

TRANSFORMERS = """
import json, os, sys, torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

word = sys.argv[1]
torch.manual_seed(0)
model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=32, n_positions=16))
rows = [{"input_ids": row, "labels": row} for row in torch.randint(1, 32, (12, 8))]
options = {"report_to": word} if word in ("runhaven", "none") else {}
arguments = TrainingArguments(
    "saved", num_train_epochs=1, per_device_train_batch_size=4, logging_steps=1, eval_strategy="epoch", use_cpu=True,
    save_strategy="no", disable_tqdm=True, dataloader_pin_memory=False, **options,
)

class Raises(TrainerCallback):
    def on_step_end(self, args, state, control, **_):
        if state.global_step == 2:
            raise ValueError("too hot")

trainer = Trainer(model, arguments, train_dataset=rows, eval_dataset=rows)
if word == "raises":
    trainer.add_callback(Raises())
if word == "added":
    from runhaven_integrations.transformers import RunhavenCallback
    trainer.add_callback(RunhavenCallback())
trainer.remove_callback(__import__("transformers").PrinterCallback)
trainer.train()
found = [
    (f"eval/{key[5:]}" if key.startswith("eval_") else f"train/{key}", row["step"], value)
    for row in trainer.state.log_history if "train_runtime" not in row for key, value in row.items() if key != "step"
]
if os.environ.get("RANK", "0") == "0":
    json.dump(found, open("record.json", "w"))
"""

KERAS = """
import json, sys, keras, numpy

class Raises(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise ValueError("too hot")

word = sys.argv[1]
callbacks = {"raises": [Raises()], "list": [[keras.callbacks.TerminateOnNaN()]]}.get(word)
x = numpy.random.default_rng(0).normal(size=(16, 3))
model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
if word == "added":
    from runhaven_integrations.keras import RunhavenMetricsLogger
    callbacks = [RunhavenMetricsLogger()]
if word == "keras's":
    callbacks = keras.callbacks.CallbackList(None, add_history=True, model=model, epochs=2, steps=4)
model.predict(x, verbose=0)
history = model.fit(x, x[:, :1], 4, 2, 0, callbacks, validation_data=(x, x[:, :1]))
found = [(key, 4 * (at + 1), value) for key, values in history.history.items() for at, value in enumerate(values)]
json.dump(found, open("record.json", "w"))
"""

ACCELERATE = """
import json, sys
from accelerate import Accelerator

word = sys.argv[1]
if word == "added":
    from runhaven_integrations.accelerate import RunhavenTracker
accelerator = Accelerator(cpu=True, log_with=RunhavenTracker() if word == "added" else None)
if word != "unprepared":
    accelerator.init_trackers("digits", config={"lr": 0.5})
found = []
for step in range(3):
    accelerator.log({"loss": 1 / (step + 1)}, step=step)
    found.append(("loss", step, 1 / (step + 1)))
    if word == "raises":
        raise ValueError("too hot")
accelerator.end_training()
json.dump(found, open("record.json", "w"))
"""

ULTRALYTICS = """
import csv, json, sys
from ultralytics import YOLO

def raises(trainer):
    raise ValueError("too hot")

word, data, plan = sys.argv[1:]
model = YOLO(plan, verbose=False)
if word == "raises":
    model.add_callback("on_train_epoch_end", raises)
if word == "added":
    from runhaven_integrations.ultralytics import attach
    attach(model)
model.train(data=data, epochs=2, imgsz=32, batch=2, device="cpu", plots=False, verbose=False)
rows = list(csv.DictReader(model.trainer.csv.open()))
found = [(key, int(row["epoch"]), float(value)) for row in rows for key, value in row.items() if "/" in key]
json.dump(found, open("record.json", "w"))
"""

CASES = [
    *(("transformers", TRANSFORMERS, word) for word in ("plain", "none", "runhaven", "added", "ranks")),
    *(("keras", KERAS, word) for word in ("plain", "list", "keras's", "added")),
    *(("accelerate", ACCELERATE, word) for word in ("plain", "unprepared", "added")),
    *(("ultralytics", ULTRALYTICS, word) for word in ("plain", "shell", "added")),
]
RAISING = [(name, text) for name, text, word in CASES if word == "plain"]


def launch(folder: Path, name: str, text: str, word: str) -> subprocess.CompletedProcess[str]:
    if find_spec(name) is None:
        pytest.skip(name)
    (folder / "train.py").write_text(text)
    words = ["train.py", word]
    if name == "ultralytics":
        from contracts import shapes

        shapes.forbid_downloads()
        words += [str(shapes.write(folder / "shapes", "detect")), str(shapes.write_model(folder, "detect"))]
    before = {
        "shell": ["--", "sh", "-c", '"$@"; exit $?', "sh", sys.executable],
        "ranks": ["--", sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"],
    }.get(word, [])
    return subprocess.run(
        [sys.executable, "-m", "runhaven_cli.app", "run", *before, *words],
        cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def only_run() -> Any:
    (run,) = runhaven.Api().runs()
    return run


def record(folder: Path) -> list[tuple[tuple[str, int], float]]:
    return [((name, step), value) for name, step, value in json.loads((folder / "record.json").read_text())]


def logged(run: Any, names: set[str]) -> dict[tuple[str, int], float]:
    rows = list(run.scan_history())
    return {(name, row["_step"]): row[name] for row in rows for name in names & row.keys()}


@pytest.mark.parametrize(("name", "text", "word"), CASES, ids=[f"{name}-{word}" for name, _, word in CASES])
def test_a_training_is_logged_once_whatever_the_script_says(tmp_path, name, text, word):
    """The run's curves are the framework's own record, nothing missing and nothing doubled, and stdout is the program's."""
    done = launch(tmp_path, name, text, word)
    assert done.returncode == 0, done.stderr[-3000:]
    own, run = record(tmp_path), only_run()
    names = {key for (key, _), _ in own}

    assert logged(run, names) == pytest.approx(dict(own), rel=5e-5 if name == "ultralytics" else 0, abs=0)
    assert sum(each.count for each in run.series() if each.key in names) == len(own)
    assert run.state == "finished"
    assert done.stdout == ""
    assert "warning" not in done.stderr.lower() or name != "keras"


@pytest.mark.parametrize(("name", "text"), RAISING, ids=[name for name, _ in RAISING])
def test_an_exception_in_a_training_is_the_programs(tmp_path, name, text):
    """A training that raises ends the program as without the launcher, and its run has failed with the exception."""
    done = launch(tmp_path, name, text, "raises")
    run = only_run()

    assert done.returncode == 1
    assert "ValueError: too hot" in done.stderr
    assert (run.state, run.exception["message"]) == ("failed", "too hot")
