"""The real Keras on a tiny model, on torch in this process and on JAX in another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runhaven

keras = pytest.importorskip("keras")

from contracts.adapters.keras import BATCHES, Recorder, data, history_points, model  # noqa: E402 - after the check
from contracts.reading import points, the_run  # noqa: E402 - after the check

from runhaven_integrations.keras import (  # noqa: E402
    RunhavenCallback,
    RunhavenEvalCallback,
    RunhavenMetricsLogger,
    RunhavenModelCheckpoint,
)

TESTS = Path(__file__).parents[1]


def fit(made: Any, *callbacks: Any, epochs: int = 2, **options: Any) -> Any:
    settings = {"batch_size": 4, "verbose": 0, "validation_data": data()}
    return made.fit(*data(), epochs=epochs, callbacks=list(callbacks), **(settings | options))


class Boom(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            raise ZeroDivisionError


# Metrics


def test_epochs_are_the_points_of_history():
    """By default each point of `History` is there at the step of its epoch, with the epoch and the learning rate; no more."""
    history = fit(model(), RunhavenMetricsLogger(project="p"), epochs=3)
    runhaven.finish()
    own = {"epoch", "learning_rate"}
    found = points(the_run())

    assert {point for point in found if point[0] not in own} == history_points(history)
    assert [(step, value) for key, step, value in found if key == "epoch"] == [(4, 0), (8, 1), (12, 2)]
    assert len(found) == len(set(found))


def test_every_nth_batch():
    """With a number, every n-th batch of an epoch is logged too, counted from 1."""
    fit(model(), RunhavenMetricsLogger(3, project="p"))
    runhaven.finish()

    assert [step for key, step, _ in points(the_run()) if key == "batch/loss"] == [3, 7]


def test_a_learning_rate_that_callbacks_change_is_history_s():
    """`ReduceLROnPlateau` tells `History` the learning rate of the epoch, and so it is logged, wherever it stands in the list."""
    for at in (0, 1):
        callbacks = [keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.5, min_delta=10)]
        callbacks.insert(at, RunhavenMetricsLogger(project=f"p{at}"))
        history = fit(model(), *callbacks, epochs=4)
        runhaven.finish()

        assert history_points(history) <= set(points(the_run(f"p{at}")))
        assert len({value for key, _, value in points(the_run(f"p{at}")) if key == "learning_rate"}) > 1


def test_a_schedule_is_read_at_every_batch():
    """The learning rate of a schedule is the optimizer's own after each batch."""
    recorder = Recorder()
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    fit(model(schedule), recorder, RunhavenMetricsLogger("batch", project="p"))
    runhaven.finish()
    rates = {point for point in recorder.points if "learning_rate" in point[0]}

    assert len({value for _, _, value in rates}) == 2 * BATCHES
    assert rates == {point for point in points(the_run()) if "learning_rate" in point[0]}
    assert the_run().config["keras"]["optimizer"]["learning_rate"]["class_name"] == "ExponentialDecay"


