"""Logs charts, and keeps what cannot be drawn from the caller's script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runhaven.adapter import Adapter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runhaven import Run
    from runhaven.media.chart import CustomChart


def show(key: str, draw: Callable[[], CustomChart], run: Run | None) -> CustomChart | None:
    """Log one chart and return it; None if it cannot be drawn.

    Args:
        key: What it is logged as.
        draw: Makes it.
        run: The run; the active one by default.
    """
    return show_all({key: draw}, run).get(key)


def show_all(drawing: Mapping[str, Callable[[], CustomChart]], run: Run | None) -> dict[str, CustomChart]:
    """Log several charts in one row and return those that could be drawn, by key."""
    adapter = Adapter("runhaven.sklearn", run=run)
    run = adapter.run
    charts: dict[str, CustomChart] = {}
    for key, draw in drawing.items():
        with adapter.guard(f"draw {key}"):
            chart = draw()
            chart.check()
            charts[key] = chart
    if charts:
        with adapter.guard("log charts"):
            run.log(charts)
    return charts
