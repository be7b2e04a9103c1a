"""Notices steps that a `GradScaler` skips, which no hook of an optimizer sees."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    OnStep = Callable[[torch.optim.Optimizer], Callable[[], None]]

_watching: list[OnStep] = []
_original: Any = None


def notice(on_step: OnStep) -> None:
    """Have something called before each step of any scaler; what it returns is called after it."""
    global _original  # noqa: PLW0603 - the class is the process's
    _watching.append(on_step)
    if _original is None:
        _original = torch.amp.GradScaler.step
        torch.amp.GradScaler.step = _noticed(_original)  # pyright: ignore[reportAttributeAccessIssue]


def forget(on_step: OnStep) -> None:
    """Stop calling it; the last one puts the class back as it was."""
    global _original  # noqa: PLW0603 - as above
    if on_step in _watching:
        _watching.remove(on_step)
    is_ours = getattr(torch.amp.GradScaler.step, "__wrapped__", None) is _original
    if not _watching and _original is not None and is_ours:
        torch.amp.GradScaler.step = _original
        _original = None


def _noticed(original: Any) -> Any:
    @functools.wraps(original)
    def step(self: torch.amp.GradScaler, optimizer: Any, *arguments: Any, **keywords: Any) -> Any:
        noticing = [on_step(optimizer) for on_step in _watching]
        result = original(self, optimizer, *arguments, **keywords)
        for after in noticing:
            after()
        return result

    return step
