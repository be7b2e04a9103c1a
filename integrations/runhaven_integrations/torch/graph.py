"""The tree of a model's modules, with the shapes and FLOPs of its first forward pass."""

from __future__ import annotations

import weakref
from functools import reduce
from operator import mul
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from runhaven_integrations.torch.names import named_modules

if TYPE_CHECKING:
    from collections.abc import Callable

_CONVOLUTIONS = (
    torch.nn.Conv1d,
    torch.nn.Conv2d,
    torch.nn.Conv3d,
    torch.nn.ConvTranspose1d,
    torch.nn.ConvTranspose2d,
    torch.nn.ConvTranspose3d,
)
_MOST_SHAPES = 8


class GraphTracer:
    """Waits for the first forward pass of a model, then hands out its graph.

    The hooks that it needs until then are `_Tap`s; a compiled model gets none, for a compiler would compile them too.
    """

    def __init__(self, model: torch.nn.Module, on_known: Callable[[dict[str, Any]], None]) -> None:
        """Begin.

        Args:
            model: The model.
            on_known: Called once with the graph: when the forward pass ends, or when the tracer is stopped.
        """
        self._model = weakref.ref(model)
        self._on_known = on_known
        self._seen: dict[int, dict[str, Any]] = {}
        self._handles: list[Any] = []
        self._is_told = False
        modules = [module for _, module in named_modules(model)]
        if not any(module._compiled_call_impl is not None for module in modules):  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
            taps = ((module, _Tap(self._on_forward, is_root=module is model)) for module in modules)
            self._handles = [module.register_forward_hook(tap) for module, tap in taps]
        # A model whose parts are called one by one has had its first pass when the optimizer steps.
        self._on_step = register_optimizer_step_pre_hook(lambda _optimizer, _arguments, _keywords: self._tell())
        if not self._handles:
            self._tell()

    def stop(self) -> None:
        """Hand out what is known if that was not done, and take away all hooks."""
        self._tell()
        self._on_step.remove()

    def _on_forward(self, module: torch.nn.Module, inputs: Any, output: Any, is_root: bool) -> None:
        seen = self._seen.setdefault(id(module), {"order": len(self._seen), "calls": 0, "flops": 0})
        if not seen["calls"]:
            seen |= {"inputs": _shapes(inputs), "outputs": _shapes(output)}
        seen["calls"] += 1
        seen["flops"] += _flops(module, inputs, output)
        if is_root:
            self._tell()

    def _tell(self) -> None:
        if self._is_told:
            return
        self._is_told = True
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        model = self._model()
        if model is not None:
            self._on_known(describe(model, self._seen))


class _Tap:
    """A hook that is nothing in copies of the model: pickled or copied, it becomes a function without effect."""

    def __init__(self, on_forward: Callable[..., None], *, is_root: bool) -> None:
        self._on_forward = on_forward
        self._is_root = is_root

    def __call__(self, module: torch.nn.Module, inputs: Any, output: Any) -> None:
        if not torch.compiler.is_compiling():
            self._on_forward(module, inputs, output, self._is_root)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (_Tap, "_nothing")

    @staticmethod
    def _nothing(module: torch.nn.Module, inputs: Any, output: Any) -> None:
        """Do nothing."""


def describe(model: torch.nn.Module, seen: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Return the `graph` event of a model.

    Args:
        model: The model.
        seen: By the id of a module: order, calls, shapes and FLOPs of its forward passes.
    """
    modules = [_describe(name, module) | seen.get(id(module), {}) for name, module in named_modules(model)]
    parameters = list(model.parameters())
    graph = {
        "event": "graph",
        "type": type(model).__name__,
        "parameters": sum(each.numel() for each in parameters),
        "trained": sum(each.numel() for each in parameters if each.requires_grad),
        "modules": modules,
    }
    return graph | ({"flops": sum(each["flops"] for each in seen.values())} if seen else {})


def _describe(name: str, module: torch.nn.Module) -> dict[str, Any]:
    return {
        "name": name,
        "type": type(module).__name__,
        "parameters": [
            {"name": own, "shape": list(each.shape), "dtype": str(each.dtype), "is_trained": each.requires_grad}
            for own, each in module.named_parameters(recurse=False)
        ],
    }


def _shapes(value: Any) -> list[list[int]]:
    """Return the shapes of the tensors in arguments or results, the first few."""
    found: list[list[int]] = []
    waiting: list[Any] = [value]
    while waiting and len(found) < _MOST_SHAPES:
        each = waiting.pop(0)
        if isinstance(each, torch.Tensor):
            found.append(list(each.shape))
        elif isinstance(each, list | tuple):
            waiting = [*each, *waiting]
        elif isinstance(each, dict):
            waiting = [*each.values(), *waiting]
    return found


def _flops(module: torch.nn.Module, inputs: Any, output: Any) -> int:
    """Return the FLOPs of a linear layer's or a convolution's product, a multiplication and an addition as two."""
    if not isinstance(output, torch.Tensor):
        return 0
    if isinstance(module, torch.nn.Linear):
        return 2 * output.numel() * module.in_features
    if isinstance(module, _CONVOLUTIONS):
        kernel = reduce(mul, module.kernel_size, 1)
        if module.transposed:
            return 2 * inputs[0].numel() * kernel * module.out_channels // module.groups
        return 2 * output.numel() * kernel * module.in_channels // module.groups
    return 0
