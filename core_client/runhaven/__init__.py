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

import runhaven_autoload
from runhaven import finder

__version__ = "0.1.0"

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runhaven._alert import AlertLevel
    from runhaven._config import Config
    from runhaven._current import (
        finish_artifact,
        link_artifact,
        link_model,
        log_artifact,
        log_code,
        log_model,
        restore,
        unwatch,
        upsert_artifact,
        use_artifact,
        use_model,
        watch,
    )
    from runhaven._run import Run
    from runhaven._summary import Summary
    from runhaven.api import Api
    from runhaven.artifacts import Artifact, ArtifactTTL, Retention
    from runhaven.errors import CommError, ConfigError, Error, NotFoundError, RunhavenError, StoreError, UsageError
    from runhaven.media import (
        Audio,
        BoundingBoxes2D,
        Classes,
        Graph,
        Histogram,
        Html,
        Image,
        ImageMask,
        JoinedTable,
        Molecule,
        Object3D,
        PartitionedTable,
        Plotly,
        Table,
        Video,
        box3d,
        plot,
    )
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
    "Artifact",
    "ArtifactTTL",
    "Audio",
    "BoundingBoxes2D",
    "Classes",
    "CommError",
    "Config",
    "ConfigError",
    "Error",
    "Graph",
    "Histogram",
    "Html",
    "Image",
    "ImageMask",
    "JoinedTable",
    "Metric",
    "Molecule",
    "NotFoundError",
    "Object3D",
    "PartitionedTable",
    "Plotly",
    "Retention",
    "Run",
    "RunhavenError",
    "Settings",
    "StoreError",
    "Summary",
    "Table",
    "UsageError",
    "Video",
    "alert",
    "attach",
    "box3d",
    "config",
    "define_metric",
    "finish",
    "finish_artifact",
    "init",
    "link_artifact",
    "link_model",
    "log",
    "log_artifact",
    "log_code",
    "log_model",
    "login",
    "mark_preempting",
    "plot",
    "restore",
    "run",
    "save",
    "setup",
    "summary",
    "teardown",
    "unwatch",
    "upsert_artifact",
    "use_artifact",
    "use_model",
    "watch",
]

_MEDIA = (
    "Audio",
    "BoundingBoxes2D",
    "Classes",
    "Graph",
    "Histogram",
    "Html",
    "Image",
    "ImageMask",
    "JoinedTable",
    "Molecule",
    "Object3D",
    "PartitionedTable",
    "Plotly",
    "Table",
    "Video",
    "box3d",
    "plot",
)
_ERRORS = ("CommError", "ConfigError", "Error", "NotFoundError", "RunhavenError", "StoreError", "UsageError")
_OF_CURRENT_RUN = (
    "finish_artifact",
    "link_artifact",
    "link_model",
    "log_artifact",
    "log_code",
    "log_model",
    "restore",
    "unwatch",
    "upsert_artifact",
    "use_artifact",
    "use_model",
    "watch",
)
_HOMES = (
    {
        "AlertLevel": "runhaven._alert",
        "Api": "runhaven.api",
        "Artifact": "runhaven.artifacts",
        "ArtifactTTL": "runhaven.artifacts",
        "Retention": "runhaven.artifacts",
        "Config": "runhaven._config",
        "Metric": "runhaven.metric",
        "Run": "runhaven._run",
        "Settings": "runhaven.settings",
        "Summary": "runhaven._summary",
    }
    | dict.fromkeys(_ERRORS, "runhaven.errors")
    | dict.fromkeys(_MEDIA, "runhaven.media")
    | dict.fromkeys(_OF_CURRENT_RUN, "runhaven._current")
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
        # Found once: a name may be asked for at every step of a training.
        globals()[name] = found = getattr(importlib.import_module(_HOMES[name]), name)
        return found
    if not name.startswith("_") and finder.adapter_module(name) is not None:
        return importlib.import_module(f"runhaven.{name}")
    message = f"module 'runhaven' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)


finder.install()
runhaven_autoload.install()
