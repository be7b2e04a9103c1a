"""One look at a model: computed on the training's thread without waiting, read and written out on another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from runhaven_integrations.torch.batch import Batch
from runhaven_integrations.torch.counting import numbers_of, to_host
from runhaven_integrations.torch.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runhaven.log_histogram import LogHistogram
    from runhaven_integrations.torch.change import Change
    from runhaven_integrations.torch.part import Part
    from runhaven_integrations.torch.shards import Meeting

    OnRead = Callable[[str, dict[str, LogHistogram], Iterable[str]], None]
    OnSkips = Callable[[int], dict[str, Any]]

CHANGES, WEIGHTS = "changes", "weights"


class Capture:
    """Counts and norms on their way to the host; `read` makes them rows to log.

    Several optimizers, or parameters one by one, add to it; once it is closed, it can be read.

    Attributes:
        step: The run's step at which it began.
        held: The places of the parameters that are in it, by kind.
        ranks: The processes over which some of them are sharded.
        meeting: Where the shards of the others arrive; None where they do not.
        is_closed: Whether nothing more comes into it.
        is_sent: Whether its own shards go to another process, which logs them.
    """

    def __init__(self, step: int, prefix: str, on_read: OnRead, *, is_extra: bool = False) -> None:
        """Start with nothing.

        Args:
            step: The run's present step.
            prefix: Stands before each parameter's name.
            on_read: Called with each kind, what of its tensors is not finite, and the names of all of its tensors in
                the order in which they came; before the rows are logged.
            is_extra: Count all numbers, however many a tensor has, and leave out what is sharded.
        """
        self.step = step
        self.held: dict[str, set[int]] = {}
        self.ranks: set[int] = set()
        self.meeting: Meeting | None = None
        self.is_sent = False
        self._prefix = prefix
        self._on_read = on_read
        self._is_extra = is_extra
        self._batches: list[Batch] = []
        self._changes: list[Change] = []
        self._skips: list[tuple[torch.Tensor, OnSkips]] = []
        self._events: list[Any] = []
        self.is_closed = False

    def add(self, kind: str, parts: Sequence[Part], *, room: int, scale: torch.Tensor | None = None) -> None:
        """Look at some tensors.

        Args:
            kind: "gradients" or "parameters".
            parts: What to look at.
            room: Of how many tensors of a kind histograms may be kept.
            scale: What the numbers are multiplied by.
        """
        held = self.held.setdefault(kind, set())
        new = [part for part in parts if part.place not in held and not (part.ranks and self._is_extra)]
        for some in by_device(new):
            batch = Batch(kind, some, max(room - len(held), 0), scale, is_exact=self._is_extra)
            held |= {part.place for part in some}
            self.ranks.update(*(part.ranks for part in some))
            self._batches.append(batch)
            self._note(some[0].tensor)

    def add_change(self, change: Change) -> None:
        """Compare the parameters with what they were before the step."""
        self._note(change.look_again())
        self._changes.append(change)

    def add_skips(self, found_inf: torch.Tensor, on_known: OnSkips) -> None:
        """Take what a GradScaler found at the steps up to this one: 0.0 where all was finite.

        Args:
            found_inf: Of each step.
            on_known: Called with the number of skipped steps; returns the row to log.
        """
        self._skips.append((to_host(found_inf), on_known))
        self._note(found_inf)

    def _note(self, tensor: torch.Tensor) -> None:
        if tensor.device.type == "cuda":
            event = torch.cuda.Event()
            event.record()
            self._events.append(event)

    def close(self) -> None:
        """Add nothing more."""
        self.is_closed = True

    def is_ready(self) -> bool:
        """Tell whether `read` would return at once."""
        return (
            self.is_closed
            and all(event.query() for event in self._events)
            and (self.meeting is None or self.meeting.is_over())
        )

    def totals(self) -> dict[str, Totals]:
        """Return what this process holds, by kind, waiting for the device."""
        for event in self._events:
            event.synchronize()
        found: dict[str, Totals] = {}
        for batch in self._batches:
            found.setdefault(batch.kind, Totals()).add(batch.totals())
        for change in self._changes:
            for kind, squares in zip((CHANGES, WEIGHTS), change.squares(), strict=True):
                totals = Totals(dict(zip(change.names, squares, strict=True)), partial=change.sharded)
                found.setdefault(kind, Totals()).add(totals)
        return found

    def read(self) -> list[dict[str, Any]]:
        """Return the rows: norms, histograms, what is not finite, and how much the step changed."""
        self.close()
        found = self.totals()
        if self.meeting is not None:
            self.meeting.gather(found)
        elif self.is_sent:
            found = {kind: totals.whole() for kind, totals in found.items()}
        is_skipped, rows = self._read_skips()
        for kind in self.held:
            totals = found.get(kind)
            of_kind, bad = ([], {}) if totals is None else totals.in_order().rows(kind, self._prefix)
            if not is_skipped:
                self._on_read(kind, bad, () if totals is None else totals.squares)
            rows += of_kind
        if CHANGES in found:
            rows.append(_ratios(found[CHANGES].squares, found[WEIGHTS].squares, self._prefix))
        return rows

    def _read_skips(self) -> tuple[bool, list[dict[str, Any]]]:
        """Return whether the step itself was skipped, where nothing finite is expected, and the row of all skips."""
        steps: list[tuple[list[float], OnSkips]] = [(numbers_of(found), on_known) for found, on_known in self._skips]
        numbers = [(sum(map(bool, found)), on_known) for found, on_known in steps]
        return any(found[-1] for found, _ in steps), [on_known(number) for number, on_known in numbers if number]


def by_device(parts: Sequence[Part]) -> list[list[Part]]:
    """Sort parts by the device on which they lie."""
    found: dict[torch.device, list[Part]] = {}
    for part in parts:
        found.setdefault(part.tensor.device, []).append(part)
    return list(found.values())


def _ratios(changes: dict[str, float], weights: dict[str, float], prefix: str) -> dict[str, Any]:
    """Return by how much of its norm each parameter changed; nothing of one that was zero."""
    names = {name: (changes[name], weights[name]) for name in changes}
    names["global"] = sum(changes.values()), sum(weights.values())
    return {
        f"update_ratio/{prefix}{name}": math.sqrt(change / weight) for name, (change, weight) in names.items() if weight
    }
