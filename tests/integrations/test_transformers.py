"""The real Transformers, on a tiny GPT-2 and BERT that are made from their configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch

import runhaven

transformers = pytest.importorskip("transformers")

from contracts.adapters.transformers import arguments, dataset, model, points_of  # noqa: E402 - after the check
from contracts.reading import points, the_run  # noqa: E402 - after the check
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast, Trainer  # noqa: E402

from runhaven_integrations.transformers import RunhavenCallback, WandbCallback  # noqa: E402


def trainer(folder: Path, *callbacks: Any, **options: Any) -> Any:
    made = {
        name: options.pop(name)
        for name in ("model", "model_init", "processing_class", "compute_metrics", "eval_dataset")
        if name in options
    }
    if "model_init" not in made:
        made.setdefault("model", model())
    made.setdefault("eval_dataset", dataset(4))
    return Trainer(args=arguments(folder, **options), train_dataset=dataset(), callbacks=list(callbacks), **made)


def test_curves_equal_trainer_state_however_it_is_evaluated(tmp_path):
    """With evaluations before, within and after a training, every value of `trainer_state.json` is in the run, once."""
    fit = trainer(tmp_path, RunhavenCallback(project="p"), gradient_accumulation_steps=2, logging_first_step=True)
    fit.evaluate()
    before = list(fit.state.log_history)
    fit.train()
    fit.evaluate()
    fit.save_state()
    runhaven.finish()
    history = json.loads((tmp_path / "trainer_state.json").read_text("utf-8"))["log_history"]
    found = points(the_run())
    # A second evaluation at a step differs in its speed alone; the last one stands.
    expected = {(key, step): value for key, step, value in [*points_of(before), *points_of(history[:-1])]}
    expected |= {(key, step): value for key, step, value in points_of(history[-1:])}

    assert len(found) == len(set(found))
    assert {(key, step): value for key, step, value in found} == expected


def test_what_a_training_came_to_stands_in_the_summary_alone(tmp_path):
    """Totals are values of the summary and no points; metrics of `predict` are points of `test/`."""
    fit = trainer(tmp_path, RunhavenCallback(project="p"))
    fit.train()
    fit.predict(dataset(4))
    runhaven.finish()
    run = the_run()
    totals = {"train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss", "total_flos"}

    assert totals <= run.summary.keys()
    assert not {key for key, _, _ in points(run)} & (totals | {f"train/{key}" for key in totals})
    assert ("test/loss", 6) in {(key, step) for key, step, _ in points(run)}


def test_several_sets_of_evaluation_have_series_of_their_own(tmp_path):
    """A dict of data sets makes `eval/<name>_loss`, and the best of the one that is watched."""
    sets = {"seen": dataset(4), "new": dataset(8)}
    trainer(tmp_path, RunhavenCallback(project="p"), eval_dataset=sets, metric_for_best_model="eval_new_loss").train()
    runhaven.finish()

    assert {"eval/seen_loss", "eval/new_loss", "eval/new_loss.min"} <= the_run().summary.keys()


def test_metrics_of_any_type_are_kept(tmp_path):
    """`compute_metrics` may return lists, arrays and tensors."""
    metrics = {"list": [1, 2], "tensor": torch.tensor(3.0), "text": "good", "none": None}
    trainer(
        tmp_path, RunhavenCallback(project="p", strict=True), compute_metrics=lambda _: dict(metrics),
        save_strategy="no", metric_for_best_model=None,
    ).evaluate()  # fmt: skip
    runhaven.finish()
    (row,) = the_run().scan_history()

    assert (row["eval/list"], row["eval/tensor"], row["eval/text"]) == ([1, 2], 3.0, "good")


def test_configuration_has_the_model_the_arguments_and_no_token(tmp_path):
    """Both stand side by side; where a name means two things the model's value has a name of its own; tokens are masked."""
    tiny = BertForSequenceClassification(
        BertConfig(vocab_size=32, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    )
    data = [{"input_ids": torch.arange(4), "labels": at % 2} for at in range(8)]
    Trainer(
        tiny, arguments(tmp_path, eval_strategy="no", hub_token="hf_secretsecretsecretsecret", run_name="mine"),
        train_dataset=data, callbacks=[RunhavenCallback(project="p")],
    ).train()  # fmt: skip
    runhaven.finish()
    run = the_run()

    assert run.name == "mine"
    assert (run.config["hidden_size"], run.config["per_device_train_batch_size"]) == (8, 4)
    assert run.config["id2label"] == {"0": "LABEL_0", "1": "LABEL_1"}
    assert run.config["model/num_parameters"] == tiny.num_parameters()
    assert "secret" not in json.dumps(run.config)
    shared = tiny.config.to_dict().keys() & arguments(tmp_path).to_dict().keys()
    assert {key: run.config[f"model/{key}"] for key in shared} == {key: tiny.config.to_dict()[key] for key in shared}


def test_peft_adapters_are_described(tmp_path):
    """The configuration of a LoRA stands in the run's."""
    peft = pytest.importorskip("peft")
    lora = peft.get_peft_model(model(), peft.LoraConfig(r=2, target_modules=["c_attn"], fan_in_fan_out=True))
    trainer(tmp_path, RunhavenCallback(project="p", log_model="all"), model=lora).train()
    runhaven.finish()

    assert the_run().config["peft_config"]["default"]["r"] == 2
    assert the_run().config["model/num_parameters"] > 1272


@pytest.mark.parametrize("variable", ["RUNHAVEN", "WANDB"])
def test_variables_say_what_is_watched_and_which_models_are_kept(tmp_path, monkeypatch, variable):
    """WATCH and LOG_MODEL work under both prefixes, without a line of code."""
    monkeypatch.setenv(f"{variable}_WATCH", "all")
    monkeypatch.setenv(f"{variable}_LOG_MODEL", "checkpoint")
    trainer(tmp_path, report_to="runhaven", project="p").train()
    runhaven.finish()
    run = the_run()

    assert any(key.startswith("gradients/") for row in run.scan_history() for key in row)
    assert len([each for each in run.logged_artifacts() if each.type == "model"]) == 2


def test_a_word_that_is_not_known_is_said_before_the_training(tmp_path, monkeypatch):
    """A misspelt variable raises where the trainer is made, and names the words."""
    monkeypatch.setenv("WANDB_LOG_MODEL", "sometimes")
    with pytest.raises(
        runhaven.UsageError, match=r"WANDB_LOG_MODEL='sometimes' is not known; choose one of .*checkpoint"
    ):
        trainer(tmp_path, report_to="runhaven")


def test_a_model_is_kept_although_the_trainer_saves_none(tmp_path):
    """Without checkpoints, `log_model=True` keeps the trained model, which can be loaded again."""
    fit = trainer(tmp_path, RunhavenCallback(project="p", log_model=True), save_strategy="no")
    fit.train()
    runhaven.finish()
    (artifact,) = the_run().logged_artifacts()
    again = transformers.GPT2LMHeadModel.from_pretrained(artifact.download(str(tmp_path / "again")))

    assert torch.equal(again.lm_head.weight, fit.model.lm_head.weight)
    assert artifact.metadata["step"] == 6


def words() -> Any:
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {"<end>": 0, "a": 1, "b": 2} | {f"w{at}": at for at in range(3, 32)}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<end>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>", pad_token="<end>")


def test_samples_are_a_table_at_each_evaluation(tmp_path):
    """Prompts become a table of continuations, and leave the training as it is without them."""
    plain = trainer(tmp_path / "plain")
    plain.train()
    callback = RunhavenCallback(project="p", prompts=["a b", "b"], max_new_tokens=3, strict=True)
    fit = trainer(tmp_path / "samples", callback, processing_class=words())
    fit.train()
    runhaven.finish()
    run = the_run()
    steps = [row["_step"] for row in run.scan_history() if "eval/samples" in row]
    table = run.values("eval/samples")

    assert steps == [3, 6]
    assert table
    assert [row.get("loss") for row in fit.state.log_history] == [row.get("loss") for row in plain.state.log_history]


def test_prompts_without_a_tokenizer_cost_a_line(tmp_path, monkeypatch, capfd):
    """What cannot be sampled is said once, and the training reaches its end."""
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    fit = trainer(tmp_path, RunhavenCallback(project="p", prompts=["a"]))
    fit.train()

    assert fit.state.global_step == 6
    assert capfd.readouterr().err.count("samples need a model that generates") == 1


def test_two_callbacks_log_once(tmp_path):
    """`report_to="runhaven"` beside a callback with options doubles nothing: the latter logs."""
    fit = trainer(tmp_path, WandbCallback(project="p", tags=["mine"]), report_to="runhaven")
    fit.train()
    runhaven.finish()
    found = points(the_run())

    assert the_run().tags == ["mine"]
    assert set(found) == points_of(fit.state.log_history)
    assert len(runhaven.Api().runs()) == 1


def test_a_second_training_of_a_trainer_gets_a_run_of_its_own(tmp_path):
    """It starts at step 0 again, and so would draw over the first one; inside `init()` it stays in the caller's run."""
    fit = trainer(tmp_path / "a", RunhavenCallback(project="p"))
    fit.train()
    fit.evaluate()
    fit.train()
    runhaven.finish()
    with runhaven.init(project="mine"):
        other = trainer(tmp_path / "b", RunhavenCallback())
        other.train()
        other.train()

    assert [run.state for run in runhaven.Api().runs("p")] == ["finished", "finished"]
    assert len(runhaven.Api().runs("mine")) == 1


def test_the_same_trainer_goes_on_after_an_error_in_its_run(tmp_path):
    """What raised and is resumed with the same trainer is one run, finished in the end."""
    boom = [True]

    class Boom(transformers.TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 4 and boom and boom.pop():
                raise RuntimeError

    fit = trainer(tmp_path, RunhavenCallback(project="p"), Boom())
    with pytest.raises(RuntimeError):
        fit.train()
    fit.train(resume_from_checkpoint=True)
    runhaven.finish()

    assert the_run().state == "finished"
    assert {step for _, step, _ in points(the_run())} == set(range(1, 7))


def test_resuming_from_a_checkpoint_elsewhere_continues_its_run(tmp_path):
    """The checkpoint tells whose it is, wherever it was moved to."""
    trainer(tmp_path / "a", RunhavenCallback(project="p"), num_train_epochs=1).train()
    runhaven.finish()
    moved = (tmp_path / "a" / "checkpoint-3").rename(tmp_path / "moved")
    trainer(tmp_path / "b", RunhavenCallback(project="p")).train(resume_from_checkpoint=str(moved))
    runhaven.finish()

    assert {step for _, step, _ in points(the_run())} == set(range(1, 7))


def test_trials_of_a_search_are_runs(tmp_path):
    """Each trial of `hyperparameter_search` is a run with its parameters, in one group; one that is pruned has reached its end."""
    optuna = pytest.importorskip("optuna")
    optuna.logging.disable_default_handler()
    fit = trainer(tmp_path, RunhavenCallback(project="p", log_model=True), model_init=model, num_train_epochs=1)
    seen: list[float] = []

    def space(trial: Any) -> dict[str, float]:
        seen.append(trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True))
        return {"learning_rate": seen[-1]}

    class Second(optuna.pruners.BasePruner):
        def prune(self, study: Any, trial: Any) -> bool:
            return trial.number == 1

    fit.hyperparameter_search(
        space, n_trials=3, direction="minimize", hp_name=lambda trial: f"trial-{trial.number}", pruner=Second()
    )
    runhaven.finish()
    runs = runhaven.Api().runs("p", order="+created_at")

    assert [run.name for run in runs] == ["trial-0", "trial-1", "trial-2"]
    assert [run.config["learning_rate"] for run in runs] == seen
    assert [run.state for run in runs] == ["finished", "finished", "finished"]
    assert {run.group for run in runs} == {tmp_path.name}
    assert all(len(run.logged_artifacts()) == 1 for run in runs)


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from contracts.adapters.transformers import Trainer, arguments, dataset, model
if {fails}:
    from contracts.adapters.transformers import EachBatch
    def boom(epoch, batch):
        if (epoch, batch) == (1, 1):
            raise RuntimeError("boom")
made = arguments({folder!r}, report_to="runhaven", ddp_backend={backend!r}, run_name="two")
fit = Trainer(model(), made, train_dataset=dataset(24), eval_dataset=dataset(4), callbacks=[EachBatch(boom)] if {fails} else [])
fit.train()
fit.predict(dataset(4))
"""


def launch(folder: Path, *launcher: str, fails: bool) -> subprocess.CompletedProcess[str]:
    text = textwrap.dedent(SCRIPT).format(
        tests=str(Path(__file__).parents[1]), folder=str(folder), fails=fails, backend="gloo" if launcher else None
    )
    (folder / "train.py").write_text(text)
    return subprocess.run(
        [sys.executable, *launcher, str(folder / "train.py")], capture_output=True, text=True, check=False,
        env=os.environ | {"RUNHAVEN_PROJECT": "p", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


@pytest.mark.skipif(sys.platform != "linux", reason="gloo on loopback")
def test_two_processes_make_one_run(tmp_path):
    """Under torchrun, without any import of Runhaven in the script, the first process logs each row once."""
    done = launch(tmp_path, *TORCHRUN, fails=False)

    assert done.returncode == 0, done.stderr[-3000:]
    run = the_run()
    state = json.loads((tmp_path / "checkpoint-6" / "trainer_state.json").read_text("utf-8"))
    assert (run.state, run.name) == ("finished", "two")
    found = {point for point in points(run) if not point[0].startswith("test/")}
    assert found == points_of(state["log_history"])


@pytest.mark.parametrize("launcher", [(), TORCHRUN])
def test_a_training_that_raises_in_a_process_is_failed(tmp_path, launcher):
    """An uncaught exception ends the run as failed, with what was logged before, on one process and on two."""
    done = launch(tmp_path, *launcher, fails=True)

    assert done.returncode != 0
    assert "RuntimeError: boom" in done.stderr
    assert the_run().state == "failed"
    assert len({step for _, step, _ in points(the_run())}) >= 3
