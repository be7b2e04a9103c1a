"""The background thread of a run, as it ends."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from runhaven.background import Background, Task
from runhaven.capture.signals import SignalWatch

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture
def background() -> Generator[Background]:
    channel = SignalWatch()
    made = Background(channel, [Task(600.0, lambda: None)], on_signal=print)
    made.start()
    yield made
    channel.uninstall()


@pytest.mark.skipif(sys.platform != "linux", reason="what a thread has done is known on Linux")
def test_a_thread_that_works_is_waited_for(background, monkeypatch):
    """What takes longer than the patience, and goes on all the while, is no hang."""
    waits: list[float] = []
    join = background._thread.join
    monkeypatch.setattr(background._thread, "join", lambda timeout: waits.append(timeout) or join(timeout))

    def work() -> None:
        while len(waits) < 3:
            pass

    assert background.stop(work, timeout_s=2.0)
    assert len(waits) == 3


def test_a_thread_that_hangs_is_left(background):
    """What does nothing at all is not waited for any longer than the patience."""
    answers = threading.Event()

    assert not background.stop(answers.wait, timeout_s=0.2)
    answers.set()
    background._thread.join()
