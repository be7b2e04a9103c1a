"""Stores full of runs, and a catalogue of each on every kind of database."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from waiting import until

from runhaven.catalogue import schema
from runhaven.catalogue.index import Catalogue
from runhaven.journal.record import Schema
from runhaven.journal.writer import JournalWriter
from runhaven.store.layout import Store
from runhaven.value import flatten, to_cell, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from runhaven.store.layout import RunDirectory

POSTGRES = Path("/usr/lib/postgresql/15/bin")
LONG_AGO_S = 1_700_000_000


class Runs:
    """Writes runs into a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.store.create()
        self.time_us = LONG_AGO_S * 1_000_000
        self.count = 0

    def add(self, run_id: str, *, entity: str = "me", project: str = "p", **session: Any) -> RunDirectory:
        directory = self.store.new_run(entity=entity, project=project, id=run_id)
        self.session(directory, **session)
        return directory

    def session(
        self,
        directory: RunDirectory,
        *,
        meta: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        summary: Mapping[str, Any] | None = None,
        exit_code: int | None = 0,
        **start: Any,
    ) -> None:
        self.count += 1
        writer = JournalWriter(directory.journal, name=f"{self.count:012x}-aaaaaa", header={}, wake=lambda: None)
        self._event(writer, "start", **{"role": "main", "user": "ada", "host": "elsewhere"} | start)
        self._event(writer, "meta", set=dict(meta or {}))
        self._event(writer, "config", set=to_json(dict(config or {})), delete=[])
        cells = {key: to_cell(value) for key, value in flatten(dict(summary or {}))}
        layout = Schema("", tuple((key, kind) for key, (kind, _) in cells.items()))
        values = [value for _, value in cells.values()]
        writer.exclusively(lambda: writer.put_row(writer.layout(layout), self.count, self.time_us, values))
        if exit_code is not None:
            self._event(writer, "finish", exit_code=exit_code)
        writer.close()
        self.age(directory)

    def _event(self, writer: JournalWriter, kind: str, **data: Any) -> None:
        self.time_us += 1000
        writer.exclusively(writer.put_event, {"event": kind, "time": self.time_us, **data})

    def age(self, directory: RunDirectory) -> None:
        """Let it look as if a run changed long ago, each time a little later."""
        at = (LONG_AGO_S + self.count) * 10**9
        os.utime(directory.journal, ns=(at, at))


@pytest.fixture
def runs(store) -> Runs:
    return Runs(Store(store))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "runhaven"


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Generator[str]:
    """Start a PostgreSQL of this session's own; give its URL."""
    if not (POSTGRES / "initdb").is_file():
        pytest.skip(f"no PostgreSQL 15 in {POSTGRES}; install Debian's postgresql-15")
    # Short, for the name of a socket has at most 107 bytes.
    place = Path(tempfile.mkdtemp(prefix="runhaven-pg-", dir="/tmp"))
    place.chmod(0o755)
    is_root = os.getuid() == 0
    # initdb refuses root.
    prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if is_root else []
    if is_root:
        shutil.chown(place, "nobody", "nogroup")
    data = place / "data"
    options = ["-A", "trust", "-U", "tester", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run([*prefix, POSTGRES / "initdb", "-D", data, *options], check=True, capture_output=True, cwd="/")
    settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={place}", "-c", "fsync=off"]
    process = subprocess.Popen(
        [*prefix, POSTGRES / "postgres", "-D", data, *settings], cwd="/", stderr=subprocess.DEVNULL
    )
    try:
        address = f"postgresql+psycopg://tester@/postgres?host={place}"
        engine = sa.create_engine(address)
        until(lambda: _answers(engine), every_s=0.1)
        engine.dispose()
        yield address
    finally:
        # Told to terminate, it would wait for whoever is still connected.
        process.send_signal(signal.SIGINT)
        process.wait()
        shutil.rmtree(place, ignore_errors=True)


def _answers(engine: sa.Engine) -> bool:
    with contextlib.suppress(OperationalError), engine.connect():
        return True
    return False


@pytest.fixture
def database(server) -> Generator[str]:
    """Give the URL of an empty PostgreSQL database."""
    name = f"test{time.monotonic_ns()}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield sa.make_url(server).set(database=name).render_as_string()
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request) -> str | None:
    """Give what `Catalogue` opens: the file in the cache, or an empty database of a server."""
    return None if request.param == "sqlite" else request.getfixturevalue("database")


@pytest.fixture
def open_catalogue(runs, url) -> Generator[Callable[[], Catalogue]]:
    opened: list[Catalogue] = []

    def make() -> Catalogue:
        opened.append(Catalogue(runs.store, url=url))
        return opened[-1]

    yield make
    for catalogue in opened:
        catalogue.close()


@pytest.fixture
def catalogue(open_catalogue) -> Catalogue:
    return open_catalogue()


def dump(catalogue: Catalogue) -> dict[str, list[Any]]:
    """Return all that the tables hold, with names for the numbers that they use among themselves."""
    catalogue.sync()
    runs, keys = schema.runs.c, schema.keys.c
    ulid = sa.select(runs.ulid)
    found: dict[str, list[Any]] = {}
    with catalogue._database.reading() as connection:
        for table in (schema.runs, schema.documents, schema.tags):
            columns = [column for column in table.c if column.name not in ("run", "ulid", "changed")]
            wanted = sa.select(runs.ulid, *columns).where(table.c.run == runs.run)
            found[table.name] = sorted(map(tuple, connection.execute(wanted)), key=repr)
        fields = sa.select(runs.ulid, keys.name, schema.fields.c.kind, schema.fields.c.num, schema.fields.c.txt)
        wanted = fields.where(schema.fields.c.run == runs.run, schema.fields.c.key == keys.key)
        found["fields"] = sorted(map(tuple, connection.execute(wanted)), key=repr)
        found["keys"] = sorted(connection.scalars(sa.select(keys.name)))
        for table in (schema.documents, schema.fields):
            counted = connection.scalar(sa.select(sa.func.count()).select_from(table))
            assert counted == len(found[table.name])
        assert len({*connection.scalars(ulid)}) == len(found["runs"])
    return found
