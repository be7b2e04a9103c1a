"""Keeps every fit without a call: `autolog()` once, at the top of a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven_integrations.sklearn.autolog.keeping import Keeper
from runhaven_integrations.sklearn.autolog.patching import Patches

if TYPE_CHECKING:
    from runhaven import Run
    from runhaven.adapter import LogModel

_patches: Patches | None = None


def autolog(
    *,
    disable: bool = False,
    log_model: LogModel = False,
    log_iterations: bool = False,
    most_rows: int = 10_000,
    run: Run | None = None,
    strict: bool | None = None,
    **init_arguments: Any,
) -> None:
    """Keep each `fit` of an estimator: its parameters, metrics on what it was fitted on, and what `score` says later.

    One event for the outermost `fit`: of a pipeline, a search or a forest, what it fits within says nothing. Transformers alone,
    cross-validation and learning curves are silent. Fits go into the active run; where there is none, each gets a run of
    its own. A second call replaces the first.

    Args:
        disable: Undo it all.
        log_model: Whether fitted models become artifacts of the type "model".
        log_iterations: Whether estimators that support scikit-learn's callbacks log the metrics after each iteration, too.
        most_rows: On how many rows, evenly chosen, the metrics are computed at most.
        run: A run to log into.
        strict: Whether errors of ours are raised; by default the setting `strict` says.
        **init_arguments: Arguments of `runhaven.init()` for the runs.

    Raises:
        TypeError: If `init()` has no argument of such a name.
        UsageError: If `log_model` is not known, or `init()` would refuse a value.
    """
    global _patches  # noqa: PLW0603 - the process has one scikit-learn to patch
    if _patches is not None:
        _patches.undo()
        _patches = None
    if not disable:
        keeper = Keeper(
            run=run, strict=strict, log_model=log_model, log_iterations=log_iterations, most_rows=most_rows, **init_arguments
        )  # fmt: skip
        _patches = Patches(keeper)
