"""Calls functions when modules have been imported, and never imports one itself."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Call = Callable[[Any], None]

_waiting: dict[str, list[Call]] = {}
_half_done: set[str] = set()
"""Modules that are waited for, and that were being imported already when the waiting began."""
_looking = threading.local()


def when_imported(name: str, call: Call) -> None:
    """Call a function with a module, once, when the module has been imported; at once if it is there already.

    An exception in the function is logged, and does not reach whoever imports the module.

    Args:
        name: The module, such as "lightning.pytorch".
        call: The function.
    """
    module = sys.modules.get(name)
    if module is not None and not _is_half_done(module):
        _run([call], module)
        return
    _waiting.setdefault(name, []).append(call)
    if module is not None:
        _half_done.add(name)
    if ImportWatch not in sys.meta_path:
        sys.meta_path.insert(0, ImportWatch)


class ImportWatch:
    """Lets the other finders find a module that is waited for, and does what waits behind its loader."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of a module that is waited for; None for all others."""
        if _half_done:
            _look_again()
        # Another finder of this kind may ask all finders in turn, this one included.
        earlier = getattr(_looking, "name", None)
        if name not in _waiting or earlier == name:
            return None
        _looking.name = name
        try:
            others = (getattr(finder, "find_spec", None) for finder in sys.meta_path)
            spec = next((spec for find in others if find and (spec := find(name, path, target))), None)
        finally:
            _looking.name = earlier
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Any", _Loader(spec.loader))
        return spec


class _Loader:
    """A module's loader, which says when the module has run."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # From here on the module looks as if nobody had waited for it.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _run(_waiting.pop(module.__name__, []), module)


def _look_again() -> None:
    """Serve the modules that were half done; no loader of theirs could be watched, so each later import looks."""
    for name in tuple(_half_done):
        module = sys.modules.get(name)
        if module is None or not _is_half_done(module):
            _half_done.discard(name)
            # One whose import failed is waited for as if it had never begun.
            if module is not None:
                _run(_waiting.pop(name, []), module)


def _is_half_done(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _run(calls: list[Call], module: ModuleType) -> None:
    for call in calls:
        try:
            call(module)
        except Exception:
            import logging

            logging.getLogger("runhaven").debug("what waited for %s failed", module.__name__, exc_info=True)