def test_a_schedule_may_return_a_plain_number():
    """A schedule of one's own that computes with Python's numbers is read at every batch and epoch too."""

    class Constant(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> float:
            return 0.25

    fit(model(Constant()), RunhavenMetricsLogger("batch", project="p"))
    runhaven.finish()
    rates = [(key, value) for key, _, value in points(the_run()) if "learning_rate" in key]

    assert rates.count(("batch/learning_rate", 0.25)) == 2 * BATCHES
    assert rates.count(("learning_rate", 0.25)) == 2


def test_a_learning_rate_that_is_set_in_the_middle_is_read_anew():
    """What a callback sets before a batch, a number or a schedule in its place, is what the batch is logged with."""

    class Setter(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            optimizer: Any = self.model.optimizer
            if callable(optimizer._learning_rate):
                return
            schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
            optimizer.learning_rate = 0.1 / (batch + 1) if batch < BATCHES - 1 else schedule

    recorder = Recorder()
    fit(model(), Setter(), recorder, RunhavenMetricsLogger("batch", project="p"))
    runhaven.finish()
    rates = {point for point in recorder.points if "learning_rate" in point[0]}

    assert len({value for key, _, value in rates if key.startswith("batch/")}) == 2 * BATCHES
    assert rates == {point for point in points(the_run()) if "learning_rate" in point[0]}


def test_evaluate_after_the_training_stands_apart():
    """`evaluate` in `fit` gives no rows of its own; after it, its values are `test_*` at the step reached, in the same run."""
    made, callback = model(), RunhavenMetricsLogger(project="p")
    fit(made, callback)
    said = made.evaluate(*data(), verbose=0, return_dict=True, callbacks=[callback])
    runhaven.finish()
    tests = {point for point in points(the_run()) if point[0].startswith("test_")}

    assert tests == {(f"test_{key}", 2 * BATCHES, value) for key, value in said.items()}
    assert the_run().state == "finished"


def test_evaluate_after_a_training_that_raised():
    """That a training broke off does not make the callback take an `evaluate` for a part of it."""
    made, callback = model(), RunhavenMetricsLogger(project="p")
    with pytest.raises(ZeroDivisionError):
        fit(made, callback, Boom())
    made.evaluate(*data(), verbose=0, callbacks=[callback])
    runhaven.finish()

    assert "test_loss" in the_run().summary


def test_accumulated_gradients_count_batches():
    """Steps are batches, also where the optimizer steps at every second one, and after a reload."""
    made = model()
    made.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2), "mse")
    fit(made, RunhavenMetricsLogger(project="a"))
    fit(made, RunhavenMetricsLogger(project="b"), epochs=3, initial_epoch=2)
    runhaven.finish()

    assert [step for key, step, _ in points(the_run("a")) if key == "loss"] == [4, 8]
    assert [step for key, step, _ in points(the_run("b")) if key == "loss"] == [12]


def test_a_model_with_a_training_step_of_its_own():
    """Where Keras's optimizer never steps, batches are counted all the same."""

    class Own(keras.Model):
        def train_step(self, *_: Any) -> dict[str, float]:
            return {"mine": 0.5}

        def call(self, inputs: Any) -> Any:
            return inputs

    made = Own()
    made.compile(loss="mse")
    made.fit(*data(), batch_size=4, epochs=2, verbose=0, callbacks=[RunhavenCallback(project="p")])
    runhaven.finish()

    assert [step for key, step, _ in points(the_run()) if key == "mine"] == [4, 8]


def test_a_step_to_begin_with():
    """`initial_global_step` counts on from there."""
    fit(model(), RunhavenMetricsLogger(initial_global_step=100, project="p"))
    runhaven.finish()

    assert [step for key, step, _ in points(the_run()) if key == "loss"] == [104, 108]


def test_one_callback_in_two_trainings_is_one_run():
    """The same callback, handed to `fit` again, goes on in its run at the next step."""
    made, callback = model(), RunhavenMetricsLogger(project="p")
    fit(made, callback)
    fit(made, callback)
    runhaven.finish()

    assert [step for key, step, _ in points(the_run()) if key == "loss"] == [4, 8, 12, 16]


def test_what_cannot_be_is_refused():
    """A frequency that is none, and an argument that nobody has, raise where the callback is made."""
    with pytest.raises(runhaven.UsageError, match="choose 'epoch', 'batch' or a number"):
        RunhavenMetricsLogger(0)
    with pytest.raises(TypeError, match="projekt"):
        RunhavenCallback(projekt="p")


# Checkpoints


def models(run: runhaven.api.Run) -> list[runhaven.Artifact]:
    found = [artifact for artifact in run.logged_artifacts() if artifact.type == "model"]
    return sorted(found, key=lambda artifact: int(artifact.version[1:]))


