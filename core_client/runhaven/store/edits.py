"""What was changed about a run's series afterwards: names that they got, points that were corrected or taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.journal.record import Schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.store.register import Stamp


class Rename(NamedTuple):
    """A series that got another name; later rows under the old one belong to it too."""

    stamp: Stamp
    stream: str
    old: str
    new: str


class Correction(NamedTuple):
    """The points of a series at one step, corrected; taken away where the value is None."""

    stamp: Stamp
    stream: str
    key: str
    step: int
    value: Any


class Fixes:
    """The corrections of one series, for the points of one writer.

    Attributes:
        values: The value that counts, by step; None where there is none any more.
    """

    def __init__(self, values: Mapping[int, Any]) -> None:
        """Hold values by step."""
        self.values = values

    def apply(self, steps: NDArray[np.int64], values: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[Any]]:
        """Return which of the points are left, and all values as they are by now; the arrays given stay as they are.

        Integers become floats where a correction is one.
        """
        import numpy as np

        are_exact = values.dtype == np.int64 and not any(isinstance(value, float) for value in self.values.values())
        kept, found = np.ones(len(steps), np.bool_), values.astype(np.int64 if are_exact else np.float64)
        for step, value in self.values.items():
            is_meant = steps == step
            if value is None:
                kept &= ~is_meant
            else:
                found[is_meant] = value
        return kept, found


class Edits:
    """All renamings and corrections of a run, in whatever order they are read.

    Both are in the order of time: a series that was renamed twice has the last name, and a name that its series gave up
    is free for another one. A correction is about the points of the writers that had started before it.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.renames: list[Rename] = []
        self.corrections: list[Correction] = []
        self._by_series: dict[tuple[str, str], list[Correction]] = {}

    def rename(self, stream: str, old: str, new: str, stamp: Stamp) -> None:
        """Take in a renaming."""
        self.renames = sorted([*self.renames, Rename(stamp, stream, old, new)], key=lambda rename: rename.stamp)
        self._sort()

    def correct(self, correction: Correction) -> None:
        """Take in a correction."""
        self.corrections = sorted([*self.corrections, correction], key=lambda one: one.stamp)
        self._sort()

    def _sort(self) -> None:
        self._by_series = {}
        for one in self.corrections:
            place = one.stream, self.name(one.stream, one.key, since=one.stamp)
            self._by_series.setdefault(place, []).append(one)

    def name(self, stream: str, key: str, *, since: Stamp | None = None) -> str:
        """Return what a series is called by now.

        Args:
            stream: Its stream.
            key: What it was called in the journal; with `since`, what it was called then.
            since: Only renamings after this count.
        """
        for rename in self.renames:
            if rename.old == key and rename.stream == stream and (since is None or rename.stamp > since):
                key = rename.new
        return key

    def shown(self, schema: Schema) -> tuple[Schema, list[int]]:
        """Return a schema of the journal with the names that its series have by now, and which of its cells are left.

        Where a row has a name twice, because somebody logs the old one and the new one, the new one counts.
        """
        if not self.renames:
            return schema, list(range(len(schema.cells)))
        names = [self.name(schema.stream, key) for key, _ in schema.cells]
        places = dict(zip(names, range(len(names)), strict=True))
        places |= {name: at for at, (name, (key, _)) in enumerate(zip(names, schema.cells, strict=True)) if name == key}
        kept = sorted(places.values())
        return Schema(schema.stream, tuple((names[at], schema.cells[at][1]) for at in kept)), kept

    def of(self, stream: str, key: str, writer: str | None = None) -> Fixes | None:
        """Return the corrections of a series, by the name that it has by now; None if there are none.

        Args:
            stream: Its stream.
            key: Its name.
            writer: Whose points they are; None for those of the run's first writers.
        """
        if not self.corrections:
            return None
        found = self._by_series.get((stream, key), ())
        values = {one.step: one.value for one in found if writer is None or writer < one.stamp.writer}
        return Fixes(values) if values else None
