"""Follows a fit from within, where an estimator supports scikit-learn's callbacks (1.9 and newer)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven_integrations.sklearn.autolog import telling

if TYPE_CHECKING:
    from typing import Self

    from runhaven.adapter import Adapter


class Iterations:
    """A callback that logs the metrics after each iteration of a solver.

    Copies of the estimator that are fitted elsewhere take copies of it along, which keep nothing.
    """

    def __init__(self, adapter: Adapter | None, most_rows: int) -> None:
        """Be ready."""
        self._adapter = adapter
        self._most_rows = most_rows

    @classmethod
    def put_on(cls, estimator: Any, adapter: Adapter, *, most_rows: int) -> Self | None:
        """Return a callback that is on an estimator now; None if it supports none, or has the user's own."""
        if not hasattr(estimator, "set_callbacks") or getattr(estimator, "_skl_callbacks", None):
            return None
        callback = cls(adapter, most_rows)
        estimator.set_callbacks(callback)
        adapter.set_axis("iteration", "iterations/*")
        return callback

    @staticmethod
    def take_off(estimator: Any) -> None:
        """Leave an estimator as it was."""
        estimator.set_callbacks()

    def setup(self, estimator: Any, context: Any) -> None:
        """Be told that a fit begins."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Be told that a fit is over."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Be told that a part of a fit begins."""

    def on_fit_task_end(
        self,
        estimator: Any,  # noqa: ARG002 - the protocol's
        context: Any,
        *,
        X: Any = None,
        y: Any = None,
        fitted_estimator: Any = None,
    ) -> bool:
        """Log the metrics of the estimator as it would be if it stopped here."""
        is_iteration = str(context.task_name).endswith("iter")
        if self._adapter is not None and is_iteration and fitted_estimator is not None and X is not None:
            with self._adapter.guard("log an iteration"):
                found = telling.measure(fitted_estimator, X, y, most=self._most_rows)
                row = {f"iterations/{name}": value for name, value in found.items()}
                self._adapter.run.log({"iteration": int(context.task_id), **row})
        return False

    def __getstate__(self) -> dict[str, Any]:
        """Leave the run behind."""
        return {"_adapter": None, "_most_rows": self._most_rows}
