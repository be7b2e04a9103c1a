"""The catalogue of a store's runs: brought up to date when it is asked, and made anew when it is lost or broken."""

from __future__ import annotations

import contextlib
import gc
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from runhaven.catalogue import ahead, schema
from runhaven.catalogue.filters import matches, ordered
from runhaven.catalogue.looking import Look
from runhaven.catalogue.place import Place, catalogue_path, is_broken, is_busy, is_unusable, remove_database
from runhaven.catalogue.query import FIELD, Query, sql_order
from runhaven.catalogue.record import Entry, Project, Record
from runhaven.catalogue.writing import Writer
from runhaven.store.ids import new_ulid

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from runhaven.catalogue.looking import Followed
    from runhaven.catalogue.query import Order
    from runhaven.catalogue.record import Reading
    from runhaven.store.layout import Store

_READ_AT_ONCE = 500
_ATTEMPTS = 3
_LOOKS = 100
"""While others rebuild the same tables, it may take a few looks until nobody changed them before they were read."""
T = TypeVar("T")


class Changes(NamedTuple):
    """What became different.

    Attributes:
        stamp: What to ask from the next time.
        records: The runs that are new or differ.
        ulids: All runs that there are.
    """

    stamp: str
    records: list[Record]
    ulids: AbstractSet[str]


