"""What the read API hands out about series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runhaven.journal.record import CellType

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
