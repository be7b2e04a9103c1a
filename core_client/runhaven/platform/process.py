"""Processes: which one this is, and whether another one still lives."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from subprocess import Popen


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """What tells a process from every other one, before and after it.

    Attributes:
        host: Name of the host.
        boot: Id of the host's boot; "" where the system has none.
        pid_ns: The pid namespace, such as a container's; "" where the system has none.
        pid: The process id within it.
        pid_start: When the process started, in the system's own unit; 0 where the system does not say.
    """

    host: str
    boot: str
    pid_ns: str
    pid: int
    pid_start: int


def identity() -> ProcessIdentity:
    """Return what this process is."""
    pid = os.getpid()
    return ProcessIdentity(socket.gethostname(), _boot(), _namespace(), pid, _start_time(pid) or 0)


def is_alive(process: ProcessIdentity) -> bool | None:
    """Tell whether a process lives; None when this host or container cannot see it."""
    if process.host != socket.gethostname():
        return None
    if process.boot != _boot():
        # The same host, started again since: whatever ran then is gone.
        return False if process.boot and _boot() else None
    if process.pid_ns != _namespace():
        return None
    if sys.platform != "linux":
        return _exists(process.pid)
    return _start_time(process.pid) == process.pid_start


def end_session(process: Popen[bytes]) -> None:
    """Kill a process that was started with a session of its own, and all that it started; does not wait for it.

    Args:
        process: A process whose end nobody has seen yet, so that its id is still its own.
    """
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _boot() -> str:
    return _read("/proc/sys/kernel/random/boot_id")


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - the target is no path
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError:
        return ""


def _start_time(pid: int) -> int | None:
    """Return a living process's start in clock ticks since boot (field 22 of /proc/<pid>/stat, proc(5))."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    is_gone = not fields or fields[0] in ("Z", "X")
    return None if is_gone else int(fields[19])


def _exists(pid: int) -> bool | None:
    if sys.platform == "win32":
        return _exists_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _exists_on_windows(pid: int) -> bool | None:
    """Ask psutil, since os.kill ends the process there."""
    try:
        import psutil
    except ImportError:
        return None
    return psutil.pid_exists(pid)
