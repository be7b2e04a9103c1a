"""Finds what a trainer saved, and saves the model of one that saves nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from runhaven.adapter import callers
from runhaven.errors import UsageError
from runhaven_integrations.transformers.describing import watched_metric

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runhaven.adapter import LogModel

_LOG_MODEL: dict[str, Literal[False, "end", "all"]] = {
    "false": False, "0": False, "no": False, "off": False,
    "true": "end", "1": "end", "yes": "end", "on": "end", "end": "end",
    "all": "all", "checkpoint": "all",
}  # fmt: skip
Watch: TypeAlias = Literal["gradients", "parameters", "all"]
_WATCH: dict[str, Watch | None] = {
    "gradients": "gradients", "parameters": "parameters", "all": "all",
    "false": None, "0": None, "no": None, "off": None,
}  # fmt: skip


def log_model_setting() -> LogModel:
    """Return what RUNHAVEN_LOG_MODEL, else WANDB_LOG_MODEL, says of checkpoints.

    Raises:
        UsageError: If it says none of the words.
    """
    return _chosen("LOG_MODEL", _LOG_MODEL) or False


def watch_setting() -> Watch | None:
    """Return what RUNHAVEN_WATCH, else WANDB_WATCH, says is to be watched; None for nothing.

    Raises:
        UsageError: If it says none of the words.
    """
    return _chosen("WATCH", _WATCH)


def _chosen(setting: str, words: Mapping[str, Any]) -> Any:
    for variable in (f"RUNHAVEN_{setting}", f"WANDB_{setting}"):
        text = os.environ.get(variable, "").strip().lower()
        if text and text not in words:
            message = f"{variable}={text!r} is not known; choose one of {', '.join(words)}."
            raise UsageError(message)
        if text:
            return words[text]
    return None


def resumed_checkpoint() -> str | None:
    """Return the checkpoint that the trainer which is calling resumes from; it tells no callback."""
    for values in callers():
        path = values.get("resume_from_checkpoint")
        if "resume_from_checkpoint" in values and hasattr(values.get("self"), "callback_handler"):
            return os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    return None


def written(args: Any, state: Any) -> Path | None:
    """Return the checkpoint that a trainer has just written, in a trial's folder if it searches; None if there is none."""
    folder, name = Path(args.output_dir), f"checkpoint-{state.global_step}"
    places = folder.glob(f"*/{name}") if state.is_hyper_param_search else [folder / name]
    return max((path for path in places if path.is_dir()), key=lambda path: path.stat().st_mtime_ns, default=None)


def facts(args: Any, state: Any, path: Path) -> dict[str, Any]:
    """Return what is known of a checkpoint: step, epoch, whether it is the best, and the score that says so."""
    best = state.best_model_checkpoint
    is_best = best is not None and Path(best).resolve() == path.resolve()
    known = {"step": state.global_step, "epoch": state.epoch, "is_best": is_best}
    if state.best_metric is None:
        return known
    monitor, mode = watched_metric(args)
    latest = next((row[monitor] for row in reversed(state.log_history) if monitor in row), None)
    return known | {"score": latest, "monitor": monitor, "mode": mode}


def save_model(folder: Path, model: Any, processing_class: Any) -> None:
    """Save a model as `from_pretrained` takes it, with what prepares its input."""
    model.save_pretrained(folder)
    if hasattr(processing_class, "save_pretrained"):
        processing_class.save_pretrained(folder)
