from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

import runhaven
from runhaven.platform.process import ProcessIdentity
from runhaven.store.liveness import STALE_AFTER_US, Signs, state

PROCESS = ProcessIdentity("host", "boot", "ns", 1, 2)
NOW = 10 * STALE_AFTER_US
FRESH, STALE = NOW - 1, NOW - STALE_AFTER_US - 1


@pytest.mark.parametrize(
    ("signs", "alive", "expected"),
    [
        (Signs(PROCESS, FRESH), True, "running"),
        (Signs(PROCESS, STALE), True, "running"),
        (Signs(PROCESS, FRESH), False, "crashed"),
        (Signs(PROCESS, FRESH), None, "running"),
        (Signs(PROCESS, STALE), None, "lost"),
        (Signs(None, FRESH), None, "running"),
        (Signs(None, STALE), None, "lost"),
        (Signs(PROCESS, STALE, exit_code=0), False, "finished"),
        (Signs(PROCESS, STALE, exit_code=3), False, "failed"),
        (Signs(PROCESS, STALE, exit_code=1, signal="SIGTERM"), False, "failed"),
        (Signs(PROCESS, FRESH, signal="SIGTERM"), False, "killed"),
        (Signs(PROCESS, FRESH, signal="SIGUSR1"), False, "preempted"),
        (Signs(PROCESS, FRESH, signal="SIGTERM", is_preempting=True), False, "preempted"),
        (Signs(PROCESS, FRESH, is_preempting=True), True, "running"),
        (Signs(PROCESS, FRESH, is_preempting=True), False, "preempted"),
        (Signs(PROCESS, STALE, is_preempting=True), None, "preempted"),
    ],
)
def test_signs_come_to_a_state(signs, alive, expected):
    """The end that was written counts first, then whether the process lives, then how old its newest record is."""
    assert state(signs, now_us=NOW, is_alive=lambda _: alive) == expected


def test_a_process_is_only_asked_about_where_it_matters():
    """A run that said how it ended is not looked for."""

    def is_alive(_):
        pytest.fail("asked")

    assert state(Signs(PROCESS, STALE, exit_code=0), now_us=NOW, is_alive=is_alive) == "finished"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGKILL, "crashed"), (signal.SIGTERM, "killed")])
def test_a_killed_process_is_seen_at_once(number, expected, store):
    """A run is running until its process is killed, and is over the moment it is gone."""
    code = (
        "import time, runhaven\n"
        "run = runhaven.init(project='p', id='x'); run.log({'a': 1}); print('ready', flush=True); time.sleep(600)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    with process, process.stdout:
        process.stdout.readline()
        run = runhaven.Api(store).run("x")
        before = run.state
        process.send_signal(number)
        process.wait()

    assert before == "running"
    assert run.state == expected
    assert run.summary["a"] == 1
