"""Keeps the run of a program that does not do so itself: its console and how it ended."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from runhaven import session
from runhaven.capture.signals import NAMES
from runhaven.errors import RunhavenError
from runhaven.sealed.view import read_view
from runhaven.store.layout import RunDirectory
from runhaven_cli.launching.process import block_signals, exit_code, start, wait
from runhaven_cli.launching.relay import Relay

if TYPE_CHECKING:
    from runhaven import Run
    from runhaven.launched import Launch
    from runhaven_cli.launching.command import Command


def keep_outside(command: Command, launch: Launch) -> int:
    """Run a program that opens no run itself in a run of this process's; return its status."""
    block_signals()
    run = _open(command, launch)
    if run.identity.directory is not None:
        launch.note_run(run.identity.directory)
    lifetime = run.lifetime
    relay = Relay(lifetime.keep_output if lifetime is not None else _forget_output)
    pid = start(command, launch, relay.outputs)
    relay.begin()
    status = wait(pid, relay.resize)
    relay.end()
    if status < 0 and lifetime is not None and signal.Signals(-status).name in NAMES:
        # A run that was killed or preempted has no exit code.
        lifetime.note_signal(-status)
        session.forget(run)
    else:
        run.finish(exit_code(status))
    return status


def _open(command: Command, launch: Launch, **settings: bool) -> Run:
    sys.argv = command.argv
    try:
        return session.init(**launch.arguments, id=launch.id, resume="allow", settings=settings)
    except RunhavenError as error:
        run = session.open_unkept()
        run.notices.warn(f"no run could be opened: {error} The program runs, and nothing of it is kept.")
        return run


def _forget_output(stream: str, text: str) -> None:
    """Keep nothing."""


def keep_inside(command: Command, launch: Launch) -> int:
    """Run a Python program that opens the run itself; return its status."""
    block_signals()
    status = wait(start(command, launch, {}))
    _settle(command, launch, status)
    return status


def _settle(command: Command, launch: Launch, status: int) -> None:
    """See to it that the run of a program that has ended says how, where the program could not say so itself.

    Args:
        command: The program.
        launch: Where it noted its run.
        status: How it ended, -n for signal n.
    """
    directory = launch.noted_run()
    if directory is None:
        run = _open(command, launch)
        run.notices.warn("the program opened no run; its exit code is kept, its console is not.")
        run.finish(exit_code(status))
        return
    newest = read_view(RunDirectory(directory)).newest
    if status < 0 or newest is None or newest.exit_code is not None or newest.signal is not None:
        return
    own = RunDirectory(directory).manifest()
    home = {"entity": own.entity, "project": own.project}
    _open(command, replace(launch, arguments=home, id=own.id), silent=True, code=False).finish(status)
