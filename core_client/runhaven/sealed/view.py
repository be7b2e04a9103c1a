"""A run's facts from its sealed events and from what its journals hold beyond them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runhaven.journal.reader import JournalReader
from runhaven.sealed.seal import open_sealed
from runhaven.store.view import RunView

if TYPE_CHECKING:
    from runhaven.sealed.run import SealedRun
    from runhaven.store.layout import RunDirectory


def replay(view: RunView, sealed: SealedRun, *, has_lines: bool = False) -> None:
    """Fold what is sealed, without its rows."""
    view.fold(sealed.replay())
    if has_lines:
        view.console.add([(line.time_us, line.stream, line.text) for line in sealed.lines()])
    for writer, last_us in sealed.manifest.last_us.items():
        session = view.sessions.get(writer)
        if session is not None:
            session.last_us = max(session.last_us, last_us)
    view.damage.extend(sealed.manifest.damage)


def read_view(run: RunDirectory) -> RunView:
    """Return what a run comes to, without its rows."""
    view = RunView(keeps_rows=False, parent=run.manifest().parent)
    sealed = open_sealed(run)
    if sealed is not None:
        replay(view, sealed)
    since = sealed.manifest.positions if sealed else None
    spool = run.manifest().spool_here()
    view.fold(JournalReader(run.journal, spool=spool, rows="recent", since=since).poll())
    return view
