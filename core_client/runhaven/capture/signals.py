"""Hears the signals that end a process even while its main thread is busy in C, and wakes the background thread."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

NAMES = ("SIGTERM", "SIGUSR1", "SIGHUP")


class SignalWatch:
    """A pair of sockets that one thread selects on: signals arrive there, and so do the wake calls of other threads."""

    def __init__(self) -> None:
        """Open the channel; watches no signal yet."""
        self._open()
        self._watched: list[int] = []

    def _open(self) -> None:
        self._reading, self._writing = socket.socketpair()
        for end in (self._reading, self._writing):
            end.settimeout(0)

    def install(self) -> bool:
        """Watch the signals that nobody handles yet; False if that is not possible here.

        Only the main thread can, and only while no one else, such as asyncio, has a wakeup descriptor.
        """
        if threading.current_thread() is not threading.main_thread():
            return False
        held = signal.set_wakeup_fd(-1)
        if held != -1:
            signal.set_wakeup_fd(held, warn_on_full_buffer=False)
            return False
        for name in NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._handle)
                self._watched.append(int(number))
        if self._watched:
            signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
        return bool(self._watched)

    def _handle(self, number: int, _: FrameType | None) -> None:
        """Do nothing: the background thread acts on the byte that the signal left in the channel."""

    def fileno(self) -> int:
        """Return the descriptor to select on."""
        return self._reading.fileno()

    def read(self) -> list[int]:
        """Return the numbers of the signals that came."""
        try:
            data = self._reading.recv(4096)
        except (BlockingIOError, OSError):
            return []
        return [number for number in data if number in self._watched]

    def wake(self) -> None:
        """Make the descriptor readable; safe from any thread and from signal handlers, never waits."""
        with contextlib.suppress(OSError):
            self._writing.send(b"\0")

    def die(self, number: int) -> None:
        """End the process by a signal that was watched, unless somebody else handles it by now.

        The default action is restored below Python, since only the main thread may do so within, and it may be busy.
        """
        if signal.getsignal(number) != self._handle:
            return
        import ctypes

        with contextlib.suppress(AttributeError, OSError):
            restore = ctypes.CDLL(None).signal
            restore.argtypes, restore.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
            restore(number, None)
            os.kill(os.getpid(), number)

    def uninstall(self) -> None:
        """Stop watching and close the channel."""
        if threading.current_thread() is threading.main_thread():
            for number in self._watched:
                if signal.getsignal(number) == self._handle:
                    signal.signal(number, signal.SIG_DFL)
            if self._watched:
                self._leave_wakeup()
        self._watched = []
        self._reading.close()
        self._writing.close()

    def _leave_wakeup(self) -> None:
        held = signal.set_wakeup_fd(-1)
        if held not in (-1, self._writing.fileno()):
            signal.set_wakeup_fd(held, warn_on_full_buffer=False)

    def after_fork(self) -> None:
        """Let go, in a forked child, of the channel that it shares with its parent."""
        self.uninstall()
