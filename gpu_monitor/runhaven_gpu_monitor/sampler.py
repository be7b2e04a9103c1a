"""The thread that reads the sources and hands each row of readings to a callback."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from runhaven_gpu_monitor.importing import imports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runhaven_gpu_monitor.source import Incident, Source

FIRST_SAMPLE_S = 1.0
LAST_SAMPLE_GAP_S = 1.0
_SHORTEST_INTERVAL_S = 0.01
_JOIN_S = 0.25
"""A last row takes some milliseconds; whoever takes longer hangs in a driver and is not waited for."""

_T = TypeVar("_T")


def default_sources(*, reads_engines: bool = False) -> list[Source]:
    """Return what reads this machine and its GPUs, with `reads_engines` those for video and pictures too."""
    with imports:
        from runhaven_gpu_monitor.amd import AmdSource
        from runhaven_gpu_monitor.host import HostSource
        from runhaven_gpu_monitor.nvml import NvmlSource
    return [HostSource(), NvmlSource(reads_engines=reads_engines), AmdSource()]


class Sampler:
    """Reads the machine's load at a steady beat, in a daemon thread.

    Nothing that goes wrong in a source or in a callback leaves the thread: it is logged once at debug level. In a
    forked child there is no such thread, and `stop` does nothing there.

    Args:
        on_sample: Gets each row of readings, in the sampler's thread.
        interval_s: Time between two rows. The first comes a second after the start, one more when it stops.
        sources: Called in the sampler's thread, returns what to read. Default: this machine and its GPUs.
        on_device: Gets the static facts (`host`, `gpus`, `cpu_count`, `memory_bytes`) once, before the first row.
        on_incident: Gets what happened to a device and a person should hear of.
        elect: Asked at each beat until it says True. Until then nothing is opened and nothing is read, because another
            process on this machine samples for the run.
    """

    def __init__(
        self,
        on_sample: Callable[[dict[str, float]], None],
        *,
        interval_s: float = 10.0,
        sources: Callable[[], Sequence[Source]] = default_sources,
        on_device: Callable[[dict[str, Any]], None] | None = None,
        on_incident: Callable[[Incident], None] | None = None,
        elect: Callable[[], bool] | None = None,
    ) -> None:
        self._on_sample = on_sample
        self._interval_s = max(interval_s, _SHORTEST_INTERVAL_S)
        self._sources = sources
        self._on_device = on_device
        self._on_incident = on_incident
        self._elect = elect
        self._stopping = threading.Event()
        self._is_abandoned = False
        self._complaints: set[str] = set()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()

    def start(self) -> None:
        """Begin to sample; a second call does nothing."""
        if self._thread is not None or self._pid != os.getpid():
            return
        thread = threading.Thread(target=self._run, name="runhaven-sampler", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the interpreter is shutting down
            self._complain("the sampler's thread could not start")
        else:
            self._thread = thread

    def stop(self) -> None:
        """End sampling at once, after one last row; nothing reaches the callbacks once this returns."""
        if self._thread is None or self._pid != os.getpid():
            return
        self._stopping.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_S)
        # A driver can hang for minutes: its late reading must not reach a run that has been closed meanwhile.
        self._is_abandoned = True

    def _run(self) -> None:
        try:
            if self._wait_for_election():
                self._sample_until_stopped()
        except Exception:  # noqa: BLE001 - nothing of ours may print in the user's process
            self._complain("the sampler ended")

    def _wait_for_election(self) -> bool:
        while not self._is_elected():
            if self._stopping.wait(self._interval_s):
                return False
        return not self._stopping.is_set()

    def _is_elected(self) -> bool:
        if self._elect is None:
            return True
        try:
            return self._elect()
        except Exception:  # noqa: BLE001 - the caller's function may raise anything
            self._complain("the election of a sampler failed")
            return False

    def _sample_until_stopped(self) -> None:
        sources: list[Source] = []
        try:
            self._report(self._open(sources))
            if sources:
                self._beat(sources)
        finally:
            for source in reversed(sources):
                self._close(source)

    def _open(self, opened: list[Source]) -> dict[str, Any]:
        device: dict[str, Any] = {"gpus": []}
        for source in self._sources():
            try:
                facts = source.open(self._tell)
            except Exception:  # noqa: BLE001 - a source may raise anything
                self._complain(f"{type(source).__name__} could not be opened")
            else:
                if facts is not None:
                    opened.append(source)
                    join_facts(device, facts)
        return device

    def _close(self, source: Source) -> None:
        try:
            source.close()
        except Exception:  # noqa: BLE001 - a source may raise anything
            self._complain(f"{type(source).__name__} could not be closed")

    def _report(self, device: dict[str, Any]) -> None:
        if self._on_device is not None:
            self._call(self._on_device, device, "the callback for the device failed")

    def _tell(self, incident: Incident) -> None:
        if self._on_incident is not None:
            self._call(self._on_incident, incident, "the callback for incidents failed")

    def _call(self, callback: Callable[[_T], None], argument: _T, complaint: str) -> None:
        if self._is_abandoned:
            return
        try:
            callback(argument)
        except Exception:  # noqa: BLE001 - the caller's function may raise anything
            self._complain(complaint)

    def _beat(self, sources: Sequence[Source]) -> None:
        last = time.monotonic()
        deadline = last + min(FIRST_SAMPLE_S, self._interval_s)
        while not self._stopping.wait(max(0.0, deadline - time.monotonic())):
            last = time.monotonic()
            self._sample(sources)
            deadline = next_deadline(deadline, interval_s=self._interval_s, now=time.monotonic())
        if time.monotonic() - last >= LAST_SAMPLE_GAP_S:
            self._sample(sources)

    def _sample(self, sources: Iterable[Source]) -> None:
        values: dict[str, float] = {}
        for source in sources:
            try:
                values.update(source.sample())
            except Exception:  # noqa: BLE001 - a source may raise anything
                self._complain(f"{type(source).__name__} could not be read")
        if values:
            self._call(self._on_sample, values, "the callback for readings failed")

    def _complain(self, message: str) -> None:
        if message in self._complaints:
            return
        self._complaints.add(message)
        with imports:
            import logging
        logging.getLogger("runhaven_gpu_monitor").debug("%s", message, exc_info=True)  # noqa: LOG014 - called from handlers; elsewhere there is nothing to add


def next_deadline(deadline: float, *, interval_s: float, now: float) -> float:
    """Return the first deadline of the same beat that still lies ahead.

    Args:
        deadline: The deadline just met; the beat is counted from it and not from `now`, so that it never drifts.
        interval_s: Length of a beat.
        now: The current time. Beats missed until then, while a driver hung, are left out.
    """
    missed = max(0.0, (now - deadline) // interval_s)
    return deadline + (missed + 1) * interval_s


def join_facts(device: dict[str, Any], facts: dict[str, Any]) -> None:
    """Take the facts of one source into those about the whole machine."""
    for key, value in facts.items():
        if isinstance(value, list):
            device.setdefault(key, []).extend(value)
        else:
            device[key] = value
