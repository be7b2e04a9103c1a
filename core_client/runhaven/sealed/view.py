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


def follow(run: RunDirectory, sealed: SealedRun | None, *, has_lines: bool = False) -> tuple[JournalReader, RunView]:
    """Return a reader that goes on where the sealed part ends, and a view that it is to be folded into."""
    manifest = run.manifest()
    view = RunView(keeps_rows=False, keeps_lines=has_lines, parent=manifest.parent)
    if sealed is not None:
        replay(view, sealed, has_lines=has_lines)
    since = sealed.manifest.positions if sealed else None
    return JournalReader(run.journal, spool=manifest.spool_here(), rows="recent", since=since), view


def read_view(run: RunDirectory) -> RunView:
    """Return what a run comes to, without its rows."""
    reader, view = follow(run, open_sealed(run))
    view.fold(reader.poll())
    view.close()
    return view