class Catalogue:
    """An index over the runs of a store. Derived: it may be deleted at any time, by anybody.

    Thread-safe. Whatever goes wrong with a file on this machine is mended by making it again, in memory if need be.
    """

    def __init__(self, store: Store, *, url: str | None = None) -> None:
        """Open the catalogue of a store; nothing is read before it is first asked.

        Args:
            store: The store.
            url: An SQLAlchemy URL, such as that of a PostgreSQL database that holds no other store's catalogue; by
                default a SQLite file in the user's cache directory.
        """
        self._store = store
        self._target: Path | str | None = url or catalogue_path(store)
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._place: Place | None = None
        self._stamp = ""
        self._is_disturbed = False
        self._seen: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self._grew_us: dict[str, int] = {}
        self._followed: dict[str, Followed] = {}

    # Keeping

    def sync(self) -> int:
        """Take in what changed in the store; returns how many runs had to be read."""
        return self._safely(self._sync)

    def rebuild(self) -> int:
        """Forget everything and read the store anew; returns how many runs could be read."""

        def work() -> int:
            self._create(anew=True)
            self._sync()
            return len(self._seen)

        return self._safely(work)

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            if self._place is not None:
                self._place.close(is_ours=self._pid == os.getpid())
                self._place = None

    def _safely(self, work: Callable[[], T]) -> T:
        """Do something with the database, made anew if it turns out to be broken."""
        with self._lock:
            for attempt in range(_ATTEMPTS):
                try:
                    self._open()
                    return work()
                except (DBAPIError, sqlite3.Error, OSError) as error:
                    self._stamp = ""
                    if isinstance(self._target, str) or attempt == _ATTEMPTS - 1:
                        raise
                    self._recover(error)
            raise AssertionError

    def _recover(self, error: Exception) -> None:
        self.close()
        if is_busy(error):
            time.sleep(0.1)
        elif is_broken(error) and isinstance(self._target, Path):
            remove_database(self._target)
        elif is_unusable(error):
            self._target = None
        else:
            raise error

    def _open(self) -> None:
        if self._place is not None and (self._place.is_gone() or self._pid != os.getpid()):
            self.close()
        if self._place is None:
            self._pid = os.getpid()
            self._place = Place(self._target)
            self._stamp = ""
            self._create()

    @property
    def _database(self) -> Place:
        assert self._place is not None
        return self._place

    def _create(self, *, anew: bool = False) -> None:
        with self._database.reading() as connection:
            if not anew and _is_current(connection):
                return
        with self._database.writing() as connection:
            # Another process may have made it meanwhile.
            if not _is_current(connection):
                schema.metadata.drop_all(connection)
                schema.metadata.create_all(connection)
                connection.execute(schema.meta.insert(), [{"name": "version", "value": schema.VERSION}])
            elif anew:
                # Tables that are dropped would fail those who read them.
                for table in schema.metadata.sorted_tables:
                    if table is not schema.meta:
                        connection.execute(table.delete())
                connection.execute(schema.meta.delete().where(_IS_STAMP))
            else:
                return
            connection.execute(schema.meta.insert(), [{"name": "stamp", "value": f"{new_ulid()}/0"}])

    def _sync(self) -> int:
        count = 0
        for _ in range(_LOOKS):
            count += self._look()
            # What others wrote meanwhile may be older than this look, or have undone what it was held against.
            if not self._is_disturbed:
                break
        return count

    def _look(self) -> int:
        """Look at the store once; returns how many runs had to be read."""
        self._is_disturbed = False
        with self._database.reading() as connection:
            self._load(connection)
        seen = self._seen
        look = Look(self._store, known=seen)
        gone = list(seen.keys() - look.times.keys())
        differ = sorted(ulid for ulid, _ in look.times.items() - seen.items())
        stale = [ulid for ulid in differ if not look.is_as_seen(ulid, seen.get(ulid))]
        self._write([], gone)
        with _no_collection() if len(stale) > _READ_AT_ONCE else contextlib.nullcontext():
            for batch in ahead.readings(look, stale, self._followed):
                lost = [ulid for ulid, reading in batch.items() if reading is None and ulid in seen]
                self._write([reading for reading in batch.values() if reading is not None], lost)
        return len(stale)

    def _load(self, connection: sa.Connection) -> None:
        """Take in what the tables say of runs and keys, unless that is known."""
        stamp = _stamp(connection)
        if stamp == self._stamp:
            return
        self._seen = dict(connection.execute(sa.select(schema.runs.c.ulid, schema.runs.c.seen)).all())
        self._keys = dict(connection.execute(sa.select(schema.keys.c.name, schema.keys.c.key)).all())
        self._stamp = stamp

    def _write(self, readings: Sequence[Reading], gone: Sequence[str]) -> None:
        if not readings and not gone:
            return
        with self._database.writing() as connection:
            known = self._stamp
            self._load(connection)
            self._is_disturbed |= known != self._stamp
            # Until the end of the transaction nobody knows whether the new keys will be there.
            stamp, self._stamp = self._stamp, ""
            epoch, _, count = stamp.partition("/")
            writer = Writer(connection, self._keys, count=int(count) + 1)
            changed = writer.write(readings)
            writer.remove(gone)
            if changed or gone:
                stamp = f"{epoch}/{int(count) + 1}"
                connection.execute(schema.meta.update().where(_IS_STAMP).values(value=stamp))
        self._stamp = stamp
        self._seen |= {reading.record.ulid: reading.seen for reading in readings}
        for ulid in gone:
            self._seen.pop(ulid, None)
        now_us = time.time_ns() // 1000
        self._grew_us |= {ulid: now_us for ulid in changed if self._seen.get(ulid) == 0}

    # Asking

    def find(
        self, filters: Mapping[str, Any] | None = None, order: str | None = None, *, limit: int | None = None
    ) -> list[str]:
        """Return the ulids of the runs that pass a filter.

        Args:
            filters: As `Api.runs` takes them.
            order: As `Api.runs` takes it; by default the newest run comes first.
            limit: How many at most.

        Raises:
            UsageError: If a filter or an order names what no run can have.
        """
        return self._ask(lambda connection: self._find(connection, filters or {}, order, limit))

    def records(self, ulids: Sequence[str] | None = None) -> list[Record]:
        """Return what is known of runs, in the order of their ulids as given; of all, newest first, without any."""
        return self._ask(lambda connection: self._records(connection, ulids))

    def page(
        self, filters: Mapping[str, Any] | None = None, order: str | None = None, *, limit: int | None = None
    ) -> list[Record]:
        """Return what is known of the runs that pass a filter; arguments and errors as in `find`."""
        return self._ask(
            lambda connection: self._records(connection, self._find(connection, filters or {}, order, limit))
        )

    def changes(self, since: str = "") -> Changes:
        """Return what became different since an earlier answer's stamp; everything, without one."""

        def work(connection: sa.Connection) -> Changes:
            (epoch, _, count), (now, _, _) = since.partition("/"), self._stamp.partition("/")
            where = schema.runs.c.changed > int(count) if epoch == now else sa.true()
            is_same = since == self._stamp
            return Changes(self._stamp, [] if is_same else list(self._select(connection, where)), self._seen.keys())

        return self._ask(work)

    def projects(self) -> list[Project]:
        """Return the projects, the one that was written to last first."""
        return self._ask(self._projects)

    def _ask(self, work: Callable[[sa.Connection], T]) -> T:
        """Bring the catalogue up to date, then read of it what no other process changes meanwhile."""

        def attempt() -> T:
            for left in reversed(range(_LOOKS)):
                self._sync()
                with self._database.reading() as connection:
                    if _stamp(connection) == self._stamp or not left:
                        self._load(connection)
                        return work(connection)
            raise AssertionError

        return self._safely(attempt)

    def _find(
        self, connection: sa.Connection, filters: Mapping[str, Any], order: str | None, limit: int | None
    ) -> list[str]:
        states = _OpenStates(connection, self._grew_us)
        query = Query(filters, keys=self._keys, open_runs=states)
        by = sql_order(order, keys=self._keys)
        if by is None or not query.is_exact or _has_odd(connection, query, by):
            records = (record for record in self._select(connection, query.where) if matches(record, filters))
            found: list[Record] = ordered(records, order) if order else list(records)
            return [record.ulid for record in found[:limit]]
        source: Any = schema.runs
        if by.key is not None:
            joined = sa.and_(FIELD.c.run == schema.runs.c.run, FIELD.c.key == by.key)
            source = source.outerjoin(FIELD, joined)
        wanted = sa.select(schema.runs.c.ulid).select_from(source).where(query.where).order_by(*by.by).limit(limit)
        return list(connection.scalars(wanted))

    def _select(self, connection: sa.Connection, where: Any) -> Iterator[Record]:
        wanted = _ENTRIES.where(where).order_by(schema.runs.c.ulid.desc())
        for row in connection.execute(wanted):
            yield Record(Entry(*row), seen_us=self._grew_us.get(row[0], 0))

    def _records(self, connection: sa.Connection, ulids: Sequence[str] | None) -> list[Record]:
        if ulids is None:
            return list(self._select(connection, sa.true()))
        found: dict[str, Record] = {}
        for at in range(0, len(ulids), _READ_AT_ONCE):
            chosen = schema.runs.c.ulid.in_(ulids[at : at + _READ_AT_ONCE])
            found |= {record.ulid: record for record in self._select(connection, chosen)}
        return [found[ulid] for ulid in ulids if ulid in found]

    def _projects(self, connection: sa.Connection) -> list[Project]:
        runs = schema.runs.c
        counted = sa.select(runs.entity, runs.project, sa.func.count(), sa.func.max(runs.updated))
        plain = counted.where(sa.not_(runs.is_odd)).group_by(runs.entity, runs.project)
        counts = {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(plain)}
        for record in self._select(connection, runs.is_odd):
            place = record.entity, record.project
            count, updated = counts.get(place, (0, 0))
            counts[place] = count + 1, max(updated, record.updated)
        running: dict[tuple[str, str], int] = {}
        for _, record in _open_records(connection, self._grew_us):
            place = record.entity, record.project
            running[place] = running.get(place, 0) + (record.state == "running")
        found = [Project(*place, count, running.get(place, 0), updated) for place, (count, updated) in counts.items()]
        return sorted(found, key=lambda group: -group.updated)