def test_callbacks_share_a_run_and_checkpoints_have_aliases(tmp_path):
    """Several callbacks without `init()` make one run; each model is a version named after its epoch, the best is `best`."""
    saving = RunhavenModelCheckpoint(tmp_path / "m-{epoch:02d}.keras", monitor="accuracy", mode="min")
    history = fit(model(), RunhavenMetricsLogger(project="p"), saving, epochs=3)
    runhaven.finish()
    versions = models(the_run())
    best = int(np.argmin(history.history["accuracy"]))

    assert [f"epoch_{at}" in version.aliases for at, version in enumerate(versions)] == [True] * 3
    assert "latest" in versions[-1].aliases
    assert [at for at, version in enumerate(versions) if "best" in version.aliases] == [best]
    assert versions[1].metadata | {"score": None} == {
        "step": 8, "epoch": 1, "monitor": "accuracy", "mode": "min", "score": None, "original_filename": "m-02.keras",
    }  # fmt: skip


def test_a_saved_model_comes_back(tmp_path):
    """What the artifact holds is the model that Keras saved."""
    made = model()
    fit(made, RunhavenModelCheckpoint(tmp_path / "m.keras", project="p"))
    runhaven.finish()
    folder = (
        runhaven.Api().artifact(f"p/{models(the_run())[0].name.partition(':')[0]}:latest").download(tmp_path / "again")
    )
    again = keras.models.load_model(Path(folder) / "model.keras")

    assert np.array_equal(again.predict(data()[0], verbose=0), made.predict(data()[0], verbose=0))


def test_keras_decides_what_is_saved(tmp_path):
    """`save_best_only`, `save_weights_only` and `save_freq` are Keras's: what it does not write is no version."""
    best = RunhavenModelCheckpoint(tmp_path / "b.keras", save_best_only=True, initial_value_threshold=0.0, project="a")
    fit(model(), best)
    often = RunhavenModelCheckpoint(
        tmp_path / "{epoch}-{batch}.weights.h5", save_weights_only=True, save_freq=3, project="b"
    )
    fit(model(), often)
    runhaven.finish()

    assert models(the_run("a")) == []
    assert [version.metadata["step"] for version in models(the_run("b"))] == [3, 6]
    assert "epoch_1_batch_1" in models(the_run("b"))[1].aliases


def test_a_new_training_over_old_checkpoints_is_a_new_run(tmp_path):
    """Only a training that starts with a later epoch goes on with the run of the checkpoints in its folder."""
    for _ in range(2):
        fit(model(), RunhavenModelCheckpoint(tmp_path / "{epoch}.keras", log_model=False, project="p"))
    runhaven.finish()

    assert len(runhaven.Api().runs("p")) == 2


# Tables of predictions


class Truths(RunhavenEvalCallback):
    def add_ground_truth(self, logs: Any = None) -> None:
        for at, label in enumerate(data()[1][:3, 0]):
            self.data_table.add_data(at, float(label))

    def add_model_predictions(self, epoch: int, logs: Any = None) -> None:
        guesses = self.model.predict(data()[0][:3], verbose=0)[:, 0]
        for at in self.data_table_ref.get_index():
            self.pred_table.add_data(epoch, self.data_table_ref.data[at][1], float(guesses[at]))


def test_tables_of_predictions(tmp_path):
    """The data are an artifact once; predictions are one after each epoch, and a table of the run at its step."""
    made = model()
    with runhaven.init(project="p"):
        fit(made, Truths(["at", "label"], ["epoch", "label", "guess"]))
    run = the_run()
    kinds = [artifact.type for artifact in run.logged_artifacts()]
    guesses = made.predict(data()[0][:3], verbose=0)[:, 0]
    last = runhaven.Api().artifact(f"p/run_{run.id}_pred:latest").get("eval_data")

    assert sorted(kinds) == ["dataset", "evaluation", "evaluation"]
    assert [logged.step for logged in run.values("eval_data")] == [4, 8]
    assert [row[0] for row in last.data] == [1, 1, 1]
    assert np.allclose([row[2] for row in last.data], guesses)


