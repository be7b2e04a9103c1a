"""Where a catalogue lies: a SQLite file on a local disk, memory, or a database server."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import StaticPool

from runhaven.store.directory import cache_directory
from runhaven.store.ids import is_ulid

if TYPE_CHECKING:
    from collections.abc import Generator

    from runhaven.store.layout import Store

_WAIT_S = 60
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNUSABLE = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}
)


def catalogue_path(store: Store) -> Path | None:
    """Return where a store's catalogue lies on this machine; None for a store that has no id."""
    try:
        found = json.loads((store.root / "runhaven.json").read_text("utf-8"))["store"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if not isinstance(found, str) or not is_ulid(found):
        return None
    # A copy of a store has the id of the original.
    place = hashlib.sha256(os.fsencode(store.root.resolve())).hexdigest()[:8]
    return cache_directory() / found / f"catalogue-{place}.db"


class Place:
    """Opens connections to one database, and knows in what its kind differs from others.

    Attributes:
        path: The SQLite file; None elsewhere.
        engine: The database.
    """

    def __init__(self, target: Path | str | None) -> None:
        """Open a database.

        Args:
            target: A SQLite file, an SQLAlchemy URL, or None for memory.

        Raises:
            sqlalchemy.exc.DBAPIError: If it cannot be opened.
            OSError: If the file's directory cannot be made.
        """
        self.path = target if isinstance(target, Path) else None
        if self.path is not None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.engine = _server(target) if isinstance(target, str) else _sqlite(self.path)
        self._inode = self._found_inode()

    @property
    def is_server(self) -> bool:
        """Whether it is a database server, which others write at the same time."""
        return self.engine.dialect.name != "sqlite"

    def _found_inode(self) -> int | None:
        if self.path is None:
            return None
        with self.engine.connect():
            pass
        return _inode(self.path)

    def is_gone(self) -> bool:
        """Tell whether somebody deleted or replaced the file since it was opened."""
        return self.path is not None and _inode(self.path) != self._inode

    @contextlib.contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """Show one state of the database, whatever others write meanwhile."""
        with self.engine.connect() as connection:
            if self.is_server:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")  # noqa: PLW2901
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def writing(self) -> Generator[sa.Connection]:
        """Keep all other writers out; what is written shows at the end, or not at all."""
        with self.engine.connect() as connection:
            connection = connection.execution_options(is_writing=True)  # noqa: PLW2901
            with connection.begin():
                if self.is_server:
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
                yield connection

    def close(self, *, is_ours: bool = True) -> None:
        """Let go of the database; a forked child leaves the connections alone, for they are its parent's."""
        self.engine.dispose(close=is_ours)


def insert(connection: sa.Connection, table: sa.Table, rows: list[tuple[Any, ...]]) -> None:
    """Put rows into a table by the quickest way there is: a first look at a store brings a million.

    Args:
        connection: Within a transaction.
        table: The table, whose columns begin with its primary key.
        rows: Values in the order of its columns; they are sorted.
    """
    # Neighbours in the table go in one after another; in SQLite, where many rows share a statement, that halves the time.
    rows.sort(key=itemgetter(0))
    # A dict for each of a million rows, as SQLAlchemy wants them, would take twice the time.
    statement = str(table.insert().compile(dialect=connection.dialect))
    if connection.dialect.driver == "psycopg":
        names = ", ".join(map(connection.dialect.identifier_preparer.format_column, table.columns))
        cursor: Any = connection.connection.cursor()
        with cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    if connection.dialect.name == "sqlite":
        together = _MOST_VARIABLES // len(table.columns)
        whole = len(rows) - len(rows) % together
        if whole:
            values = f", ({', '.join('?' * len(table.columns))})"
            parts = [tuple(chain.from_iterable(rows[at : at + together])) for at in range(0, whole, together)]
            connection.exec_driver_sql(statement + values * (together - 1), parts)
        rows = rows[whole:]
    if rows:
        connection.exec_driver_sql(statement, rows)


_MOST_VARIABLES = 900
"""SQLite before 3.32 takes 999 in a statement."""


def remove_database(path: Path) -> None:
    """Delete a SQLite file and what belongs to it."""
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            os.unlink(f"{path}{ending}")  # noqa: PTH108 - three names of one file


_LOCK = 0x52554E48
"""Names our lock among those of a PostgreSQL database; of no other meaning."""


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _server(url: str) -> sa.Engine:
    # Rows come as tuples, in the order of the columns.
    return sa.create_engine(url, paramstyle="format") if url.startswith("postgresql") else sa.create_engine(url)


def _sqlite(path: Path | None) -> sa.Engine:
    url = sa.URL.create("sqlite", database=None if path is None else str(path))
    # One connection: what is in memory is gone with it, and who holds a catalogue holds its lock.
    engine = sa.create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False, "timeout": _WAIT_S})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    # sqlite3's own ideas about transactions would leave reads without one.
    connection.isolation_level = None
    for pragma in (
        "page_size=16384",
        "journal_mode=WAL",
        "wal_autocheckpoint=4000",
        "synchronous=NORMAL",
        "cache_size=-65536",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    is_writing = connection.get_execution_options().get("is_writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def is_busy(error: BaseException) -> bool:
    """Tell whether others keep a SQLite file locked: it may go better in a moment."""
    return _code(error) in _BUSY


def is_broken(error: BaseException) -> bool:
    """Tell whether a SQLite file holds no database any more: it is to be deleted."""
    return _code(error) in _BROKEN


def is_unusable(error: BaseException) -> bool:
    """Tell whether a SQLite file cannot be used where it lies: memory has to do."""
    return isinstance(error, OSError) or _code(error) in _UNUSABLE


def _code(error: BaseException) -> int:
    cause: Any = getattr(error, "orig", error)
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF if isinstance(cause, sqlite3.Error) else 0
