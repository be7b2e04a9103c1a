"""The modules and parameters of a model under the names that the user gave them, whatever wraps the model."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    return ((name, module) for name, module, is_wrapper in _walk(model) if not is_wrapper)


def _walk(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module, bool]]:
    """Yield each module once, and whether it wraps another one of the same name."""
    seen: set[int] = set()
    waiting: list[tuple[str, torch.nn.Module]] = [("", model)]
    while waiting:
        name, module = waiting.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        inner = _wrapped(module)
        yield name, module, inner is not None
        if inner is not None:
            waiting.append((name, inner))
            continue
        start = f"{name}." if name else ""
        children = [(start + own, child) for own, child in _children(module).items() if child is not None]
        waiting += reversed(children)


class NamedParameters:
    """The parameters of a model, as it has them at each call; the names are made anew only where modules changed.

    To make them takes many times as long as to see that nothing did. No module and no parameter is kept alive.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._modules: list[weakref.ref[torch.nn.Module]] = []
        self._tree: list[Any] = []
        self._owners: list[weakref.ref[torch.nn.Module]] = []
        self._names: list[str] = []

    def of(self, model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter, torch.nn.Module]]:
        """Return each parameter once, in the order of the modules, with its name and the module that owns it."""
        modules = [module() for module in self._modules]
        if not modules or None in modules or _tree_of(modules) != self._tree:
            self._look_at(model)
        owners: list[Any] = [owner() for owner in self._owners]
        held = [(parameter, owner) for owner in owners for parameter in _parameters(owner).values()]
        found: dict[int, tuple[str, torch.nn.Parameter, torch.nn.Module]] = {}
        for name, (parameter, owner) in zip(self._names, held, strict=True):
            if parameter is not None:
                found.setdefault(id(parameter), (name, parameter, owner))
        return list(found.values())

    def _look_at(self, model: torch.nn.Module) -> None:
        found = list(_walk(model))
        owners = [(name, module) for name, module, is_wrapper in found if not is_wrapper and _parameters(module)]
        self._modules = [weakref.ref(module) for _, module, _ in found]
        self._tree = _tree_of([module for _, module, _ in found])
        self._owners = [weakref.ref(module) for _, module in owners]
        self._names = [f"{name}.{own}" if name else own for name, module in owners for own in _parameters(module)]


def _tree_of(modules: Sequence[Any]) -> list[Any]:
    """Return what differs if a module or a name does; modules that live have numbers of their own."""
    tree: list[Any] = []
    for module in modules:
        children = _children(module)
        tree += (tuple(_parameters(module)), tuple(children), *map(id, children.values()))
    return tree


# PyTorch's own generators take four times as long for what a module itself holds.


def _children(module: torch.nn.Module) -> dict[str, Any]:
    return module._modules  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def _parameters(module: torch.nn.Module) -> dict[str, Any]:
    return module._parameters  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


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
