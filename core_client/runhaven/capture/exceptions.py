"""Notices how a process ends: uncaught exceptions, in any thread, and the exit code."""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from runhaven.redaction import redact_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_MAX_TRACEBACK = 64 << 10
_INTERRUPTED = 255


def describe_exception(error: BaseException) -> dict[str, Any]:
    """Return type, message and traceback of an exception, redacted; never its variables."""
    text = "".join(traceback.format_exception(error))
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return {
        "type": name,
        "message": redact_text(str(error)),
        "traceback": redact_text(text[-_MAX_TRACEBACK:]),
        "thread": threading.current_thread().name,
    }


class ExceptionCapture:
    """Stands before `sys.excepthook`, `threading.excepthook`, `sys.exit` and IPython's handler, and passes all on.

    Attributes:
        exit_code: 0, the code of `sys.exit`, 1 after an uncaught exception, 255 after Ctrl-C.
    """

    def __init__(self, on_exception: Callable[[dict[str, Any]], None]) -> None:
        """Prepare; `install` begins.

        Args:
            on_exception: Called with `describe_exception` and whether it ended the process ("fatal").
        """
        self.exit_code = 0
        self._on_exception = on_exception

    def install(self) -> None:
        """Begin to notice."""
        self._excepthook, self._thread_hook, self._exit = sys.excepthook, threading.excepthook, sys.exit
        sys.excepthook, threading.excepthook, sys.exit = self._on_uncaught, self._on_thread, self._on_exit
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        if shell is not None:
            shell.events.register("post_run_cell", self._on_cell)

    def uninstall(self) -> None:
        """Put back what stood there, where it is still ours."""
        if sys.excepthook == self._on_uncaught:
            sys.excepthook = self._excepthook
        if threading.excepthook == self._on_thread:
            threading.excepthook = self._thread_hook
        if sys.exit == self._on_exit:
            sys.exit = self._exit

    def _tell(self, error: BaseException, *, is_fatal: bool) -> None:
        # Nothing may come between an exception and its report.
        with contextlib.suppress(Exception):
            self._on_exception({**describe_exception(error), "fatal": is_fatal})

    def _on_uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self.exit_code = _INTERRUPTED if issubclass(kind, KeyboardInterrupt) else 1
        self._tell(error, is_fatal=True)
        self._excepthook(kind, error, trace)

    def _on_thread(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None and arguments.exc_type is not SystemExit:
            self._tell(arguments.exc_value, is_fatal=False)
        self._thread_hook(arguments)

    def _on_exit(self, status: Any = None) -> None:
        self.exit_code = 0 if status is None else status if isinstance(status, int) else 1
        self._exit(status)

    def _on_cell(self, result: Any) -> None:
        if result.error_in_exec is not None:
            self._tell(result.error_in_exec, is_fatal=False)
