"""Puts calls of an adapter's before and after functions of a framework, which nobody has to call then."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

from runhaven import session

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("runhaven")

_MARK = "_runhaven_calls"


def call_before(owner: Any, name: str, act: Callable[..., tuple[tuple[Any, ...], dict[str, Any]] | None]) -> None:
    """Have a function called before one of a framework's, with the same arguments; a second time changes nothing.

    An exception in it is said once, and does not reach the program: in strict mode neither, for the program has called
    nothing of ours that it could mend.

    Args:
        owner: The module or class that has the framework's function.
        name: The function's name.
        act: The function to call. It may return other arguments, `(args, kwargs)`, for the framework's.
    """

    def around(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            args, kwargs = _safely(act, args, kwargs) or (args, kwargs)
            return original(*args, **kwargs)

        return call

    _replace(owner, name, act, around)


def call_after(owner: Any, name: str, act: Callable[..., None]) -> None:
    """Have a function called after one of a framework's has returned; everything else is as with `call_before`."""

    def around(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            _safely(act, args, kwargs)
            return result

        return call

    _replace(owner, name, act, around)


def _replace(
    owner: Any, name: str, act: Callable[..., Any], around: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    original = getattr(owner, name)
    calls = getattr(original, _MARK, ())
    if act in calls:
        return
    call = functools.wraps(original)(around(original))
    setattr(call, _MARK, (*calls, act))
    setattr(owner, name, call)


def _safely(act: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        return act(*args, **kwargs)
    except Exception as error:
        session.notices().warn(
            f"{act.__module__} could not take part in what the program does: {error!r}. The program goes on, and what "
            "would have been logged of this is missing.",
            about=act.__module__,
        )
        logger.debug("%s failed", act.__qualname__, exc_info=True)
        return None
