"""All NVIDIA GPUs of the machine, over a connection that is made again when the driver was away."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from runhaven_gpu_monitor.importing import imports
from runhaven_gpu_monitor.nvml.calls import Calls
from runhaven_gpu_monitor.nvml.code import LIBRARY_MISMATCH, NvmlError, Verdict, judge
from runhaven_gpu_monitor.nvml.driver import Driver
from runhaven_gpu_monitor.nvml.gpu import Gpu, lost
from runhaven_gpu_monitor.processes import own_processes
from runhaven_gpu_monitor.source import Incident
from runhaven_gpu_monitor.visibility import visible

if TYPE_CHECKING:
    from runhaven_gpu_monitor.source import Tell

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 300.0


class NvmlSource:
    """Reads all NVIDIA GPUs of the machine.

    Without a driver there is one line in the log at debug level, and nothing else.

    Args:
        reads_engines: Whether to read the engines for video and pictures too.
        seldom_s: Seconds between two readings of what changes seldom or is slow in the driver.
    """

    def __init__(self, *, reads_engines: bool = False, seldom_s: float = 30.0) -> None:
        self._reads_engines = reads_engines
        self._seldom_s = seldom_s
        self._driver = Driver()
        self._tell: Tell = lambda _: None
        self._gpus: list[Gpu] = []
        self._pid = 0
        self._is_connected = False
        self._full_at_s = 0.0
        self._retry_at_s = self._wait_s = 0.0

    def open(self, tell: Tell) -> dict[str, Any] | None:
        """Connect to the driver and return the facts about the GPUs, or None without a driver or a GPU."""
        self._tell = tell
        try:
            code = self._driver.start()
        except ImportError:
            _say("no GPU readings: nvidia-ml-py is not installed")
            return None
        if code:
            _say(f"no GPU readings: no NVIDIA driver (code {code})")
            return None
        self._pid, self._is_connected = os.getpid(), True
        try:
            self._gpus = self._find()
        except NvmlError as fault:
            _say(f"no GPU readings: the NVIDIA driver went away (code {fault.code})")
        if not self._gpus:
            self.close()
            return None
        facts = [gpu.facts for gpu in self._gpus]
        numbers = visible(facts, os.environ)
        for place, gpu in enumerate(facts):
            gpu["cuda_index"] = numbers[place] if numbers else None
            gpu["is_visible"] = None if numbers is None else numbers[place] is not None
        return {"gpus": facts}

    def sample(self) -> dict[str, float]:
        """Return the current readings of all GPUs that answer."""
        if self._pid != os.getpid():
            # What NVML holds is not valid in a forked child.
            self._forget()
        if not self._is_connected and not self._reconnect():
            return {}
        now_s = time.monotonic()
        is_full = now_s >= self._full_at_s
        if is_full:
            self._full_at_s = now_s + self._seldom_s
        values: dict[str, float] = {}
        try:
            for gpu in self._gpus:
                values |= gpu.sample(is_full=is_full)
        except NvmlError as fault:
            self._lose(fault.code)
        return values

    def close(self) -> None:
        """Disconnect, because an open connection keeps an administrator from unloading the driver."""
        if self._is_connected and self._pid == os.getpid():
            for gpu in self._gpus:
                gpu.close()
            self._driver.stop()
        self._gpus, self._is_connected = [], False

    def _find(self) -> list[Gpu]:
        calls = Calls(self._driver, own_processes())
        gpus: list[Gpu] = []
        for index in range(self._driver.ask("nvmlDeviceGetCount") or 0):
            code, handle = self._driver.handle(index)
            if handle is not None:
                reads_engines = self._reads_engines
                gpu = Gpu(self._driver, index, handle, calls=calls, reads_engines=reads_engines, tell=self._tell)
                gpus.append(gpu)
            elif judge(code) is Verdict.LOST:
                self._tell(lost(index, f"GPU {index}", f"NVML code {code}"))
            # A container can see the number of all GPUs and be refused most of them: that is no news.
        return gpus

    def _forget(self) -> None:
        self._pid, self._is_connected = os.getpid(), False
        self._retry_at_s = self._wait_s = 0.0

    def _lose(self, code: int) -> None:
        """Let go of a driver that is gone."""
        self._driver.stop()
        self._forget()
        if code == LIBRARY_MISMATCH:
            self._end()
            return
        self._wait_s = FIRST_WAIT_S
        self._retry_at_s = time.monotonic() + self._wait_s
        self._tell(
            Incident("NVIDIA driver is gone", f"GPU readings pause until it is back (NVML code {code}).", "WARN")
        )

    def _reconnect(self) -> bool:
        """Try to connect again if it is time to; each try that fails doubles the wait for the next."""
        if not self._gpus or time.monotonic() < self._retry_at_s:
            return False
        code = self._driver.start()
        if code == 0:
            try:
                found = [gpu for gpu in self._gpus if gpu.revive()]
            except NvmlError as fault:
                code, found = fault.code, []
            if found:
                self._go_on()
                return True
            self._driver.stop()
        if code == LIBRARY_MISMATCH:
            self._end()
        self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s or FIRST_WAIT_S)
        self._retry_at_s = time.monotonic() + self._wait_s
        return False

    def _go_on(self) -> None:
        self._is_connected = True
        # A forked child connects for the first time: nobody has missed anything.
        if self._wait_s:
            self._tell(Incident("NVIDIA driver is back", "GPU readings go on.", "INFO"))
        for gpu in self._gpus:
            if gpu.is_lost:
                gpu.tell_lost("the driver came back without it")

    def _end(self) -> None:
        self._gpus = []
        self._tell(
            Incident(
                "NVIDIA driver was updated",
                "This process still has the library of the old version, so it reads no GPU any more. Training may go on; "
                "start it again when it suits you.",
                "WARN",
            )
        )


def _say(message: str) -> None:
    with imports:
        import logging
    logging.getLogger("runhaven_gpu_monitor").debug("%s", message)
