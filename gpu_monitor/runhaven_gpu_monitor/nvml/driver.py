"""The connection to the driver's library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven_gpu_monitor.importing import imports
from runhaven_gpu_monitor.nvml.code import FUNCTION_NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_LIBRARY = 12


class Driver:
    """Functions of NVML by name. They return NVML's codes, and raise nothing."""

    def __init__(self) -> None:
        self._nvml: Any = None

    def start(self) -> int:
        """Connect, and return NVML's code.

        Raises:
            ImportError: If nvidia-ml-py is missing.
        """
        # A child forked meanwhile would inherit the lock of the import, or of the module.
        with imports:
            import pynvml

            self._nvml = pynvml
            try:
                pynvml.nvmlInit()
            except pynvml.NVMLError as error:
                return int(getattr(error, "value", _NO_LIBRARY))
            return 0

    def stop(self) -> None:
        """Disconnect: an open connection keeps an administrator from unloading the driver."""
        with imports:
            self.ask("nvmlShutdown")

    def function(self, name: str) -> Callable[..., int]:
        """Return a function of the library; one that it lacks is there too, and says so."""
        # The names of pynvml do more in Python at each call than the driver does in C.
        return getattr(self._nvml.nvmlLib, name, _lacks)

    def ask(self, name: str, *arguments: object) -> Any:
        """Return what a function of pynvml answers, or None when it refuses: for what is asked once."""
        try:
            return getattr(self._nvml, name)(*arguments)
        except (self._nvml.NVMLError, AttributeError):
            return None

    def handle(self, index: int) -> tuple[int, Any]:
        """Return the code and the handle of a GPU."""
        try:
            return 0, self._nvml.nvmlDeviceGetHandleByIndex(index)
        except self._nvml.NVMLError as error:
            return int(error.value), None


def _lacks(*_: object) -> int:
    return FUNCTION_NOT_FOUND
