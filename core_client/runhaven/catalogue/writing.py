"""Writes runs into the tables: each whole or not at all, and only what differs from what stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from runhaven.catalogue import schema
from runhaven.catalogue.field import fields, is_plain, quoted
from runhaven.catalogue.place import insert
from runhaven.catalogue.record import Entry, Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runhaven.catalogue.field import Cell
    from runhaven.catalogue.record import Reading

_AT_ONCE = 500
_TEXTS = ("id", "entity", "project", "name", "user", "host", "group", "job_type")


class _Held(NamedTuple):
    """A run as it stands in the tables."""

    run: int
    seen: int
    entry: Entry


class Writer:
    """Changes the tables within one transaction that keeps all other writers out."""

    def __init__(self, connection: sa.Connection, keys: dict[str, int], *, count: int) -> None:
        """Begin.

        Args:
            connection: Within the transaction.
            keys: The numbers of all keys by name; new ones are added.
            count: Marks what is written.
        """
        self._count = count
        self._connection = connection
        self._keys = keys
        self._last_key = max(keys.values(), default=0)
        self._inserts: dict[sa.Table, list[tuple[Any, ...]]] = {}
        self._deletes: list[tuple[int, int]] = []

    def write(self, readings: Sequence[Reading]) -> list[str]:
        """Put runs in, over what stands there of them; returns which differ from that."""
        held = self._held([reading.record.ulid for reading in readings])
        last = self._connection.scalar(sa.select(sa.func.max(schema.runs.c.run))) or 0
        replaced: list[int] = []
        changed: list[str] = []
        for reading in readings:
            old = held.get(reading.record.ulid)
            if old is None:
                last += 1
                changed.append(reading.record.ulid)
                self._put(last, reading)
                self._put_fields(last, _fields(reading.record), {})
            elif (old.seen, old.entry) != (reading.seen, reading.record.kept):
                replaced.append(old.run)
                changed.append(reading.record.ulid)
                self._put(old.run, reading)
                self._put_fields(old.run, _fields(reading.record), _fields(Record(old.entry)))
        self._flush(replaced)
        return changed

    def remove(self, ulids: Sequence[str]) -> None:
        """Take runs out."""
        held = self._held(ulids)
        for old in held.values():
            self._put_fields(old.run, {}, _fields(Record(old.entry)))
        self._flush([old.run for old in held.values()])

    def _held(self, ulids: Sequence[str]) -> dict[str, _Held]:
        runs, documents = schema.runs.c, schema.documents.c
        kept = runs.ulid, runs.created, runs.updated, runs.last_step, runs.facts, documents.config, documents.summary
        wanted = sa.select(runs.run, runs.seen, *kept).where(runs.run == documents.run)
        found: dict[str, _Held] = {}
        for at in range(0, len(ulids), _AT_ONCE):
            for run, seen, *entry in self._connection.execute(wanted.where(runs.ulid.in_(ulids[at : at + _AT_ONCE]))):
                found[entry[0]] = _Held(run, seen, Entry(*entry))
        return found

    def _put(self, run: int, reading: Reading) -> None:
        record, kept = reading.record, reading.record.kept
        texts = [text if is_plain(text) else None for text in map(record.facts.__getitem__, _TEXTS)]
        words = [tag for tag in record.tags if is_plain(tag)]
        is_odd = None in texts or len(words) < len(record.tags)
        times = kept.created, kept.updated, record.runtime_s
        exit_code = record.signs.exit_code
        row = run, kept.ulid, reading.seen, self._count, *texts, is_odd, *times, kept.last_step, exit_code, kept.facts
        self._insert(schema.runs, row)
        self._insert(schema.documents, (run, kept.config, kept.summary))
        for word in dict.fromkeys(words):
            self._insert(schema.tags, (word, run))

    def _put_fields(self, run: int, new: Mapping[str, Cell], old: Mapping[str, Cell]) -> None:
        rows, keys = self._inserts.setdefault(schema.fields, []), self._keys
        if not old:
            rows += [(keys.get(name) or self._key(name), run, *found) for name, found in new.items()]
            return
        for name in {**old, **new}:
            was, found = old.get(name), new.get(name)
            if was != found:
                key = self._key(name)
                if was is not None:
                    self._deletes.append((key, run))
                if found is not None:
                    rows.append((key, run, *found))

    def _key(self, name: str) -> int:
        """Return the number of a key, giving it one if it is new."""
        word = quoted(name)
        if word not in self._keys:
            self._last_key += 1
            self._keys[word] = self._last_key
            self._insert(schema.keys, (self._last_key, word))
        key = self._keys[name] = self._keys[word]
        return key

    def _insert(self, table: sa.Table, row: tuple[Any, ...]) -> None:
        self._inserts.setdefault(table, []).append(row)

    def _flush(self, replaced: Sequence[int]) -> None:
        for table in (schema.runs, schema.documents, schema.tags):
            for at in range(0, len(replaced), _AT_ONCE):
                self._connection.execute(table.delete().where(table.c.run.in_(replaced[at : at + _AT_ONCE])))
        if self._deletes:
            chosen = schema.fields.c.key == sa.bindparam("k"), schema.fields.c.run == sa.bindparam("r")
            self._connection.execute(
                schema.fields.delete().where(*chosen), [{"k": k, "r": r} for k, r in self._deletes]
            )
        for table, rows in self._inserts.items():
            if rows:
                insert(self._connection, table, rows)
        self._drop_unused({key for key, _ in self._deletes} - {key for key, *_ in self._inserts.get(schema.fields, ())})
        self._inserts, self._deletes = {}, []

    def _drop_unused(self, touched: set[int]) -> None:
        """Forget the keys that no run has any more."""
        for key in sorted(touched):
            is_used = sa.select(schema.fields.c.run).where(schema.fields.c.key == key).limit(1)
            if self._connection.scalar(is_used) is None:
                self._connection.execute(schema.keys.delete().where(schema.keys.c.key == key))
                for name in [name for name, number in self._keys.items() if number == key]:
                    del self._keys[name]


def _fields(record: Record) -> dict[str, Cell]:
    return fields(record.config, record.summary)
