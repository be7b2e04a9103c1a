"""Work that two threads share: what spends its time outside of Python's lock takes half as long where two cores are free."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")


def share(work: Callable[[T], None], items: Generator[T, None, None], *, is_much: bool) -> None:
    """Do some work for each item; if it is much, on another thread beside this one, each taking the next item in turn.

    Args:
        work: What to do; on two threads at once.
        items: The items; drawn by one thread at a time.
        is_much: Whether it takes longer than a thread takes to begin.
    """
    drawing = threading.Lock()
    failures: list[BaseException] = []

    def go_on() -> None:
        try:
            while True:
                with drawing:
                    item = next(items, None)
                if item is None:
                    return
                work(item)
        except BaseException as error:  # noqa: BLE001 - raised below, whichever thread met it
            failures.append(error)
            with drawing:
                items.close()

    helper = threading.Thread(target=go_on, name="runhaven-share", daemon=True)
    if is_much:
        # A process that ends may begin no thread any more.
        with contextlib.suppress(RuntimeError):
            helper.start()
    go_on()
    if helper.is_alive():
        helper.join()
    if failures:
        raise failures[0]
