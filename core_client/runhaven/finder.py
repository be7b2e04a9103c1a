"""Finds adapters by the entry points that they declare, and serves them under W&B's spelling too.

`from runhaven.keras import WandbCallback` works:
`runhaven.<name>` and `runhaven.integration.<name>` are the very module that the entry point names, never a copy of it.
Nothing is looked up until such a name is imported.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.metadata import EntryPoint
    from types import ModuleType

GROUP = "runhaven.integrations"
_PARENTS = ("runhaven", "runhaven.integration")


class AdapterFinder:
    """Finds adapters, and what lies below them, by their other names."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG004 - the protocol's
        """Return the spec of an adapter's other name; None for a module that is none of ours."""
        parent, _, word = name.rpartition(".")
        if parent in _PARENTS:
            return PathFinder.find_spec(name, path) or _alias(name, adapter_module(word))
        module = sys.modules.get(parent) if parent.startswith("runhaven.") else None
        # What lies below an alias must not become a second copy of what lies below the adapter.
        if module is None or module.__name__ == parent:
            return None
        return _alias(name, f"{module.__name__}.{word}")


class _Alias:
    """Loads a module by putting the one it stands for in its place."""

    def __init__(self, real: str) -> None:
        self._real = real

    def create_module(self, spec: ModuleSpec) -> None:  # noqa: ARG002 - the protocol's
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self._real)


def _alias(name: str, real: str | None) -> ModuleSpec | None:
    return ModuleSpec(name, cast("Any", _Alias(real))) if real is not None else None


def find(name: str) -> EntryPoint | None:
    """Return the entry point that declares an adapter; None if nothing that is installed does."""
    from importlib.metadata import entry_points

    return next(iter(entry_points(group=GROUP, name=name)), None)


def adapter_module(name: str) -> str | None:
    """Return the module of an adapter; None if there is none of that name."""
    entry = find(name)
    return entry.module if entry is not None else None


def install() -> None:
    """Have `import` ask the finder too, once."""
    if AdapterFinder not in sys.meta_path:
        sys.meta_path.insert(0, AdapterFinder)
