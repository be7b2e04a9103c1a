"""Histograms over the logarithm: fixed bins that need no minimum or maximum, and that add up exactly.

The code of a number is the top 12 bits of its IEEE 754 single: sign, exponent and three bits of the mantissa.
"""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TYPE = "log-histogram"
CODES = 4096
NEGATIVE = 2048
_INFINITY = 2040
_SUBNORMAL = 2.0**-129


@dataclass(frozen=True)
class LogHistogram:
    """How often numbers of each code occur.

    Attributes:
        counts: How often, by code, of finite numbers other than zero.
        zeros: How many are zero, or less than 2^-129.
        nan: How many are no number.
        inf: How many are infinite.
        neg_inf: How many are minus infinity.
    """

    counts: Mapping[int, int]
    zeros: int = 0
    nan: int = 0
    inf: int = 0
    neg_inf: int = 0

    @property
    def finite(self) -> int:
        """How many are finite."""
        return self.zeros + sum(self.counts.values())

    @property
    def nonfinite(self) -> int:
        """How many are not finite."""
        return self.nan + self.inf + self.neg_inf


def from_counts(counts: Mapping[int, int]) -> LogHistogram:
    """Sort the counts of all 4096 codes into finite numbers, zeros, infinities and NaN."""
    finite = {code: count for code, count in counts.items() if 0 < code % NEGATIVE < _INFINITY and count}
    return LogHistogram(
        finite,
        zeros=counts.get(0, 0) + counts.get(NEGATIVE, 0),
        nan=sum(count for code, count in counts.items() if code % NEGATIVE > _INFINITY),
        inf=counts.get(_INFINITY, 0),
        neg_inf=counts.get(NEGATIVE + _INFINITY, 0),
    )


def encode(histogram: LogHistogram) -> dict[str, Any]:
    """Return the JSON object that a row carries."""
    data = bytearray()
    last = 0
    for code in sorted(histogram.counts):
        _put(data, code - last)
        _put(data, histogram.counts[code])
        last = code
    return cell_of(data, histogram)


def cell_of(codes: bytes | bytearray, totals: LogHistogram, *, finite: int | None = None) -> dict[str, Any]:
    """Return the JSON object that a row carries, of codes that are packed already.

    Args:
        codes: Pairs of LEB128 integers; see `docs/formats.md`.
        totals: What is beside the codes: zeros and what is not finite.
        finite: How many numbers are finite; by default those that `totals` holds.
    """
    return {
        "_type": TYPE,
        "codes": base64.b64encode(codes).decode(),
        "count": (totals.finite if finite is None else finite) + totals.nonfinite,
        "zeros": totals.zeros,
        "nan": totals.nan,
        "inf": totals.inf,
        "neg_inf": totals.neg_inf,
    }


def decode(value: Mapping[str, Any]) -> LogHistogram:
    """Return the histogram that `encode` made an object of."""
    numbers = _numbers(base64.b64decode(value["codes"]))
    counts: dict[int, int] = {}
    code = 0
    for step in numbers:
        code += step
        counts[code] = next(numbers)
    return LogHistogram(counts, value["zeros"], value["nan"], value["inf"], value["neg_inf"])


def _put(data: bytearray, number: int) -> None:
    while number > 127:  # noqa: PLR2004 - seven bits a byte, the eighth says that more follow
        data.append(number & 127 | 128)
        number >>= 7
    data.append(number)


def _numbers(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:  # noqa: PLR2004 - see `_put`
            yield number
            number = shift = 0


def merge(histograms: Sequence[LogHistogram]) -> LogHistogram:
    """Return the histogram of all numbers together, exactly: of shards, steps or layers."""
    counts: Counter[int] = Counter()
    for each in histograms:
        counts.update(each.counts)
    return LogHistogram(
        dict(counts),
        zeros=sum(each.zeros for each in histograms),
        nan=sum(each.nan for each in histograms),
        inf=sum(each.inf for each in histograms),
        neg_inf=sum(each.neg_inf for each in histograms),
    )


def bounds(code: int) -> tuple[float, float]:
    """Return between which numbers those of a finite code lie, the lesser first."""
    low, high = _magnitude(code % NEGATIVE), _magnitude(code % NEGATIVE + 1)
    return (-high, -low) if code >= NEGATIVE else (low, high)


def _magnitude(code: int) -> float:
    exponent, mantissa = divmod(code, 8)
    return mantissa * _SUBNORMAL if exponent == 0 else (8 + mantissa) * 2.0 ** (exponent - 130)


def bins(histogram: LogHistogram) -> list[tuple[float, float, int]]:
    """Return lower end, upper end and count of each bin that holds finite numbers, in the order of the numbers."""
    found = [(*bounds(code), count) for code, count in histogram.counts.items()]
    if histogram.zeros:
        found.append((0.0, 0.0, histogram.zeros))
    return sorted(found)


def quantile(histogram: LogHistogram, part: float) -> float:
    """Return the number below which `part` of the finite numbers lie, to a few per cent; NaN if there are none."""
    rank = part * (histogram.finite - 1)
    before = 0
    found = bins(histogram)
    for low, high, count in found:
        if rank < before + count or (low, high, count) == found[-1]:
            return low + (high - low) * min(max((rank - before + 0.5) / count, 0.0), 1.0)
        before += count
    return float("nan")


def rebin(histogram: LogHistogram, number: int = 64) -> tuple[list[float], list[int]]:
    """Return the edges of equally wide bins and their counts, whose sum is that of the finite numbers."""
    found = bins(histogram)
    low = found[0][0] if found else 0.0
    high = max((upper for _, upper, _ in found), default=0.0)
    if high <= low:
        high = low + 1.0
    edges = [low + (high - low) * place / number for place in range(number)] + [high]
    below = [0, *(round(_below(found, edge)) for edge in edges[1:-1]), histogram.finite]
    return edges, [after - before for before, after in pairwise(below)]


def _below(found: Sequence[tuple[float, float, int]], edge: float) -> float:
    """Count the numbers below an edge, taking those of one bin as spread evenly."""
    return sum(
        count if high < edge or (high == edge and low < high) else count * max(edge - low, 0.0) / (high - low)
        for low, high, count in found
        if high > low or high < edge
    )