_IS_STAMP = schema.meta.c.name == "stamp"
_FACTS = (
    schema.runs.c.ulid, schema.runs.c.created, schema.runs.c.updated, schema.runs.c.last_step, schema.runs.c.facts,
)  # fmt: skip
_ENTRIES = sa.select(*_FACTS, schema.documents.c.config, schema.documents.c.summary).where(
    schema.runs.c.run == schema.documents.c.run
)


@contextlib.contextmanager
def _no_collection() -> Generator[None]:
    """Spare the collector the many small things that thousands of runs are read into; none refers back to itself."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _OpenStates:
    """Which of the runs that did not end are in which state now; looked at once, when somebody asks."""

    def __init__(self, connection: sa.Connection, grew_us: Mapping[str, int]) -> None:
        self._connection = connection
        self._grew_us = grew_us
        self._found: dict[str, list[int]] | None = None

    def __call__(self, state: str) -> list[int]:
        if self._found is None:
            self._found = {}
            for run, record in _open_records(self._connection, self._grew_us):
                self._found.setdefault(record.state, []).append(run)
        return self._found.get(state, [])


def _open_records(connection: sa.Connection, grew_us: Mapping[str, int]) -> Iterator[tuple[int, Record]]:
    """Yield number and facts of each run without an exit code."""
    wanted = sa.select(schema.runs.c.run, *_FACTS).where(schema.runs.c.exit_code.is_(None))
    for run, *facts in connection.execute(wanted):
        entry = Entry(*facts, config="{}", summary="{}")
        yield run, Record(entry, seen_us=grew_us.get(entry.ulid, 0))


def _has_odd(connection: sa.Connection, query: Query, by: Order) -> bool:
    """Tell whether any run holds what SQL cannot compare, in the fields that are compared."""
    keys = query.keys | ({by.key} if by.key is not None else set[int]())
    odd = schema.fields.c.key.in_(keys), schema.IS_ODD
    if keys and connection.scalar(sa.select(sa.exists().where(*odd))):
        return True
    return (query.has_texts or by.has_texts) and bool(
        connection.scalar(sa.select(sa.exists().where(schema.runs.c.is_odd)))
    )


def _stamp(connection: sa.Connection) -> str:
    return connection.scalar(sa.select(schema.meta.c.value).where(_IS_STAMP)) or ""


def _is_current(connection: sa.Connection) -> bool:
    if not sa.inspect(connection).has_table(schema.meta.name):
        return False
    version = sa.select(schema.meta.c.value).where(schema.meta.c.name == "version")
    return connection.scalar(version) == schema.VERSION
