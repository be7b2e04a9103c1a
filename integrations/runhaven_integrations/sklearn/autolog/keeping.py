"""Logs what is told of fits."""

from __future__ import annotations

import tempfile
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.adapter import Adapter, Checkpoints
from runhaven.media.table import Table
from runhaven_integrations.sklearn.autolog import telling
from runhaven_integrations.sklearn.autolog.iterations import Iterations
from runhaven_integrations.sklearn.framework import joblib

if TYPE_CHECKING:
    from collections.abc import Callable

    from runhaven import Run
    from runhaven.adapter import LogModel


class Begun(NamedTuple):
    """A fit that is under way.

    Attributes:
        started_s: When, by a clock that only counts.
        iterations: What logs its iterations; None if nothing does.
    """

    started_s: float
    iterations: Iterations | None


class Keeper:
    """Puts each fit and each score into a run.

    Attributes:
        adapter: Holds the run, and keeps errors of ours from the fit.
    """

    def __init__(
        self,
        *,
        run: Run | None,
        strict: bool | None,
        log_model: LogModel,
        log_iterations: bool,
        most_rows: int,
        **init_arguments: Any,
    ) -> None:
        """Prepare; see `autolog`.

        Raises:
            TypeError: If `init()` has no argument of such a name.
            UsageError: If `log_model` is not known, or `init()` would refuse a value.
        """
        self.adapter = Adapter("runhaven.sklearn.autolog", run=run, strict=strict, **init_arguments)
        self._checkpoints = Checkpoints(self.adapter, log_model="all" if log_model else log_model)
        self._logs_model = bool(log_model)
        self._logs_iterations = log_iterations
        self._most_rows = most_rows
        self._fitted_on: weakref.WeakKeyDictionary[Any, Callable[[], Any]] = weakref.WeakKeyDictionary()

    def begin(self, estimator: Any) -> Begun:
        """Note when a fit begins."""
        iterations = None
        with self.adapter.guard("follow the iterations of a fit"):
            if self._logs_iterations:
                self._make_room()
                iterations = Iterations.put_on(estimator, self.adapter, most_rows=self._most_rows)
        return Begun(time.perf_counter(), iterations)

    def end(self, begun: Begun, estimator: Any, data: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Keep a fit."""
        seconds = time.perf_counter() - begun.started_s
        if begun.iterations is not None:
            begun.iterations.take_off(estimator)
        if not telling.is_told(estimator):
            return
        with self.adapter.guard("keep a fit"):
            if begun.iterations is None:
                self._make_room()
            self._keep(estimator, *telling.data_of(data, options), seconds)

    def failed(self, begun: Begun, estimator: Any) -> None:
        """Note that a fit raised."""
        if begun.iterations is not None:
            begun.iterations.take_off(estimator)
        if telling.is_told(estimator):
            with self.adapter.guard("note that a fit failed"):
                self.adapter.configure(telling.parameters(estimator))
                self.adapter.note_outcome(has_failed=True)

    def scored(self, estimator: Any, data: tuple[Any, ...], score: Any) -> None:
        """Keep what `score` said, as "train/score" if it was asked about what the estimator was fitted on, else as "test/score"."""
        with self.adapter.guard("keep a score"):
            if estimator not in self._fitted_on or not data:
                return
            part = "train" if self._fitted_on[estimator]() is data[0] else "test"
            self.adapter.run.log({f"{part}/score": float(score)})

    def _make_room(self) -> None:
        """Let a fit outside of any run have one of its own."""
        run = self.adapter.joined
        if run is not None and run.opened_by == self.adapter.name:
            self.adapter.start_over()

    def _keep(self, estimator: Any, features: Any, target: Any, weights: Any, seconds: float) -> None:
        adapter = self.adapter
        adapter.configure(telling.parameters(estimator))
        row: dict[str, Any] = {
            "estimator": type(estimator).__name__,
            "fit_seconds": seconds,
            **telling.facts(estimator),
        }
        if features is not None:
            row |= {f"train/{name}": value for name, value in telling.shape_of(features).items()}
            found = telling.measure(estimator, features, target, weights, most=self._most_rows)
            row |= {f"train/{name}": value for name, value in found.items()}
        table = telling.search_table(estimator)
        if table is not None:
            adapter.configure({"best_params": getattr(estimator, "best_params_", None)})
            row["cv_results"] = Table(columns=[*table[0]], data=table[1], allow_mixed_types=True)
        adapter.run.log(row)
        self._fitted_on[estimator] = _reference(features)
        adapter.note_outcome(has_failed=False)
        if self._logs_model:
            self._log_model(estimator)

    def _log_model(self, estimator: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.joblib"
            joblib.dump(estimator, path)
            self._checkpoints.saved(path, estimator=type(estimator).__name__)


def _reference(data: Any) -> Callable[[], Any]:
    """Return what finds data again without keeping them alive; a list, which cannot be pointed at so, is not found."""
    try:
        return weakref.ref(data)
    except TypeError:
        return object
