"""Keeps an adapter's errors out of the training."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

logger = logging.getLogger("runhaven")


class Judge(Protocol):
    """Decides what becomes of an adapter's error."""

    def on_error(self, doing: str, error: Exception) -> None:
        """Raise it, or say it once."""
        ...


class Holder(Protocol):
    """An object of an adapter's that has methods which a framework calls."""

    @property
    def adapter(self) -> Judge:
        """What decides."""
        ...


_P = ParamSpec("_P")
_R = TypeVar("_R")
_H = TypeVar("_H", bound=Holder)


def guarded(doing: str) -> Callable[[Callable[Concatenate[_H, _P], _R]], Callable[Concatenate[_H, _P], _R | None]]:
    """Make a method that a framework calls unable to disturb it.

    An exception in the method goes to `self.adapter`, which warns once and lets the training go on, or raises in strict
    mode; the method then returns None.

    Args:
        doing: What the method does, for the warning: "log metrics".
    """

    def wrap(method: Callable[Concatenate[_H, _P], _R]) -> Callable[Concatenate[_H, _P], _R | None]:
        @functools.wraps(method)
        def call(self: _H, /, *args: _P.args, **kwargs: _P.kwargs) -> _R | None:
            try:
                return method(self, *args, **kwargs)
            except Exception as error:  # noqa: BLE001 - no exception of ours reaches training
                self.adapter.on_error(doing, error)
                return None

        return call

    return wrap


class Guard:
    """The same for a block of code: `with adapter.guard("log metrics"):`."""

    __slots__ = ("_doing", "_judge")

    def __init__(self, judge: Judge, doing: str) -> None:
        """Name who decides, and what is being done."""
        self._judge = judge
        self._doing = doing

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> bool:
        """Hand an exception over, and go on behind the block."""
        if isinstance(exc_val, Exception):
            self._judge.on_error(self._doing, exc_val)
            return True
        return False
