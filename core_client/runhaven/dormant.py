"""The journal of a run in a forked child: opened when the child first logs, so that workers that never log cost nothing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runhaven.journal.layout import Layout
    from runhaven.journal.record import Schema
    from runhaven.recorder import Journal


class DormantJournal:
    """Passes everything on to a journal that it opens at the first call."""

    def __init__(self, open_journal: Callable[[], Journal]) -> None:
        """Prepare; opens nothing."""
        self._open_journal = open_journal
        self._lock = threading.RLock()
        self._opened: Journal | None = None

    @property
    def number(self) -> int:
        """The number of the next record."""
        return self._opened.number if self._opened else 0

    def exclusively(self, action: Callable[..., object], *arguments: object) -> None:
        """Run `action` while no other thread writes."""
        with self._lock:
            if self._opened is None:
                self._opened = self._open_journal()
        self._opened.exclusively(action, *arguments)

    def layout(self, schema: Schema) -> Layout:
        """Return the layout of a schema."""
        return self._journal().layout(schema)

    def put_row(self, layout: Layout, step: int, time_us: int, values: Sequence[Any]) -> None:
        """Append one row."""
        self._journal().put_row(layout, step, time_us, values)

    def put_event(self, data: Mapping[str, Any], vital: bool = False) -> None:
        """Append one event."""
        self._journal().put_event(data, vital)

    def _journal(self) -> Journal:
        assert self._opened is not None, "only within `exclusively`"
        return self._opened


class NoJournal:
    """Keeps nothing: the journal of a disabled run."""

    number = 0

    def exclusively(self, action: Callable[..., object], *arguments: object) -> None:
        """Run `action`."""
        action(*arguments)

    def layout(self, schema: Schema) -> Layout:
        """Return the layout of a schema."""
        from runhaven.journal.layout import Layout

        return Layout(0, schema)

    def put_row(self, layout: Layout, step: int, time_us: int, values: Sequence[Any]) -> None:
        """Keep nothing."""

    def put_event(self, data: Mapping[str, Any], vital: bool = False) -> None:
        """Keep nothing."""
