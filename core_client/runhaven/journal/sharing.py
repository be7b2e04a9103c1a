"""Work that two threads share: what spends its time outside of Python's lock takes half as long where two cores are free."""

from __future__ import annotations

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
    if not is_much:
        for item in items:
            work(item)
        return
    from concurrent.futures import ThreadPoolExecutor

    drawing = threading.Lock()

    def go_on() -> None:
        while True:
            with drawing:
                item = next(items, None)
            if item is None:
                return
            work(item)

    with ThreadPoolExecutor(1) as pool:
        try:
            helper = pool.submit(go_on)
        except RuntimeError:
            # A process that ends begins no thread any more.
            helper = None
        try:
            go_on()
        finally:
            with drawing:
                items.close()
        if helper is not None:
            helper.result()
