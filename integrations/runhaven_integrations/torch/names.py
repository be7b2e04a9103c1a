"""The modules and parameters of a model under the names that the user gave them, whatever wraps the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

# The attribute in which each wrapper holds the module that it wraps.
_WRAPPERS = {
    "OptimizedModule": "_orig_mod",
    "DistributedDataParallel": "module",
    "DataParallel": "module",
    "FullyShardedDataParallel": "_fsdp_wrapped_module",
    "CheckpointWrapper": "_checkpoint_wrapped_module",
    "OffloadWrapper": "_checkpoint_wrapped_module",
    "AveragedModel": "module",
}


def named_modules(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """Yield each module once, as `torch.nn.Module.named_modules` does, without the names that wrappers add."""
    seen: set[int] = set()
    waiting: list[tuple[str, torch.nn.Module]] = [("", model)]
    while waiting:
        name, module = waiting.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        inner = _wrapped(module)
        if inner is not None:
            waiting.append((name, inner))
            continue
        yield name, module
        start = f"{name}." if name else ""
        for own, child in reversed(_held(module, "_modules")):
            waiting.append((start + own, child))


def named_parameters(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter, torch.nn.Module]]:
    """Yield each parameter once, in the order of the modules, with the module that owns it."""
    seen: set[int] = set()
    for name, module in named_modules(model):
        for own, parameter in _held(module, "_parameters"):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield f"{name}.{own}" if name else own, parameter, module


def _held(module: torch.nn.Module, attribute: str) -> list[tuple[str, Any]]:
    """Return what a module itself holds, by name: PyTorch's own generators take four times as long for it."""
    return [(name, each) for name, each in getattr(module, attribute).items() if each is not None]


def unwrap(model: torch.nn.Module) -> torch.nn.Module:
    """Return the model itself."""
    while (inner := _wrapped(model)) is not None:
        model = inner
    return model


def _wrapped(module: torch.nn.Module) -> torch.nn.Module | None:
    attribute = _WRAPPERS.get(type(module).__name__)
    if attribute is None or type(module).__module__.partition(".")[0] != "torch":
        return None
    inner: Any = getattr(module, attribute, None)
    return inner if isinstance(inner, torch.nn.Module) else None
