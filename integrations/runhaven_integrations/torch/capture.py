"""One look at the gradients or parameters of a model: taken on the training's thread, written out on another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from runhaven import log_histogram
from runhaven_integrations.torch.counting import count_codes, norms, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SAMPLED_FROM = 1 << 24


class Part(NamedTuple):
    """A tensor to look at.

    Attributes:
        name: The parameter's name.
        tensor: Its numbers, flat.
        zeros: How many zeros a sparse tensor leaves out.
        shards: Over how many processes the whole lies; 1 if it is all here.
        is_exact: Whether to count all numbers even of a large tensor.
    """

    name: str
    tensor: torch.Tensor
    zeros: int
    shards: int
    is_exact: bool


def part_of(name: str, value: Any, *, is_exact: bool) -> Part | None:
    """Return what of a tensor lies in this process, flat; None if it holds no floating-point numbers here."""
    shards, zeros = 1, 0
    tensor = value.detach()
    if hasattr(tensor, "to_local"):
        local = tensor.to_local()
        shards = math.ceil(tensor.numel() / max(local.numel(), 1))
        tensor = local
    if tensor.layout is not torch.strided:
        held = tensor.coalesce().values()
        zeros, tensor = tensor.numel() - held.numel(), held
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    if not tensor.is_floating_point() or tensor.device.type == "meta" or not tensor.numel():
        return None
    return Part(name, tensor.reshape(-1), zeros, shards, is_exact)


class Capture:
    """Counts and norms on their way to the host; `read` makes them values to log."""

    def __init__(self, kind: str, prefix: str, parts: Sequence[Part], *, scale: torch.Tensor | None = None) -> None:
        """Start computing.

        Args:
            kind: "gradients" or "parameters".
            prefix: Stands before each parameter's name.
            parts: What to look at.
            scale: What the numbers are multiplied by, a power of two.
        """
        self._kind = kind
        self._prefix = prefix
        self._parts = parts
        self._is_sampled = [not part.is_exact and part.tensor.numel() >= SAMPLED_FROM for part in parts]
        self.on_nonfinite: Callable[[str, int], None] = lambda _name, _count: None
        looked = [
            sample(part.tensor) if is_sampled else part.tensor
            for part, is_sampled in zip(parts, self._is_sampled, strict=True)
        ]
        self._norms: Any = _to_host(norms([part.tensor for part in parts]))
        self._counts = _to_hosts([count_codes(tensor) for tensor in looked])
        self._scale: Any = None if scale is None else _to_host(scale.detach().reshape(-1))
        self._parts = [part._replace(tensor=part.tensor[:0]) for part in parts]
        self._event: Any = None
        if any(part.tensor.device.type == "cuda" for part in parts):
            self._event = torch.cuda.Event()
            self._event.record()

    def is_ready(self) -> bool:
        """Tell whether `read` would return at once."""
        return self._event is None or bool(self._event.query())

    def read(self) -> list[dict[str, Any]]:
        """Return the rows: norms, histograms, and how many numbers are not finite where some are."""
        if self._event is not None:
            self._event.synchronize()
        scale: float = 1.0 if self._scale is None else self._scale.tolist()[0]
        norms_found: list[float] = self._norms.tolist()
        found = [norm / scale for norm in norms_found]
        histograms = [
            self._histogram(counts, part, scale) for counts, part in zip(self._counts, self._parts, strict=True)
        ]
        names = [f"{self._prefix}{part.name}" for part in self._parts]
        cells = [log_histogram.encode(histogram) for histogram in histograms]
        for cell, part, is_sampled in zip(cells, self._parts, self._is_sampled, strict=True):
            if is_sampled:
                cell["is_sampled"] = True
            if part.shards > 1:
                cell["shards"] = part.shards
        rows = [
            self._norm_row(names, found),
            {f"{self._kind}/{name}": cell for name, cell in zip(names, cells, strict=True)},
        ]
        bad = {name: each.nonfinite for name, each in zip(names, histograms, strict=True) if each.nonfinite}
        if bad:
            rows.append({f"{self._kind}_nonfinite/{name}": count for name, count in bad.items()})
            self.on_nonfinite(*next(iter(bad.items())))
        return [row for row in rows if row]

    def _norm_row(self, names: Sequence[str], found: Sequence[float]) -> dict[str, Any]:
        """Return the norms; none of a tensor of which only a part lies here, for it would not be the tensor's."""
        row = {
            f"{self._kind}_norm/{name}": norm
            for name, norm, part in zip(names, found, self._parts, strict=True)
            if part.shards == 1
        }
        if len(row) == len(names):
            row[f"{self._kind}_norm/{self._prefix}global"] = math.sqrt(sum(norm * norm for norm in found))
        return row

    @staticmethod
    def _histogram(counts: Any, part: Part, scale: float) -> log_histogram.LogHistogram:
        places: Any = torch.nonzero(counts).reshape(-1)
        sparse: dict[int, int] = dict(zip(places.tolist(), counts[places].tolist(), strict=True))
        sparse[0] = sparse.get(0, 0) + part.zeros
        histogram = log_histogram.from_counts(sparse)
        return histogram if scale == 1.0 else log_histogram.scaled(histogram, -round(math.log2(scale)))


def _to_host(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to("cpu", non_blocking=True)


def _to_hosts(counts: list[torch.Tensor]) -> Sequence[torch.Tensor]:
    """Bring many counts to the host in one copy."""
    if all(each.device.type == "cpu" for each in counts):
        return counts
    return _to_host(torch.stack([each.to(counts[0].device) for each in counts])).unbind()
