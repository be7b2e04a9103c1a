"""Makes Runhaven known to Transformers, accelerate and Ultralytics, with no import in the script.

The first two look the names of `report_to="runhaven"` and `log_with="runhaven"` up in a table of theirs; the third is told
of the argument `runhaven=True`. PyTorch calls `autoload` at the end of `import torch`, by the entry-point group
`torch.backends`; `import runhaven` calls `install`. All that either does is wait for the modules that hold the tables and arguments. This
package imports nothing of Runhaven, so that not even a broken Runhaven can break `import torch`.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

__all__ = ["autoload", "install", "state"]

SWITCH = "RUNHAVEN_AUTOLOAD"
TORCHS_SWITCH = "TORCH_DEVICE_BACKEND_AUTOLOAD"
_NAME = "runhaven"


def autoload() -> None:
    """Install, unless `RUNHAVEN_AUTOLOAD=0`; never raises. PyTorch calls it."""
    try:
        if _is_on():
            install()
    except Exception as error:  # noqa: BLE001 - PyTorch's import would fail
        _tell("could not wait for Transformers and accelerate", error)


def install() -> None:
    """Add Runhaven to the tables that are there, and wait for those that are not; more calls do nothing more."""
    if not any(isinstance(finder, _Waiter) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Waiter())
    _add_to_loaded()


def state() -> str:
    """Say in a few words whether scripts get by without `import runhaven`."""
    from importlib.metadata import entry_points

    if not _is_on():
        return f"off: {SWITCH}={os.environ[SWITCH]}"
    if os.environ.get(TORCHS_SWITCH, "1") != "1":
        return f"off: {TORCHS_SWITCH}={os.environ[TORCHS_SWITCH]}"
    if not entry_points(group="torch.backends", name=_NAME):
        return "off: the installation has no entry point in the group torch.backends"
    return 'on: report_to="runhaven" and log_with="runhaven" work without an import'


def _is_on() -> bool:
    return os.environ.get(SWITCH, "").lower() not in ("0", "false", "no", "off")


def _add_to_transformers(module: Any) -> None:
    class RunhavenCallback:
        """Stands in the table until a trainer asks for it, so that nobody else waits for the import of Runhaven."""

        def __new__(cls) -> Any:
            return import_module("runhaven_integrations.transformers").RunhavenCallback()

    module.INTEGRATION_TO_CALLBACK.setdefault(_NAME, RunhavenCallback)


def _add_to_accelerate(module: Any) -> None:
    if _NAME in module.LOGGER_TYPE_TO_CLASS:
        return

    class RunhavenTracker(module.GeneralTracker):
        """Stands in the registry until an `Accelerator` asks for it."""

        name = _NAME
        requires_logging_directory = False

        def __new__(cls, *arguments: Any, **options: Any) -> Any:
            return import_module("runhaven_integrations.accelerate").RunhavenTracker(*arguments, **options)

    module.register_tracker_class(RunhavenTracker)


def _add_to_ultralytics(_: Any) -> None:
    import_module("runhaven_integrations.ultralytics").activate()


_WAITING: dict[str, tuple[str, Callable[[Any], None]]] = {
    "transformers.integrations.integration_utils": ("INTEGRATION_TO_CALLBACK", _add_to_transformers),
    "accelerate.tracking": ("register_tracker_class", _add_to_accelerate),
    "ultralytics.cfg": ("check_dict_alignment", _add_to_ultralytics),
}
"""For each module that is not served yet the name that it has once it is, and what serves it."""


def _add_to_loaded() -> None:
    for name in list(_WAITING):
        module = sys.modules.get(name)
        spec = getattr(module, "__spec__", None)
        if module is None or getattr(spec, "_initializing", False):
            continue
        _serve(name, module)


class _Waiter:
    """Watches what is imported. Finds nothing itself.

    A module that is waited for may be what imports PyTorch, and so be half done when this begins to watch: each later import
    looks again. One that comes later is served as soon as it has run.
    """

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        _add_to_loaded()
        if name not in _WAITING:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None:
                _serve_after(spec, name)
                return spec
        return None


def _serve_after(spec: ModuleSpec, name: str) -> None:
    """Have the module served when its loader has run it."""
    loader: Any = spec.loader
    execute = loader.exec_module

    def execute_and_serve(module: ModuleType) -> None:
        execute(module)
        if module.__name__ == name:
            _serve(name, module)

    loader.exec_module = execute_and_serve


def _serve(name: str, module: ModuleType) -> None:
    mark, add = _WAITING.pop(name, ("", None))
    # Older versions of accelerate have no registry.
    if add is None or not hasattr(module, mark):
        return
    try:
        add(module)
    except Exception as error:  # noqa: BLE001 - somebody else's import would fail
        _tell(f"could not make itself known to {name.partition('.')[0]}", error)


def _tell(what: str, error: Exception) -> None:
    import logging

    logging.getLogger(_NAME).debug("Runhaven %s", what, exc_info=error)
