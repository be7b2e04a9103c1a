"""The x that another series gives to the points of a series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runhaven.missing import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.sealed.chunk import Chunk

    Integers = NDArray[np.int64]
else:
    np = require("numpy", feature="reading sealed runs", package="runhaven[ui]")


def aligned(rows: Integers, steps: Integers, others: Sequence[Chunk]) -> NDArray[np.float64]:
    """Return for each point the other series' value in the same row, else the last at the same step; NaN without one.

    Args:
        rows: Record number of each point.
        steps: Step of each point.
        others: The other series' chunks of the same writer.
    """
    if len(others) == 1 and np.array_equal(others[0].rows, rows):
        return others[0].values
    found = np.full(len(rows), np.nan)
    if not len(rows) or not any(len(chunk.rows) for chunk in others):
        return found
    other_rows = np.concatenate([chunk.rows for chunk in others])
    other_steps = np.concatenate([chunk.steps for chunk in others])
    values = np.concatenate([chunk.values for chunk in others])
    order = np.argsort(other_rows, kind="stable")
    places = _find(other_rows[order], rows)
    has_row = places >= 0
    found[has_row] = values[order][places[has_row]]
    if not has_row.all():
        order = np.lexsort((other_rows, other_steps))
        is_last = np.append(other_steps[order][1:] != other_steps[order][:-1], True)
        order = order[is_last]
        places = _find(other_steps[order], steps)
        has_step = ~has_row & (places >= 0)
        found[has_step] = values[order][places[has_step]]
    return found


def _find(among: Integers, wanted: Integers) -> Integers:
    """Return where each wanted number lies among ascending ones; -1 where it does not."""
    places = np.minimum(np.searchsorted(among, wanted), len(among) - 1)
    return np.where(among[places] == wanted, places, -1)
