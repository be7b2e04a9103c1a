"""Bytes that went to and from the machine's disks and network, counted from when the counting began."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runhaven_gpu_monitor.importing import imports
from runhaven_gpu_monitor.kernel_file import read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SECTOR_BYTES = 512  # in /proc/diskstats, whatever the disk's own sector is


class Traffic:
    """A pair of counters summed over devices.

    Args:
        read: Returns the two counters of each device.
    """

    def __init__(self, read: Callable[[], Mapping[str, tuple[int, int]]]) -> None:
        self._read = read
        self._latest = dict(read())
        self._totals = [0, 0]

    @property
    def has_devices(self) -> bool:
        """Whether there is anything to count."""
        return bool(self._latest)

    def read(self) -> tuple[int, int]:
        """Return how far the two counters have come since the start."""
        for device, counters in self._read().items():
            for side, (before, now) in enumerate(zip(self._latest.get(device, counters), counters, strict=True)):
                # A driver that is loaded anew counts from zero again.
                self._totals[side] += now - before if now >= before else now
            self._latest[device] = counters
        return self._totals[0], self._totals[1]


def disk_traffic(root: str = "/") -> Traffic:
    """Return the counters of bytes read from and written to the disks of this machine.

    Args:
        root: Where `proc` and `sys` lie.
    """
    is_linux = os.path.exists(os.path.join(root, "proc/diskstats"))
    return Traffic(_LinuxDisks(root).read if is_linux else _psutil_disks)


def network_traffic(root: str = "/") -> Traffic:
    """Return the counters of bytes sent and received over the network interfaces of this machine, loopback left out.

    Args:
        root: Where `proc` and `sys` lie.
    """
    is_linux = os.path.exists(os.path.join(root, "proc/net/dev"))
    return Traffic(_LinuxInterfaces(root).read if is_linux else _psutil_interfaces)


class _LinuxDisks:
    def __init__(self, root: str) -> None:
        self._root = root
        self._is_disk: dict[str, bool] = {}

    def read(self) -> dict[str, tuple[int, int]]:
        counters: dict[str, tuple[int, int]] = {}
        text = read_bytes(os.path.join(self._root, "proc/diskstats")).decode("ascii")
        for fields in map(str.split, text.splitlines()):
            if self._counts(fields[2]):
                counters[fields[2]] = int(fields[5]) * _SECTOR_BYTES, int(fields[9]) * _SECTOR_BYTES
        return counters

    def _counts(self, name: str) -> bool:
        # Partitions, LVM, RAID and loop devices have no `device`: their bytes are counted in the disks below them.
        if name not in self._is_disk:
            self._is_disk[name] = os.path.exists(os.path.join(self._root, "sys/block", name, "device"))
        return self._is_disk[name]


class _LinuxInterfaces:
    def __init__(self, root: str) -> None:
        self._root = root
        self._is_outermost: dict[str, bool] = {}

    def read(self) -> dict[str, tuple[int, int]]:
        counters: dict[str, tuple[int, int]] = {}
        text = read_bytes(os.path.join(self._root, "proc/net/dev")).decode("ascii")
        for line in text.splitlines()[2:]:
            name, _, numbers = line.partition(":")
            fields = numbers.split()
            if self._counts(name.strip()):
                counters[name.strip()] = int(fields[8]), int(fields[0])
        return counters

    def _counts(self, name: str) -> bool:
        if name not in self._is_outermost:
            self._is_outermost[name] = name != "lo" and not self._lies_on_another(name)
        return self._is_outermost[name]

    def _lies_on_another(self, name: str) -> bool:
        """Tell whether the bytes of a bond, bridge, VLAN or port of a bridge pass another interface as well."""
        try:
            entries = os.listdir(os.path.join(self._root, "sys/class/net", name))
        except OSError:
            return False
        return any(entry.startswith("lower_") for entry in entries) or ("master" in entries and "device" not in entries)


def _psutil_disks() -> dict[str, tuple[int, int]]:
    with imports:
        import psutil

    counters = psutil.disk_io_counters(perdisk=True) or {}
    return {name: (disk.read_bytes, disk.write_bytes) for name, disk in counters.items()}


def _psutil_interfaces() -> dict[str, tuple[int, int]]:
    with imports:
        import psutil

    counters = psutil.net_io_counters(pernic=True)
    return {name: (nic.bytes_sent, nic.bytes_recv) for name, nic in counters.items() if not _is_loopback(name)}


def _is_loopback(name: str) -> bool:
    return name.startswith("Loopback") or name.rstrip("0123456789") == "lo"
