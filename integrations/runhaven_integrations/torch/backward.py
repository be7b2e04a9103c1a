"""Looks at gradients as the backward pass accumulates them: for optimizers that step within it, or that are none of torch's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven_integrations.torch.watcher import Watched

if TYPE_CHECKING:
    import torch

    from runhaven_integrations.torch.capture import Capture
    from runhaven_integrations.torch.watcher import Watcher


class BackwardTrigger:
    """Hooks each parameter that is trained, before all other hooks of its kind.

    A round begins when a parameter comes that has been in the last one: one backward pass, usually.
    """

    def __init__(self, watcher: Watcher) -> None:
        """Begin."""
        self._watcher = watcher
        self._handles: dict[int, Any] = {}
        self._rounds = 0
        self._seen: dict[int, int] = {}
        self._labels: dict[int, tuple[int, str, int]] = {}
        self._capture: Capture | None = None
        self._is_extra = False
        self._find()

    def stop(self) -> None:
        """Undo everything."""
        self._end()
        for handle in self._handles.values():
            handle.remove()
        self._handles.clear()

    def look_again(self) -> None:
        """Look at the next round, too."""
        self._is_extra = True

    def _find(self) -> None:
        """Hook the parameters that are trained now."""
        for place, name, parameter, sample in self._watcher.watched():
            self._labels[id(parameter)] = place, name, sample
            hookable: Any = parameter
            handle = self._handles.get(id(parameter))
            is_hooked = handle is not None and handle.id in (hookable._post_accumulate_grad_hooks or {})  # noqa: SLF001
            if parameter.requires_grad and parameter.is_leaf and not is_hooked:
                handle = hookable.register_post_accumulate_grad_hook(self._on_gradient)
                # An optimizer that steps within the backward pass is such a hook too, and frees the gradient: it has
                # to come later, in the order of the plain dict that C++ goes through.
                hooks = hookable._post_accumulate_grad_hooks  # noqa: SLF001 - no other way
                for other in [key for key in hooks if key != handle.id]:
                    hooks[other] = hooks.pop(other)
                self._handles[id(parameter)] = handle

    def _on_gradient(self, parameter: torch.nn.Parameter) -> None:
        key = id(parameter)
        if self._seen.get(key, 0) == self._rounds:
            self._begin()
        self._seen[key] = self._rounds
        if self._capture is not None:
            self._watcher.attempt(self._look, self._capture, parameter)

    def _begin(self) -> None:
        self._end()
        self._rounds += 1
        freq = self._watcher.options.log_freq
        is_due = self._rounds == 1 or self._rounds % freq == 0
        if (is_due or self._is_extra) and not self._watcher.is_over:
            self._capture = self._watcher.begin(is_extra=not is_due)
            self._is_extra = False
            self._find()

    def _look(self, capture: Capture, parameter: torch.nn.Parameter) -> None:
        place, name, sample = self._labels[id(parameter)]
        for kind in self._watcher.kinds:
            self._watcher.look(capture, kind, [Watched(place, name, parameter, sample)])
        if all(len(held) == len(self._handles) for held in capture.held.values()):
            self._end()

    def _end(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            self._watcher.attempt(self._watcher.end, capture)
