"""Names what a trainer reports, as its other callbacks do."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTIONS = ("eval", "test")
_TOTALS = ("train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss", "total_flos")


@cache
def series(key: str) -> str:
    """Return the name of the series: `eval/loss` for "eval_loss", `test/f1` for "test_f1", `train/loss` for "loss"."""
    section, mark, rest = key.partition("_")
    return f"{section}/{rest}" if mark and section in _SECTIONS else f"train/{key}"


def totals(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a training came to as a whole, if these are the values that it reports when it is over."""
    return {key: logs[key] for key in _TOTALS if key in logs} if "train_runtime" in logs else {}
