"""Reads off Lightning's `ModelCheckpoint` what it has just saved."""

from __future__ import annotations

from typing import Any, NamedTuple

from runhaven.value import to_number


class Written(NamedTuple):
    """A checkpoint that a callback wrote.

    Attributes:
        path: Where it lies.
        is_best: Whether the callback holds it for the best, or the only one.
        facts: score, monitor, mode, as far as known.
    """

    path: str
    is_best: bool
    facts: dict[str, Any]


def written(callback: Any) -> Written | None:
    """Return what a checkpoint callback wrote last; None if it wrote nothing.

    Args:
        callback: A `ModelCheckpoint`, or a proxy of one.
    """
    best = getattr(callback, "best_model_path", "")
    # No public attribute tells which file the call is about; the two that may are the next best guess.
    path = getattr(callback, "_last_checkpoint_saved", "") or getattr(callback, "last_model_path", "") or best
    if not path:
        return None
    facts: dict[str, Any] = {}
    if getattr(callback, "monitor", None) is not None:
        score: Any = getattr(callback, "best_k_models", {}).get(path, getattr(callback, "current_score", None))
        score = score.detach().cpu() if hasattr(score, "detach") else score
        facts = {"score": to_number(score), "monitor": callback.monitor, "mode": getattr(callback, "mode", None)}
    return Written(str(path), path == best, facts)
