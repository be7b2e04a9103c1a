"""Begins the run in a Python program that `runhaven run` started, before the program's first line."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runhaven import launched, session
from runhaven.launch import framework
from runhaven.notice import Notices
from runhaven.rank import detect

if TYPE_CHECKING:
    from runhaven.launched import Launch

logger = logging.getLogger("runhaven")

_RANK_LAUNCHERS = frozenset({"accelerate", "deepspeed", "torchrun"})
_RANK_LAUNCHER_MODULES = frozenset({"accelerate.commands.launch", "torch.distributed.launch", "torch.distributed.run"})


def begin() -> None:
    """Set up the adapters, and open the run if this is the program that was asked for; never raises."""
    launch = launched.current()
    if launch is None or _is_worker(sys.orig_argv):
        return
    try:
        _begin(launch)
    except Exception as error:
        Notices().warn(f"no run was opened: {error} The program goes on without.")
        logger.debug("the run could not be begun", exc_info=True)


def _begin(launch: Launch) -> None:
    is_program = os.getppid() == launch.parent
    if is_program and starts_ranks(sys.orig_argv):
        os.environ |= launch.below(os.getpid()).publish()
        return
    if launch.keeper == "launcher":
        framework.await_all()
    elif is_program or not detect().is_first:
        framework.await_all()
        _open(launch)


def _open(launch: Launch) -> None:
    run = session.init(**launch.arguments, id=launch.id, resume="allow")
    run.opened_by = launched.OPENED_BY
    if run.role == "main" and run.identity.directory is not None:
        launch.note_run(run.identity.directory)


def starts_ranks(argv: list[str]) -> bool:
    """Tell whether a Python process only starts the ranks of a training.

    Args:
        argv: Its command line, beginning with the interpreter.
    """
    words = argv[1:]
    while words and words[0].startswith("-") and words[0] not in ("-m", "-c", "-"):
        words = words[2:] if words[0] in ("-W", "-X") else words[1:]
    if words[:1] == ["-m"]:
        return words[1:2] != [] and words[1] in _RANK_LAUNCHER_MODULES
    return words[:1] != [] and Path(words[0]).name in _RANK_LAUNCHERS


def _is_worker(argv: list[str]) -> bool:
    """Tell whether `multiprocessing` started this process, which is no program of its own."""
    return any(word.startswith(("--multiprocessing-fork", "from multiprocessing.")) for word in argv)
