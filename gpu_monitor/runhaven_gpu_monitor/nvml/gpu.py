"""One GPU: its readers, its instances, its health, and what is done while it is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from runhaven_gpu_monitor.nvml.code import NvmlError, Verdict
from runhaven_gpu_monitor.nvml.gpm import GpmPair, has_gpm
from runhaven_gpu_monitor.nvml.identity import describe, instances
from runhaven_gpu_monitor.nvml.metric import ACTIVITY, ENGINES, OF_INSTANCE, OFTEN, SELDOM
from runhaven_gpu_monitor.nvml.reader import Reader
from runhaven_gpu_monitor.source import Incident

if TYPE_CHECKING:
    from runhaven_gpu_monitor.nvml.calls import Calls
    from runhaven_gpu_monitor.nvml.driver import Driver
    from runhaven_gpu_monitor.nvml.identity import Instance
    from runhaven_gpu_monitor.source import Tell

PROBE_INTERVAL_S = 60.0
"""How long a lost GPU is left alone before it is asked again."""

_HEALTH = {
    "row_remap_failed": "memory rows that failed could not be remapped; the GPU should be replaced",
    "row_remap_pending": "memory rows wait to be remapped, which a reset of the GPU does",
    "recovery_action": "the driver asks for a recovery action, such as a reset; `nvidia-smi -q` names it",
}
"""Readings that are 0 on a GPU in good health."""


class Gpu:
    """Reads a GPU as long as it answers.

    Args:
        driver: The connection.
        index: Its number in NVML, which is the order on the PCI bus and not that of CUDA.
        handle: NVML's handle of it.
        calls: Where structures are filled.
        reads_engines: Whether to read the engines for video and pictures.
        tell: Takes what a person should hear of.
    """

    def __init__(
        self, driver: Driver, index: int, handle: object, *, calls: Calls, reads_engines: bool, tell: Tell
    ) -> None:
        self._driver = driver
        self._index = index
        self._calls = calls
        self._tell = tell
        self._told: set[str] = set()
        self._lost_at_s: float | None = None
        self.facts: dict[str, Any] = {"index": index, **describe(driver, handle)}
        often, seldom = (*OFTEN, *ACTIVITY), (*SELDOM, *(ENGINES if reads_engines else ()))
        self._own = Reader(driver, handle, calls, gpm=None, prefix=f"gpu/{index}/", often=often, seldom=seldom)
        self._instances: list[Reader] = []
        try:
            self._connect(handle)
        except NvmlError as fault:
            self._lose(fault)

    @property
    def is_lost(self) -> bool:
        """Whether it does not answer any more."""
        return self._lost_at_s is not None

    def sample(self, *, is_full: bool) -> dict[str, float]:
        """Return its readings by metric key; with `is_full` those that are read seldom as well.

        Raises:
            NvmlError: If the driver is gone.
        """
        now_s = time.monotonic()
        if self._lost_at_s is not None:
            if now_s - self._lost_at_s < PROBE_INTERVAL_S or not self.revive():
                return {f"gpu/{self._index}/lost": 1}
            self._tell(Incident(f"GPU {self._index} is back", f"{self._name()} answers again.", "INFO"))
            return {f"gpu/{self._index}/lost": 0}
        values: dict[str, float] = {}
        try:
            for reader in (self._own, *self._instances):
                values |= reader.read(now_s, is_full=is_full)
        except NvmlError as fault:
            self._lose(fault)
            return {f"gpu/{self._index}/lost": 1}
        if is_full:
            self._look_at_health(values)
        return values

    def revive(self) -> bool:
        """Find it again by its UUID, after a reset or in a driver that was loaded anew; False if it does not answer.

        Raises:
            NvmlError: If the driver is gone.
        """
        self._lost_at_s = time.monotonic()
        uuid = self.facts["uuid"]
        handle = self._driver.ask("nvmlDeviceGetHandleByUUID", uuid.encode()) if uuid else None
        if handle is None:
            return False
        try:
            # A handle can still be had of a GPU that fell off the bus: only a reading shows that it is there.
            self._connect(handle)
        except NvmlError as fault:
            if fault.verdict is not Verdict.LOST:
                raise
            return False
        self._lost_at_s = None
        return True

    def close(self) -> None:
        """Give back what was allocated."""
        for reader in (self._own, *self._instances):
            reader.close()

    def _connect(self, handle: object) -> None:
        divided = instances(self._driver, handle)
        self.facts["mig"] = [one.facts for one in divided]
        self._own.restart(handle, self._gpm(handle, "nvmlGpmSampleGet", handle))
        self._instances = [self._reader_of(one, handle) for one in divided]
        for reader in (self._own, *self._instances):
            reader.probe(time.monotonic())

    def _reader_of(self, instance: Instance, parent: object) -> Reader:
        gpm = self._gpm(parent, "nvmlGpmMigSampleGet", parent, instance.gpu_instance)
        prefix = f"gpu/{self._index}/mig/{instance.facts['index']}/"
        return Reader(self._driver, instance.handle, self._calls, gpm=gpm, prefix=prefix, often=OF_INSTANCE)

    def _gpm(self, handle: object, function: str, *arguments: object) -> GpmPair | None:
        if not has_gpm(self._driver, handle):
            return None
        return GpmPair(self._driver, lambda sample: self._driver.function(function)(*arguments, sample))

    def _lose(self, fault: NvmlError) -> None:
        if fault.verdict is not Verdict.LOST:
            raise fault
        self._lost_at_s = time.monotonic()
        self.tell_lost(f"NVML code {fault.code}")

    def tell_lost(self, reason: str) -> None:
        """Say that it does not answer."""
        self._tell(lost(self._index, self._name(), reason))

    def _look_at_health(self, values: dict[str, float]) -> None:
        for name, text in _HEALTH.items():
            if values.get(f"gpu/{self._index}/{name}") and name not in self._told:
                self._told.add(name)
                self._tell(Incident(f"GPU {self._index} needs care", f"{self._name()}: {text}.", "WARN"))

    def _name(self) -> str:
        return f"{self.facts['name']} ({self.facts['uuid']})"


def lost(index: int, name: str, reason: str) -> Incident:
    """Return what is said of a GPU that does not answer."""
    text = (
        f"{name} does not answer any more ({reason}): it fell off the bus or needs a reset. "
        "The kernel's log names the reason as an Xid. The other GPUs are read on."
    )
    return Incident(f"GPU {index} is lost", text, "ERROR")
