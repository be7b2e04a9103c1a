"""Gives each `Accelerator` of a program below `runhaven run` that logs anything a tracker."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from runhaven.adapter import call_before


def set_up() -> None:
    """Have accelerators log into the run too."""
    accelerator = import_module("accelerate.accelerator").Accelerator
    call_before(accelerator, "init_trackers", _add_tracker)
    call_before(accelerator, "log", _start_tracker)


def _add_tracker(accelerator: Any, *_: Any, **__: Any) -> None:
    """Add a tracker to those that are about to be made, unless one of ours is among them or at work."""
    if not _has_ours(accelerator):
        accelerator.log_with.append(_tracker())


def _start_tracker(accelerator: Any, *_: Any, **__: Any) -> None:
    """Add a tracker where a program logs that has made none: without `log_with` nobody need call `init_trackers`."""
    if not accelerator.trackers:
        tracker = _tracker()
        accelerator.trackers.append(tracker)
        tracker.start()


def _has_ours(accelerator: Any) -> bool:
    # A tracker that is not made yet is a name.
    return any(getattr(each, "name", each) == "runhaven" for each in (*accelerator.log_with, *accelerator.trackers))


def _tracker() -> Any:
    # What the program does not need until now.
    from runhaven_integrations.accelerate.tracker import RunhavenTracker

    return RunhavenTracker()
