"""Reads many runs in a second process, while this one writes into the tables those that were read before."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import subprocess
import sys
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from runhaven.catalogue.looking import Followed, Look
    from runhaven.catalogue.record import Reading

_AT_ONCE = 500
_WORTH_A_PROCESS = 2000
"""Fewer runs are read before a process has started."""
_PROGRAM = "from runhaven.catalogue.ahead import serve; serve()"


def readings(
    look: Look, ulids: Sequence[str], followed: dict[str, Followed]
) -> Generator[Mapping[str, Reading | None]]:
    """Read runs, some at a time; what a second process cannot be had for is read by this one.

    Args:
        look: Reads them.
        ulids: The runs.
        followed: Runs that were read before and may still grow; kept up to date. A second process follows none: what
            may still grow is read here the next time.
    """
    batches = [ulids[at : at + _AT_ONCE] for at in range(0, len(ulids), _AT_ONCE)]
    is_worth = len(ulids) >= _WORTH_A_PROCESS and (os.cpu_count() or 1) > 1
    with _second_process(look, batches) if is_worth else contextlib.nullcontext(iter(())) as ahead:
        for batch in batches:
            yield next(ahead, None) or {ulid: look.read(ulid, followed) for ulid in batch}


@contextlib.contextmanager
def _second_process(look: Look, batches: list[Sequence[str]]) -> Generator[Iterator[dict[str, Reading | None]]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        process = subprocess.Popen(  # noqa: S603 - Python itself
            [sys.executable, "-c", _PROGRAM],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, ValueError):
        yield iter(())
        return
    with process:
        try:
            yield _received(process, (look, batches))
        finally:
            process.kill()


def _received(process: subprocess.Popen[bytes], work: object) -> Iterator[dict[str, Reading | None]]:
    """Yield what a process answers, until it ends, be it too early."""
    questions, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    # Start-up code of a site may print, and then no pickle comes; whatever goes wrong, the runs can be read here.
    with contextlib.suppress(Exception):
        with questions:
            pickle.dump(work, questions)
        while True:
            yield pickle.load(answers)  # noqa: S301 - from a process of ours


def serve() -> None:
    """Answer the one question that comes in: read these runs."""
    # It ends soon; the collector would look again and again at what thousands of runs are read into.
    gc.disable()
    look, batches = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    for batch in batches:
        followed: dict[str, Followed] = {}
        pickle.dump({ulid: look.read(ulid, followed) for ulid in batch}, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.flush()
        for known in followed.values():
            known.let_go()