def test_a_mistake_in_a_subclass_is_said_and_training_goes_on(monkeypatch, capfd):
    """What a user's own method raises does not end the training; in strict mode it does."""
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")

    class Wrong(Truths):
        def add_model_predictions(self, epoch: int, logs: Any = None) -> None:
            raise KeyError(epoch)

    history = fit(model(), Wrong(["at", "label"], ["a"], project="p"))
    said = capfd.readouterr().err

    assert len(history.epoch) == 2
    assert said.count("could not log a table of predictions: KeyError(0)") == 1
    with pytest.raises(KeyError):
        fit(model(), Wrong(["at", "label"], ["a"], project="p", strict=True))


# The whole


def pictures() -> tuple[Any, Any]:
    return np.random.default_rng(0).random((8, 4, 4, 1), "float32"), np.arange(8) % 2


def classifier() -> Any:
    layers = [keras.layers.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
    made = keras.Sequential(layers)
    made.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


@pytest.mark.parametrize("is_batched", [False, True])
def test_predictions_are_pictures_and_a_table(is_batched, store):
    """Of validation data, rows or batches, the first predictions are logged: pictures each epoch, a table at the end."""
    x, y = pictures()
    given: dict[str, Any] = (
        {"generator": [(x[:4], y[:4]), (x[4:], y[4:])]} if is_batched else {"validation_data": (x, y)}
    )
    made = classifier()
    callback = RunhavenCallback(project="p", labels=["no", "yes"], predictions=6, log_evaluation=True, **given)
    made.fit(x, y, epochs=2, batch_size=4, verbose=0, callbacks=[callback])
    runhaven.finish()
    run = the_run()
    guesses = [["no", "yes"][at] for at in made.predict(x[:6], verbose=0).argmax(1)]
    (table,) = run.values("evaluation")
    digest = table.value["sha256"]
    rows = json.loads((store / "blobs" / digest[:2] / digest).read_bytes())["data"]

    assert [logged.step for logged in run.values("examples")] == [2, 4]
    assert len(run.values("examples")[-1].value["items"]) == 6
    assert table.step == 4
    assert [row[1] for row in rows] == ["no", "yes"] * 3
    assert [row[2] for row in rows] == guesses


def test_histograms_of_weights_and_gradients():
    """Each weight and, on torch, each gradient of an epoch's last batch has a histogram after each epoch."""
    fit(model(), RunhavenCallback(project="p", log_weights=True, log_gradients=True))
    runhaven.finish()
    run = the_run()
    keys = {key for row in run.scan_history() for key in row if key.startswith(("parameters/", "gradients/"))}

    assert {key.partition("/")[0] for key in keys} == {"parameters", "gradients"}
    assert len(keys) == 8
    assert all([logged.step for logged in run.values(key)] == [4, 8] for key in keys)


def test_the_best_model_is_kept_if_asked_for():
    """With `save_model`, the best epoch's model is one version; the summary says which epoch it was."""
    history = fit(model(), RunhavenCallback("accuracy", save_model=True, project="p"), epochs=3)
    runhaven.finish()
    run = the_run()
    best = max(history.history["accuracy"])
    (version,) = models(run)

    assert run.summary["best_accuracy"] == run.summary["accuracy.max"] == version.metadata["score"] == best
    assert run.summary["best_epoch"] == version.metadata["epoch"] == history.history["accuracy"].index(best)


def test_the_model_is_described():
    """The configuration, Keras's table of layers and the tree of layers say what was trained."""
    with runhaven.init(project="p", config={"optimizer": "mine"}):
        fit(model(), RunhavenCallback(), keras.callbacks.EarlyStopping("loss"))
    run = the_run()
    (graph,) = run.graphs

    assert run.config["optimizer"] == "mine"
    assert run.config["keras"]["model"]["parameters"] == graph["parameters"] == 21
    assert [layer["type"] for layer in graph["modules"]] == ["Sequential", "Dense", "Dense"]
    assert "loss.min" in run.summary
    assert "Trainable params: 21" in run.file("model_summary.txt").path.read_text("utf-8")


def test_arguments_without_effect_are_said_once(monkeypatch, capfd):
    """What W&B's callback takes and has no meaning here is accepted, with one line."""
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    fit(model(), RunhavenCallback(training_data=data(), output_type="label", class_colors=[], project="p"))
    said = capfd.readouterr().err

    assert said.count("takes training_data, output_type, class_colors, but nothing comes of it here") == 1


# Names, and other processes


def test_it_goes_by_wandbs_names():
    """`from runhaven.keras import WandbCallback`, and the other three."""
    from runhaven.integration.keras import WandbMetricsLogger  # pyright: ignore[reportMissingImports]
    from runhaven.keras import (  # pyright: ignore[reportMissingImports]
        WandbCallback,
        WandbEvalCallback,
        WandbModelCheckpoint,
    )

    found = [WandbCallback, WandbMetricsLogger, WandbModelCheckpoint, WandbEvalCallback]

    assert found == [RunhavenCallback, RunhavenMetricsLogger, RunhavenModelCheckpoint, RunhavenEvalCallback]


def in_a_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": paths} | environment,
    )  # fmt: skip


