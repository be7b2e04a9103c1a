"""Starts a program, hands it the signals that come, and waits for it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runhaven.launched import Launch
    from runhaven_cli.launching.command import Command

_FORWARDED = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT, signal.SIGWINCH,
)  # fmt: skip
_WATCHED = frozenset({*_FORWARDED, signal.SIGCHLD})
# What Python ignores, and a program expects not to be ignored.
_RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)


def block_signals() -> None:
    """Keep signals waiting until `wait` takes them; before any thread begins, which would take them otherwise."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)


def start(command: Command, launch: Launch, outputs: Mapping[int, int]) -> int:
    """Start a program and return its pid.

    Args:
        command: The program.
        launch: What the processes below are told.
        outputs: For descriptors of the program's, what they are; the others are this process's own.

    Raises:
        OSError: If it cannot be started.
    """
    return os.posix_spawn(
        command.path,
        command.argv,
        command.environment(launch.publish()),
        file_actions=[(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in outputs.items()],
        setsigmask=(),
        setsigdef=_RESTORED,
    )


def wait(pid: int, on_resize: Callable[[], None] | None = None) -> int:
    """Wait for a program and hand on the signals that come meanwhile; return its status, -n if signal n ended it.

    Args:
        pid: The program.
        on_resize: Called when the terminal has another size.
    """
    while True:
        signals = signal.sigwaitinfo(_WATCHED)
        if signals.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
        elif signals.si_code <= 0:
            os.kill(pid, signals.si_signo)
        elif signals.si_signo == signal.SIGWINCH and on_resize is not None:
            # What the kernel sends, as for Ctrl-C, it has sent to the program too: both have the terminal.
            on_resize()


def exit_code(status: int) -> int:
    """Return what a shell makes of a status: 128 + n for signal n."""
    return status if status >= 0 else 128 - status
