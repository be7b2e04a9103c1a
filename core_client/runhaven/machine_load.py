"""The load of this machine, kept beside a run by whichever of the run's processes here is elected."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from runhaven.capture import environment
from runhaven.platform.lock import FileLock
from runhaven.recorder import Recorder
from runhaven_gpu_monitor.sampler import Sampler, default_sources
from runhaven_gpu_monitor.usage import Usage, describe, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from runhaven.recorder import Journal
    from runhaven_gpu_monitor.source import Incident

USAGE_INTERVAL_S = 9.0
"""A little less than the usual beat, so that each beat's sums are kept."""


class MachineLoad:
    """Samples the machine into a run: rows of readings, facts about the devices, and what was used so far."""

    def __init__(
        self,
        directory: Path,
        journal: Journal,
        *,
        interval_s: float,
        reads_engines: bool,
        emit: Callable[[dict[str, Any]], None],
        alert: Callable[[str, str, str], None],
    ) -> None:
        """Prepare; `start` begins.

        Args:
            directory: The run, where the lock of the election lies.
            journal: Where the rows go.
            interval_s: Seconds between two rows.
            reads_engines: Whether to read the GPUs' engines for video and pictures too.
            emit: Keeps an event.
            alert: Tells title, text and level of what went wrong with a device.
        """
        host = environment.host_name()
        self._stream = f"node={host}"
        self._emit = emit
        self._alert = alert
        self._recorder = Recorder(journal, stream=self._stream)
        self._usage: Usage | None = None
        self._kept_s = time.monotonic()
        self._is_kept = True
        self._lock = FileLock(directory / f"sampler-{host}.lock")
        self._sampler = Sampler(
            self._on_sample,
            interval_s=interval_s,
            sources=partial(default_sources, reads_engines=reads_engines),
            on_device=self._on_device,
            on_incident=self._on_incident,
            elect=self._lock.acquire,
        )

    def start(self) -> None:
        """Begin to sample, or to wait until this process is elected."""
        self._sampler.start()

    def stop(self) -> None:
        """End sampling at once, and keep what was used."""
        self._sampler.stop()
        if not self._is_kept:
            self._keep_usage()

    def after_fork(self) -> None:
        """Let go, in a forked child, of the lock: with it a data loader that outlives this process would keep others from sampling."""
        self._lock.release()

    def describe(self) -> list[str]:
        """Return what was used of the GPUs so far in a few words."""
        usage = {} if self._usage is None else summarise({("", ""): self._usage.record()})
        return describe(usage) if "gpu_count" in usage else []

    def _on_device(self, facts: dict[str, Any]) -> None:
        self._usage = Usage(facts["gpus"])
        self._emit({"event": "device", "stream": self._stream, "attributes": facts})

    def _on_sample(self, values: Mapping[str, float]) -> None:
        self._recorder.log(values, None, None)
        if self._usage is not None:
            self._usage.add(values)
            self._is_kept = False
            if time.monotonic() - self._kept_s >= USAGE_INTERVAL_S:
                self._keep_usage()

    def _keep_usage(self) -> None:
        if self._usage is not None:
            self._kept_s, self._is_kept = time.monotonic(), True
            self._emit({"event": "usage", "stream": self._stream, **self._usage.record()})

    def _on_incident(self, incident: Incident) -> None:
        self._alert(incident.title, incident.text, incident.level)
