"""Decides when to look at a model, and undoes all that it did."""

from __future__ import annotations

import logging
import weakref
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from runhaven_integrations.torch.capture import Capture, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runhaven import Run
    from runhaven_integrations.torch.capture import Part

logger = logging.getLogger("runhaven")

_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")


class Options(NamedTuple):
    """What to look at, and how often; see `watch`."""

    kinds: tuple[str, ...]
    log_freq: int
    prefix: str
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    exact: bool | None = None
    max_tensors: int = 512


class _Owner:
    """An optimizer that was seen stepping."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = weakref.ref(optimizer)
        self.steps = 0
        self.is_extra = False


class Watcher:
    """Watches one model for one run."""

    def __init__(self, run: Run, model: torch.nn.Module, options: Options) -> None:
        """Begin; nothing is put on the model."""
        self.options = options
        self._run = run
        self._model = weakref.ref(model)
        self._owners: dict[int, _Owner] = {}
        self._is_alerted = False
        self._handles = [
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]

    def stop(self) -> None:
        """Undo everything."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._owners.clear()

    def _before_step(self, optimizer: Any, arguments: Any, keywords: Any) -> None:
        # With a closure, the gradients that count are made during the step.
        if len(arguments) > 1 or keywords:
            return
        owner = self._owners.get(id(optimizer))
        if owner is None or owner.optimizer() is not optimizer:
            owner = self._owners[id(optimizer)] = _Owner(optimizer)
        owner.steps += 1
        if owner.steps == 1 or owner.is_extra or owner.steps % self.options.log_freq == 0:
            self._look(owner, optimizer)

    def _after_step(self, optimizer: Any, arguments: Any, keywords: Any) -> None:
        if len(arguments) > 1 or keywords:
            self._before_step(optimizer, (), {})

    def _look(self, owner: _Owner, optimizer: Any) -> None:
        """Capture; whatever goes wrong is none of the training's business."""
        model = self._model()
        if model is None or self._run.is_finished:
            self.stop()
            return
        owner.is_extra = False
        try:
            if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
                return
            with torch.no_grad():
                owned = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
                for kind in self.options.kinds:
                    self._capture(kind, model, owned, owner, getattr(optimizer, "grad_scale", None))
        except Exception as error:
            self._run.notices.warn(f"watch() could not look at the model: {error!r}.", about="watch")
            logger.debug("watch() failed", exc_info=True)

    def _capture(
        self, kind: str, model: torch.nn.Module, owned: set[int], owner: _Owner, scale: torch.Tensor | None
    ) -> None:
        parts = list(self._parts(kind, model, owned))[: self.options.max_tensors]
        if not parts:
            return
        capture = Capture(kind, self.options.prefix, parts, scale=scale if kind == "gradients" else None)
        capture.on_nonfinite = lambda name, count: self._on_nonfinite(kind, owner, name, count)
        self._run.recorder.log_later(capture)

    def _parts(self, kind: str, model: torch.nn.Module, owned: set[int]) -> Iterator[Part]:
        embeddings = {id(each.weight) for each in model.modules() if isinstance(each, torch.nn.Embedding)}
        for name, parameter in model.named_parameters():
            value = parameter.grad if kind == "gradients" else parameter
            if value is None or id(parameter) not in owned or not self._is_wanted(name):
                continue
            is_exact = self.options.exact is True or id(parameter) in embeddings
            part = part_of(_plain(name), value, is_exact=is_exact)
            if part is not None:
                yield part

    def _is_wanted(self, name: str) -> bool:
        include, exclude = self.options.include, self.options.exclude
        return (not include or any(fnmatchcase(name, each) for each in include)) and not any(
            fnmatchcase(name, each) for each in exclude
        )

    def _on_nonfinite(self, kind: str, owner: _Owner, name: str, count: int) -> None:
        """Tell of the first layer, once, and look again at the next step; on the background thread."""
        if self._is_alerted:
            return
        self._is_alerted = True
        owner.is_extra = True
        self._run.alert(f"Non-finite {kind}", f"{count} numbers of {name} are NaN or infinite.", "WARN")


def _plain(name: str) -> str:
    for wrapper in _WRAPPERS:
        name = name.replace(wrapper, "")
    return name
