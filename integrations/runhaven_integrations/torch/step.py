"""Looks at a model when its optimizers step: at the gradients that they see."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch.compiler import is_compiling
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from runhaven_integrations.torch import scaler
from runhaven_integrations.torch.capture import by_device
from runhaven_integrations.torch.change import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runhaven_integrations.torch.capture import Capture
    from runhaven_integrations.torch.watcher import Watched, Watcher

ALERT_AFTER_SKIPS = 16


class _Owner:
    """An optimizer that was seen stepping.

    Attributes:
        steps: How often it has stepped.
        next: At which step it is looked at.
        wake: From which step on there is more to do than to count: to look, to end a look, to note what a GradScaler told.
        is_extra: Whether its next step is looked at too, because numbers are not finite.
        is_ours: Whether it was found to hold parameters of the model.
        found_inf: Of the steps since it was looked at, what a GradScaler told a fused optimizer: not 0.0 if it skips.
        skipped: How many steps in a row were skipped.
    """

    __slots__ = ("found_inf", "is_extra", "is_ours", "next", "optimizer", "skipped", "steps", "wake")

    def __init__(self, optimizer: torch.optim.Optimizer, on_gone: Callable[[Any], object]) -> None:
        self.optimizer = weakref.ref(optimizer, on_gone)
        self.steps = 0
        self.next = 1
        self.wake = 1
        self.is_extra = False
        self.is_ours = False
        self.found_inf: list[torch.Tensor] = []
        self.skipped = 0


class StepTrigger:
    """Hooks all optimizers of the process, and so needs nothing on the model or on an optimizer."""

    def __init__(self, watcher: Watcher) -> None:
        """Begin."""
        self._watcher = watcher
        self._owners: dict[int, _Owner] = {}
        self._is_scaled = False
        self._skips = 0
        self._capture: Capture | None = None
        self._captured: set[int] = set()
        self._changes: list[Change] = []
        self._handles = [
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]
        scaler.notice(self._on_scaler_step)

    def stop(self) -> None:
        """Undo everything."""
        self._end()
        scaler.forget(self._on_scaler_step)
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._owners.clear()

    def look_again(self) -> None:
        """Look at the next step of each optimizer, too."""
        for owner in list(self._owners.values()):
            owner.is_extra = True
            owner.wake = 0

    # Hooks

    def _before_step(self, optimizer: Any, arguments: Any, keywords: Any) -> None:
        # Nearly every step ends here without a look, so that each line counts.
        if is_compiling():
            return
        owner = self._owners.get(id(optimizer)) or self._meet(optimizer)
        owner.steps += 1
        if owner.steps >= owner.wake:
            self._awake(optimizer, owner, _has_closure(arguments, keywords))

    def _awake(self, optimizer: Any, owner: _Owner, has_closure: bool) -> None:
        if self._is_scaled and (found_inf := optimizer.__dict__.get("found_inf")) is not None:
            owner.found_inf.append(found_inf)
        if self._capture is not None and id(optimizer) in self._captured:
            self._end()
        if owner.steps >= owner.next or owner.is_extra:
            self._watcher.attempt(self._look_before, optimizer, owner, has_closure)
        owner.wake = owner.next
        # In this order, so that `look_again` on another thread is not missed.
        if owner.is_extra or self._is_scaled or self._capture is not None:
            owner.wake = 0

    def _after_step(self, optimizer: Any, arguments: Any, keywords: Any) -> None:
        if self._capture is not None and id(optimizer) in self._captured:
            self._watcher.attempt(self._look_after, optimizer, self._capture, _has_closure(arguments, keywords))

    def _meet(self, optimizer: Any) -> _Owner:
        key = id(optimizer)
        owner = self._owners[key] = _Owner(optimizer, lambda _: self._owners.pop(key, None))
        return owner

    # Looking

    def _look_before(self, optimizer: Any, owner: _Owner, has_closure: bool) -> None:
        watcher = self._watcher
        is_extra = owner.steps < owner.next
        owner.is_extra = False
        if not is_extra:
            owner.next = owner.steps + watcher.options.log_freq - owner.steps % watcher.options.log_freq
        owned = self._owned(optimizer)
        if watcher.is_over or not owned:
            return
        owner.is_ours = True
        if self._capture is not None and (self._capture.is_closed or self._capture.step != watcher.step):
            self._end()
        if self._capture is None:
            self._capture = watcher.begin(is_extra=is_extra)
        self._captured.add(id(optimizer))
        moved = [part for part in watcher.parts(owned, "parameters") if not (is_extra and part.ranks)]
        self._changes = [Change(some) for some in by_device(moved)]
        if not has_closure:
            self._look(optimizer, self._capture, owned)

    def _look_after(self, optimizer: Any, capture: Capture, has_closure: bool) -> None:
        changes, self._changes = self._changes, []
        if has_closure:
            # Its gradients were made during the step.
            self._look(optimizer, capture, self._owned(optimizer))
        for change in changes:
            capture.add_change(change)
        self._count_skips(self._owners[id(optimizer)], capture)
        is_first = any(owner.steps == 1 for owner in self._owners.values())
        if not is_first and self._captured.issuperset(key for key, owner in self._owners.items() if owner.is_ours):
            self._end()

    def _owned(self, optimizer: Any) -> list[Watched]:
        ids = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        return [each for each in self._watcher.watched() if id(each.parameter) in ids and each.parameter.requires_grad]

    def _look(self, optimizer: Any, capture: Capture, owned: Sequence[Watched]) -> None:
        for kind in self._watcher.kinds:
            # A fused optimizer divides by the GradScaler's scale itself, if it was not done before.
            scale = optimizer.__dict__.get("grad_scale") if kind == "gradients" else None
            self._watcher.look(capture, kind, owned, scale=scale)

    def _end(self) -> None:
        """Let the capture be read: all optimizers that step together are in it."""
        capture, self._capture = self._capture, None
        self._captured.clear()
        if capture is not None:
            self._watcher.attempt(self._watcher.end, capture)

    # Steps that a GradScaler skips

    def _on_scaler_step(self, optimizer: torch.optim.Optimizer) -> Callable[[], None]:
        if not self._is_scaled:
            self._is_scaled = True
            for owner in self._owners.values():
                owner.wake = 0
        before = self._steps()

        def after() -> None:
            if self._steps() == before:
                self._watcher.attempt(self._on_skip, optimizer)
            elif (owner := self._owners.get(id(optimizer))) is not None:
                owner.skipped = 0

        return after

    def _steps(self) -> int:
        return sum(owner.steps for owner in self._owners.values())

    def _on_skip(self, optimizer: torch.optim.Optimizer) -> None:
        owned = self._owned(optimizer)
        if self._watcher.is_over or not owned:
            return
        owner = self._owners.get(id(optimizer)) or self._meet(optimizer)
        owner.skipped += 1
        self._watcher.log(self._skipped(1))
        if owner.skipped == 1:
            self._end()
            capture = self._watcher.begin(is_skipped=True)
            self._watcher.look(capture, "gradients", owned)
            self._watcher.end(capture)
        if owner.skipped == ALERT_AFTER_SKIPS:
            text = f"the GradScaler skipped {owner.skipped} steps in a row: gradients are not finite at any scale"
            self._watcher.alert("Skipped steps", text)

    def _count_skips(self, owner: _Owner, capture: Capture) -> None:
        """Learn, later, how many steps a fused optimizer skipped since it was last looked at."""
        if owner.found_inf:
            capture.add_skips(torch.stack([each.detach().reshape(()) for each in owner.found_inf]), self._skipped)
            owner.found_inf.clear()

    def _skipped(self, number: int) -> dict[str, Any]:
        self._skips += number
        return {f"amp/{self._watcher.prefix}skipped_steps": self._skips}


def _has_closure(arguments: Any, keywords: Any) -> bool:
    return callable(keywords.get("closure", arguments[1] if len(arguments) > 1 else None))
