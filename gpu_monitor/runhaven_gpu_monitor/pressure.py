"""How long tasks waited for processors, memory and disks: the kernel's pressure stall information.

https://docs.kernel.org/accounting/psi.html
"""

from __future__ import annotations

import os
import time

from runhaven_gpu_monitor.cgroup import own_group
from runhaven_gpu_monitor.kernel_file import read_bytes

_KINDS = (("cpu", "some"), ("memory", "some"), ("memory", "full"), ("io", "some"), ("io", "full"))


class Pressure:
    """The parts of the time in which some, or all tasks waited.

    Args:
        root: Where `proc` and `sys` lie.

    Raises:
        OSError: If the kernel does not tell.
    """

    def __init__(self, root: str) -> None:
        group = own_group(root)
        # What this process's own group waited for says more than what the whole machine did.
        has_own = group is not None and os.path.exists(os.path.join(group, "cpu.pressure"))
        pattern = os.path.join(group, "{}.pressure") if group and has_own else os.path.join(root, "proc/pressure/{}")
        self._paths = {name: pattern.format(name) for name in ("cpu", "memory", "io")}
        self._waited_us = self._read()
        self._time_s = time.monotonic()

    def read(self) -> dict[str, float]:
        """Return the percentages since the last time."""
        waited_us, time_s = self._read(), time.monotonic()
        before_us, self._waited_us = self._waited_us, waited_us
        elapsed_us, self._time_s = (time_s - self._time_s) * 1e6, time_s
        if elapsed_us <= 0:
            return {}
        return {
            f"pressure/{resource}_{kind}_percent": min(100.0, 100.0 * (waited - before_us[resource, kind]) / elapsed_us)
            for (resource, kind), waited in waited_us.items()
            if (resource, kind) in before_us
        }

    def _read(self) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for resource, path in self._paths.items():
            for line in read_bytes(path).decode("ascii").splitlines():
                kind, *_, total = line.split()
                if (resource, kind) in _KINDS:
                    found[resource, kind] = int(total.removeprefix("total="))
        return found
