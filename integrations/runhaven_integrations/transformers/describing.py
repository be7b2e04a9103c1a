"""Says in plain values what is trained, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast


def configuration(args: Any, model: Any) -> dict[str, Any]:
    """Return the configuration of a run.

    Those of the model and of its adapters (PEFT), the training arguments and the number of parameters. The training
    arguments win where a name means two things, such as `use_cache`; the model's value then stands under `model/use_cache`.

    Args:
        args: The `TrainingArguments`; tokens are masked by their `to_dict`.
        model: The model, of any kind; None if it is not known.
    """
    arguments: dict[str, Any] = args.to_dict()
    own = _plain(getattr(model, "config", None))
    found = own | {f"model/{key}": own[key] for key in own.keys() & arguments.keys()} | arguments
    adapters: Any = getattr(model, "peft_config", None)
    if adapters:
        found["peft_config"] = {name: _plain(adapter) for name, adapter in dict(adapters).items()}
    if hasattr(model, "parameters"):
        found["model/num_parameters"] = sum(parameter.numel() for parameter in model.parameters())
    return found


def watched_metric(args: Any) -> tuple[str, Literal["min", "max"]]:
    """Return the metric that tells the best model, as the trainer reports it, and whether less or more is better."""
    metric = args.metric_for_best_model or "eval_loss"
    key = metric if metric.startswith("eval_") else f"eval_{metric}"
    return key, "max" if args.greater_is_better else "min"


def first_arguments(args: Any, state: Any) -> dict[str, Any]:
    """Return the arguments of `runhaven.init()` that the trainer knows."""
    # Older versions name the run like the folder of its files, and call each project "huggingface".
    name = args.run_name if args.run_name != args.output_dir else None
    project = getattr(args, "project", None)
    known = {"name": name, "project": project if project != "huggingface" else None}
    return known | trial(args, state)


def trial(args: Any, state: Any) -> dict[str, Any]:
    """Return the arguments of `runhaven.init()` for the run of a trial, where the trainer searches hyper-parameters."""
    if not state.is_hyper_param_search:
        return {}
    group = args.run_name or Path(args.output_dir).name
    return {"group": group, "name": state.trial_name} if state.trial_name else {"group": group}


def _plain(config: Any) -> dict[str, Any]:
    if hasattr(config, "to_dict"):
        return config.to_dict()
    return cast("dict[str, Any]", config) if isinstance(config, dict) else {}
