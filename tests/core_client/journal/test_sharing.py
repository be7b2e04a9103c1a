"""Work that two threads share."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from runhaven.journal.sharing import share


def test_two_threads_share_the_work() -> None:
    """Two items are worked on at the same time, and each item once."""
    together = threading.Barrier(2, timeout=10)
    done: list[int] = []

    def work(item: int) -> None:
        if item < 2:
            together.wait()
        done.append(item)

    share(work, (item for item in range(50)), is_much=True)

    assert sorted(done) == list(range(50))


def test_little_work_stays_on_its_thread() -> None:
    """Where it is not worth a thread, none begins."""
    threads: list[int] = []

    share(lambda _: threads.append(threading.get_ident()), (item for item in range(5)), is_much=False)

    assert threads == [threading.get_ident()] * 5


def test_work_is_shared_at_the_end_of_a_process_too() -> None:
    """What runs when a process ends gets all its work done, whether or not a thread can begin by then."""
    code = (
        "import atexit\nfrom runhaven.journal.sharing import share\ndone = []\n"
        "def end():\n    share(done.append, (item for item in range(50)), is_much=True)\n    print(sum(done))\n"
        "atexit.register(end)\n"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    assert (found.stdout, found.stderr) == ("1225\n", "")


def test_work_is_done_alone_where_no_thread_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no other thread, this one does everything."""

    def refuse(_: threading.Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done: list[int] = []

    share(done.append, (item for item in range(5)), is_much=True)

    assert done == list(range(5))


@pytest.mark.parametrize("failing", ["this thread", "the other"])
def test_what_goes_wrong_on_either_thread_is_raised_here(failing: str) -> None:
    """An error of either thread reaches the caller, and the other thread ends."""
    together = threading.Barrier(2, timeout=10)
    own, before = threading.get_ident(), threading.active_count()

    def work(item: int) -> None:
        if item < 2:
            together.wait()
            if (threading.get_ident() == own) == (failing == "this thread"):
                message = "no memory"
                raise MemoryError(message)

    with pytest.raises(MemoryError, match="no memory"):
        share(work, (item for item in range(50)), is_much=True)

    assert threading.active_count() == before
