"""What a store can do without among its artifacts and blobs: versions that no rule keeps, and bytes that nothing names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runhaven.artifacts.collection import collections
from runhaven.artifacts.relations import Key
from runhaven.artifacts.retention import expired
from runhaven.artifacts.waste import HASH, SPARED_S, discard, named_within, unreferenced
from runhaven.errors import StoreError
from runhaven.journal.reader import JournalReader
from runhaven.journal.record import Event
from runhaven.platform.lock import FileLock
from runhaven.sealed.seal import open_sealed
from runhaven.store.blobs import Blobs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runhaven.artifacts.retention import Expired
    from runhaven.store.layout import RunDirectory, Store


class Waste(NamedTuple):
    """What can go.

    Attributes:
        versions: Versions that no rule of their collection keeps.
        blobs: Files with bytes that nothing names, those of these versions among them, each with its size.
        stays: Why no blob can go; "" where that is known.
    """

    versions: list[Expired]
    blobs: list[tuple[Path, int]]
    stays: str


def find(store: Store, *, spared_s: float = SPARED_S) -> Waste:
    """Look for what can go; deletes nothing.

    Args:
        store: The store.
        spared_s: Blobs that were written or wanted within this time stay.
    """
    versions = [one for collection in collections(store.root) for one in expired(collection)]
    without = {Key(one.collection.path.name, one.version.number) for one in versions}
    try:
        found = unreferenced(store.root, lambda: _named_by_runs(store), spared_s=spared_s, without=without)
        blobs = [(path, status.st_size) for path, status in found]
    except StoreError as error:
        return Waste(versions, [], str(error))
    return Waste(versions, blobs, "")


def collect(store: Store, waste: Waste, *, spared_s: float = SPARED_S) -> int:
    """Delete what can go, but what became wanted meanwhile, and return how many bytes of blobs went.

    One process at a time: what one looks at for a moment, another would take for left behind.

    Raises:
        OSError: If the store cannot be written.
        StoreError: If another process is at it.
    """
    lock = FileLock(store.root / ".gc.lock")
    if not lock.acquire():
        message = f"another process is collecting the waste of {store.root}. Try again when it is done."
        raise StoreError(message)
    try:
        return _collect(store, waste, spared_s)
    finally:
        lock.release()


def _collect(store: Store, waste: Waste, spared_s: float) -> int:
    for collection in {one.collection.path: one.collection for one in waste.versions}.values():
        collection.forget()
        for one in expired(collection):
            collection.delete(one.version.number)
    return sum(size for path, size in waste.blobs if discard(store.root, path, spared_s=spared_s))


def _named_by_runs(store: Store) -> Iterator[str]:
    """Go through the blobs of all runs, be they in the trash, from where they can come back."""
    yield from (
        name
        for directory in (*store.run_directories(), *(one.run for one in store.removed()))
        for name in blobs_of(store, directory)
    )


def blobs_of(store: Store, directory: RunDirectory) -> set[str]:
    """Return the blobs that anything in a run names, be it hidden or corrected by now.

    Raises:
        StoreError: If a part of the run cannot be read, so that what it names is not known.
        ImportError: If the run is sealed, and a package that reads such is missing.
    """
    sealed = open_sealed(directory)
    since = sealed.manifest.positions if sealed else None
    reader = JournalReader(directory.journal, spool=directory.manifest().spool_here(), since=since)
    named: set[str] = set()
    for text in sealed.texts() if sealed else ():
        named.update(HASH.findall(text))
    records = [*(sealed.replay() if sealed else ()), *reader.poll()]
    for record in records:
        values = [record.data] if isinstance(record, Event) else record.columns
        kinds = "j" if isinstance(record, Event) else [kind for _, kind in record.schema.cells]
        for kind, value in zip(kinds, values, strict=True):
            if kind in "js":
                named.update(HASH.findall(str(value)))
    if damage := [*reader.damage, *(sealed.manifest.damage if sealed else ())]:
        message = f"{directory.path} is damaged ({damage[0].reason}), so that it is not known which bytes it names. Remove the run, or copy it back from a backup."
        raise StoreError(message)
    return named_within(Blobs(store.root), named)
