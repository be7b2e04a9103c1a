"""Experiment tracking for machine learning that lives in a directory.

    import runhaven

    run = runhaven.init(project="digits", config={"lr": 1e-3})
    for step in range(100):
        run.log({"loss": 1 / (step + 1)})
    run.finish()

Then `runhaven ui` shows the curves. There is no account, no server and no network.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runhaven._alert import AlertLevel
    from runhaven._config import Config
    from runhaven._run import Run
    from runhaven._summary import Summary
    from runhaven.api import Api
    from runhaven.errors import CommError, ConfigError, Error, NotFoundError, RunhavenError, StoreError, UsageError
    from runhaven.metric import Metric
    from runhaven.saving import Policy
    from runhaven.session import attach, finish, init, login, setup, teardown
    from runhaven.settings import Settings

    run: Run | None
    config: Config
    summary: Summary

__all__ = [
    "AlertLevel",
    "Api",
    "CommError",
    "Config",
    "ConfigError",
    "Error",
    "Metric",
    "NotFoundError",
    "Run",
    "RunhavenError",
    "Settings",
    "StoreError",
    "Summary",
    "UsageError",
    "alert",
    "attach",
    "config",
    "define_metric",
    "finish",
    "init",
    "log",
    "login",
    "mark_preempting",
    "run",
    "save",
    "setup",
    "summary",
    "teardown",
    "unwatch",
    "watch",
]

_HOMES = {
    "AlertLevel": "runhaven._alert",
    "Api": "runhaven.api",
    "Config": "runhaven._config",
    "Metric": "runhaven.metric",
    "Run": "runhaven._run",
    "Settings": "runhaven.settings",
    "Summary": "runhaven._summary",
} | dict.fromkeys(
    ("CommError", "ConfigError", "Error", "NotFoundError", "RunhavenError", "StoreError", "UsageError"),
    "runhaven.errors",
)
_SESSION = ("attach", "finish", "init", "login", "setup", "teardown")


def log(data: Mapping[str, Any], step: int | None = None, commit: bool | None = None, sync: bool | None = None) -> None:
    """Keep a row of values in the current run; see `Run.log`.

    Raises:
        UsageError: If there is no run.
    """
    _session().required().log(data, step, commit, sync)


def define_metric(  # noqa: PLR0913 - W&B's signature
    name: str,
    step_metric: str | Metric | None = None,
    step_sync: bool | None = None,
    hidden: bool | None = None,
    summary: str | Sequence[str] | None = None,
    overwrite: bool | None = None,
    *,
    goal: str | None = None,
) -> Metric:
    """Say how series of the current run are drawn and summed up; see `Run.define_metric`.

    Raises:
        UsageError: If there is no run, or a word is not known.
    """
    return _session().required().define_metric(name, step_metric, step_sync, hidden, summary, overwrite, goal=goal)


def save(
    glob_str: str | None = None,
    base_path: str | None = None,
    policy: Policy = "live",
    glob: bool = True,
) -> list[str]:
    """Copy files into the current run; see `Run.save`.

    Raises:
        UsageError: If there is no run, the policy is not known, or a file lies outside `base_path`.
    """
    return _session().required().save(glob_str, base_path, policy, glob)


def alert(
    title: str, text: str = "", level: str | AlertLevel | None = None, wait_duration: float | None = None
) -> None:
    """Keep an alert of the current run and print it; see `Run.alert`.

    Raises:
        UsageError: If there is no run.
    """
    _session().required().alert(title, text, level, wait_duration)


def mark_preempting() -> None:
    """Note that the machine of the current run is about to be taken away; see `Run.mark_preempting`.

    Raises:
        UsageError: If there is no run.
    """
    _session().required().mark_preempting()


def watch(models: Any, criterion: Any = None, *arguments: Any, **options: Any) -> None:
    """Keep histograms of a PyTorch model's gradients in the current run; see `Run.watch`.

    Raises:
        UsageError: If there is no run.
    """
    _session().required().watch(models, criterion, *arguments, **options)


def unwatch(models: Any = None) -> None:
    """Stop watching some models of the current run, or all.

    Raises:
        UsageError: If there is no run.
    """
    _session().required().unwatch(models)


def _session() -> Any:
    return importlib.import_module("runhaven.session")


def __getattr__(name: str) -> Any:
    """Load a public name at its first use, so that `import runhaven` stays quick."""
    if name == "run":
        return _session().current()
    if name in ("config", "summary"):
        return getattr(_session().required(), name)
    if name in _SESSION:
        return getattr(_session(), name)
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    message = f"module 'runhaven' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