def test_keras_is_left_alone_until_its_adapter_is_imported(tmp_path):
    """`import runhaven` loads no Keras and makes no `~/.keras`; without a backend, the adapter says which variable to set."""
    home = tmp_path / "home"
    alone = in_a_process("-c", "import runhaven, sys; assert 'keras' not in sys.modules", HOME=str(home))
    without = in_a_process(
        "-c", "import runhaven.keras",
        HOME=str(home), KERAS_HOME=str(home), KERAS_BACKEND="tensorflow",
    )  # fmt: skip

    assert alone.returncode == 0, alone.stderr
    assert not (home / ".keras").exists()
    assert "ImportError: RunhavenCallback needs Keras with a backend, and 'tensorflow'" in without.stderr
    assert "KERAS_BACKEND to 'torch' or 'jax'" in without.stderr


def test_a_killed_training_on_jax_goes_on_with_its_run(tmp_path):
    """After `kill -9` on JAX another process resumes from the model that was saved last, in the same run; no step is doubled."""
    pytest.importorskip("jax")
    child = ("-m", "contracts.child", "keras", str(tmp_path))
    assert in_a_process(*child, "killed", KERAS_BACKEND="jax").returncode == -9
    crashed = the_run()
    assert crashed.state == "crashed"
    done = in_a_process(*child, "resumed", KERAS_BACKEND="jax")
    places = [(key, step) for key, step, _ in points(the_run())]

    assert done.returncode == 0, done.stderr[-3000:]
    assert (the_run().id, the_run().state, the_run().config["keras"]["backend"]) == (crashed.id, "finished", "jax")
    assert len(places) == len(set(places))
    assert {step for key, step in places if key == "loss"} == {4, 8, 12}


def test_the_jax_backend(tmp_path):
    """On JAX the curves are Keras's own point by point, over a resume too; batches are neither waited for nor synchronised.

    Where Keras tells of several batches at once, whenever an n-th one is among them, that is logged. A schedule is found
    below an optimizer that scales the loss, too.
    """
    pytest.importorskip("jax")
    script = Path(__file__).with_name("jax_training.py")
    done = in_a_process(str(script), str(tmp_path), KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    found = points(the_run(), media="parameters/")
    tests = {point for point in found if point[0].startswith("test_")}

    assert told["backend"] == "jax"
    assert len(found) == len(set(found))
    assert sorted(set(found) - tests) == [tuple(point) for point in told["points"]]
    assert {(key, step) for key, step, _ in tests} == {("test_loss", 8), ("test_accuracy", 8)}
    assert told["syncs"]["few"] == told["syncs"]["many"]
    assert len(models(the_run())) == 2
    assert [step for key, step, _ in points(the_run("grouped")) if key == "batch/loss"] == [4, 8]
    assert len({value for _, _, value in told["scaled"]}) == BATCHES
    assert told["scaled"] == sorted(
        list(each) for each in points(the_run("scaled")) if each[0] == "batch/learning_rate"
    )
