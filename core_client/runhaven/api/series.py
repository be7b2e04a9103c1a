"""What the read API hands out about series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runhaven.metric import rule_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.api.data import RunData
    from runhaven.journal.record import CellType
    from runhaven.metric import Metric
    from runhaven.sealed.index import SeriesIndex
    from runhaven.store.table import SeriesEntry

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a run.

    Attributes:
        stream: "" for what the user logged, "node=<host>" for the load of a machine.
        key: Its name.
        type: f (float), i (integer), b (bool), s (string) or j (JSON).
        count: How many points it has.
        step_min: Its least step.
        step_max: Its greatest step.
        last: The value of its newest point.
        axis: The series that is its x axis; None for the step.
        is_hidden: Whether `define_metric` hides it.
    """

    stream: str
    key: str
    type: CellType
    count: int
    step_min: int
    step_max: int
    last: Any
    axis: str | None
    is_hidden: bool


def list_series(data: RunData, metrics: Mapping[str, Metric], stream: str | None) -> list[Series]:
    """List the series of one stream, or of all."""
    found: dict[tuple[str, str], list[SeriesEntry | SeriesIndex]] = {}
    sealed = data.sealed.all_series() if data.sealed else ()
    for entry in (*sealed, *data.view.tables.series.values()):
        if stream is None or entry.stream == stream:
            found.setdefault((entry.stream, entry.key), []).append(entry)
    return [_merge(name, entries, metrics) for name, entries in sorted(found.items())]


def _merge(
    name: tuple[str, str], entries: Sequence[SeriesEntry | SeriesIndex], metrics: Mapping[str, Metric]
) -> Series:
    newest = max(entries, key=lambda entry: entry.last_us)
    rule = rule_for(metrics, name[1]) if not name[0].startswith("node=") else None
    return Series(
        stream=name[0],
        key=name[1],
        type="s" if newest.type == "S" else newest.type,  # pyright: ignore[reportArgumentType] - else those of cells
        count=sum(entry.count for entry in entries),
        step_min=min(entry.step_min for entry in entries),
        step_max=max(entry.step_max for entry in entries),
        last=newest.last,
        axis=rule.step_metric if rule else None,
        is_hidden=bool(rule and rule.hidden),
    )


@dataclass(frozen=True, slots=True)
class Curve:
    """Buckets of a series, ordered by x. All arrays have one entry a bucket.

    Attributes:
        x: The x of the bucket's last point, float64.
        last: The bucket's last finite value, float64; NaN if it has none.
        min: Its least finite value, float64.
        max: Its greatest finite value, float64.
        count: How many points it covers, int64.
        nonfinite: How many of them are NaN or infinite, int64.
    """

    x: Floats
    last: Floats
    min: Floats
    max: Floats
    count: NDArray[np.int64]
    nonfinite: NDArray[np.int64]

    def __len__(self) -> int:
        """Count the buckets."""
        return len(self.x)
