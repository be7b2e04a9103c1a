"""The sampler's beat, and the machine as it reads it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from waiting import until

from runhaven_gpu_monitor.sampler import Sampler, next_deadline
from runhaven_gpu_monitor.source import Tell


class Counting:
    """A source that counts its samples, and may fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.count = 0
        self.is_open = False
        self.fails = fails

    def open(self, tell: Tell) -> dict[str, Any] | None:
        self.is_open = True
        return {}

    def sample(self) -> dict[str, float]:
        if self.fails:
            message = "broken"
            raise RuntimeError(message)
        self.count += 1
        return {"count": float(self.count)}

    def close(self) -> None:
        self.is_open = False


def test_the_beat_does_not_drift():
    """The next deadline is the last one plus the interval; beats that were missed are left out."""
    assert next_deadline(10.0, interval_s=2.0, now=10.3) == 12.0
    assert next_deadline(10.0, interval_s=2.0, now=17.0) in (18.0, 20.0)


def test_it_samples_stops_at_once_and_closes_its_sources():
    """Rows come soon after the start; `stop` returns long before the next beat and nothing comes after it."""
    rows: list[dict[str, float]] = []
    source = Counting()
    sampler = Sampler(rows.append, interval_s=600, sources=lambda: [source])
    sampler.start()
    until(lambda: rows)
    started = time.monotonic()
    sampler.stop()
    took, seen = time.monotonic() - started, len(rows)
    time.sleep(0.1)

    assert took < 300
    assert len(rows) == seen
    assert not source.is_open


def test_a_broken_source_or_callback_hurts_nobody():
    """What raises costs its own part of a row; the thread goes on."""
    rows: list[dict[str, float]] = []

    def on_sample(row: dict[str, float]) -> None:
        rows.append(row)
        message = "callback"
        raise RuntimeError(message)

    sampler = Sampler(on_sample, interval_s=0.02, sources=lambda: [Counting(fails=True), Counting()])
    sampler.start()
    until(lambda: len(rows) > 3)
    sampler.stop()

    assert all("count" in row for row in rows)


def test_another_process_may_sample_instead():
    """Nothing is opened until the election is won; then sampling begins."""
    is_ours = threading.Event()
    rows: list[dict[str, float]] = []
    source = Counting()
    sampler = Sampler(rows.append, interval_s=0.02, sources=lambda: [source], elect=is_ours.is_set)
    sampler.start()
    time.sleep(1.3)
    assert not rows
    assert not source.is_open
    is_ours.set()
    until(lambda: rows)
    sampler.stop()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_does_not_sample():
    """In a child `stop` is harmless and nothing is sampled."""
    sampler = Sampler(lambda _: None, interval_s=0.05, sources=lambda: [Counting()])
    sampler.start()
    pid = os.fork()
    if pid == 0:
        sampler.stop()
        os._exit(7)
    _, status = os.waitpid(pid, 0)
    sampler.stop()

    assert os.waitstatus_to_exitcode(status) == 7


def test_importing_the_package_is_light():
    """The standard library is enough until sampling starts."""
    code = "import sys, runhaven_gpu_monitor, runhaven_gpu_monitor.sampler; print([m for m in ('psutil', 'pynvml') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
