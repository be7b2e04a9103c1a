"""Makes Runhaven known to Transformers, accelerate and Ultralytics, with no import in the script.

The first two look the names of `report_to="runhaven"` and `log_with="runhaven"` up in a table of theirs; the third is told
of the argument `runhaven=True`. PyTorch calls `autoload` at the end of `import torch`, by the entry-point group
`torch.backends`; `import runhaven` calls `install`. All that either does is wait for the modules that hold the tables and arguments. This
package imports nothing of Runhaven, so that not even a broken Runhaven can break `import torch`.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from runhaven_autoload.import_hook import when_imported

__all__ = ["autoload", "install", "state"]

SWITCH = "RUNHAVEN_AUTOLOAD"
TORCHS_SWITCH = "TORCH_DEVICE_BACKEND_AUTOLOAD"
_NAME = "runhaven"
_is_installed = False


def autoload() -> None:
    """Install, unless `RUNHAVEN_AUTOLOAD=0`; never raises. PyTorch calls it."""
    try:
        if _is_on():
            install()
    except Exception:
        import logging

        logging.getLogger(_NAME).debug("Runhaven could not wait for Transformers and accelerate", exc_info=True)


def install() -> None:
    """Add Runhaven to the tables that are there, and wait for those that are not; more calls do nothing more."""
    global _is_installed  # noqa: PLW0603 - `import torch` and `import runhaven` both call it
    if _is_installed:
        return
    _is_installed = True
    when_imported("transformers.integrations.integration_utils", _add_to_transformers)
    when_imported("accelerate.tracking", _add_to_accelerate)
    when_imported("ultralytics.cfg", _add_to_ultralytics)


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
    # Older versions have no registry.
    if _NAME in module.LOGGER_TYPE_TO_CLASS or not hasattr(module, "register_tracker_class"):
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
