"""How often values fall into each of some bins."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from runhaven import log_histogram
from runhaven.errors import UsageError
from runhaven.media.kind import Media, lenient
from runhaven.media.source import hold
from runhaven.missing import require

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

    from runhaven.media import filing
    from runhaven.media.kind import Reference, Sink


class Histogram(Media):
    """A histogram. It has no bytes of its own: it lies in its row."""

    type_name = "histogram"
    list_type = "histograms"
    MAX_LENGTH: ClassVar[int] = 512

    @lenient
    def __init__(
        self,
        sequence: Any = None,
        np_histogram: tuple[Iterable[float], Iterable[float]] | None = None,
        num_bins: int = 64,
    ) -> None:
        """Take values to count, or counts.

        Args:
            sequence: An array, a tensor or a list of numbers; non-finite ones are left out.
            np_histogram: Counts and the edges of their bins, as `numpy.histogram` returns them.
            num_bins: How many bins the values are counted in, 512 at most.
        """
        self._held = None if np_histogram is not None else hold(sequence)
        self._bins = int(num_bins)
        self._counted: tuple[list[float], list[float]] | None = None
        if np_histogram is not None:
            counts, edges = np_histogram
            self._counted = [_number(one) for one in counts], [float(one) for one in edges]

    @classmethod
    def from_log_histogram(cls, value: Mapping[str, Any], num_bins: int = 64) -> Self:
        """Make one with equally wide bins of one that `watch()` logged; what is not finite is left out.

        Args:
            value: The logged value, of `_type` "log-histogram".
            num_bins: How many bins, 512 at most.
        """
        edges, counts = log_histogram.rebin(log_histogram.decode(value), num_bins)
        return cls(np_histogram=(counts, edges))

    @property
    def histogram(self) -> list[float]:
        """The count of each bin."""
        return self._count()[0]

    @property
    def bins(self) -> list[float]:
        """The edges of the bins, one more than there are bins."""
        return self._count()[1]

    def check(self) -> None:
        """Look at the number of bins."""
        if self._counted is not None:
            counts, edges = self._counted
            if len(edges) != len(counts) + 1 or len(counts) > self.MAX_LENGTH:
                message = f"np_histogram takes up to {self.MAX_LENGTH} counts and one edge more, not {len(counts)} and {len(edges)}."
                raise UsageError(message)
            return
        if self._held is None or not self._held.has_numbers:
            message = "Histogram takes an array or a list of numbers, or np_histogram=(counts, edges)."
            raise UsageError(message)
        if not 0 < self._bins <= self.MAX_LENGTH:
            message = f"num_bins={self._bins} is not between 1 and {self.MAX_LENGTH}."
            raise UsageError(message)

    def weight(self) -> int:
        """Return how many bytes the copy holds."""
        return self._held.weight if self._held is not None else 0

    def keep(self, sink: Sink) -> Reference:  # noqa: ARG002 - nothing goes there
        """Count."""
        counts, edges = self._count()
        return {"_type": self.type_name, "values": counts, "bins": edges}

    @classmethod
    def from_reference(cls, reference: Reference, artifact: filing.Artifact) -> Histogram:  # noqa: ARG003 - it has no bytes
        """Take the counts."""
        return cls(np_histogram=(reference["values"], reference["bins"]))

    def _count(self) -> tuple[list[float], list[float]]:
        if self._counted is None:
            self.verify()
            self._counted = _count(self._held.array() if self._held is not None else None, self._bins)
        return self._counted


def _number(value: Any) -> float:
    number = float(value)
    return int(number) if math.isfinite(number) and number.is_integer() else number


def _count(array: Any, bins: int) -> tuple[list[float], list[float]]:
    np = require("numpy", feature="Histogram")
    values = array.astype(np.float64).ravel()
    values = values[np.isfinite(values)]
    try:
        counts, edges = np.histogram(values, bins=bins)
    except ValueError:
        # Values that differ by less than so many bins could tell apart.
        low, high = values.min(), values.max()
        margin = max(abs(low), abs(high), 1.0) * 1e-6
        counts, edges = np.histogram(values, bins=bins, range=(low - margin, high + margin))
    return counts.tolist(), edges.tolist()
