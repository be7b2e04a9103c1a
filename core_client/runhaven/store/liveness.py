"""The state of a run, computed whenever it is read from what its processes left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from runhaven.platform.process import ProcessIdentity

State: TypeAlias = Literal["running", "finished", "failed", "killed", "preempted", "crashed", "lost"]

STALE_AFTER_US = 60_000_000


class Signs(NamedTuple):
    """What the newest session of a run left behind.

    Attributes:
        process: The process that owns the run; None if it is not known.
        last_us: The newest record, microseconds since the epoch.
        exit_code: That of `finish`; None without one.
        signal: The name of a signal that ended the process; None without one.
        is_preempting: Whether the run said that its machine is about to be taken away.
    """

    process: ProcessIdentity | None
    last_us: int
    exit_code: int | None = None
    signal: str | None = None
    is_preempting: bool = False


def state(signs: Signs, *, now_us: int, is_alive: Callable[[ProcessIdentity], bool | None]) -> State:
    """Return the state that the signs come to.

    Args:
        signs: What the newest session left behind.
        now_us: The time now, microseconds since the epoch.
        is_alive: Whether a process lives; None where that cannot be seen from here.
    """
    if signs.exit_code is not None:
        return "finished" if signs.exit_code == 0 else "failed"
    if signs.signal is not None:
        return "preempted" if signs.is_preempting or signs.signal == "SIGUSR1" else "killed"
    alive = is_alive(signs.process) if signs.process is not None else None
    if alive is False:
        return "preempted" if signs.is_preempting else "crashed"
    if alive is None and now_us - signs.last_us > STALE_AFTER_US:
        return "preempted" if signs.is_preempting else "lost"
    return "running"
