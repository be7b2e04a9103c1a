"""The tables, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    literal_column,
)
from sqlalchemy.dialects import postgresql

VERSION = "2"
"""Changes with the tables or with what is kept in them: a catalogue of another version is made anew."""

OTHER, NUMBER, NAN, TEXT, NONE = range(5)
"""What a field holds. OTHER (lists, dicts, great integers, odd or long texts) only the run's document can tell."""

# As Python compares: code point by code point.
_WORD = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

metadata = MetaData()

meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

runs = Table(
    "runs",
    metadata,
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("ulid", _WORD, nullable=False, unique=True),
    # The journal directory's time when the run was read; 0 when it has to be read again.
    Column("seen", BigInteger, nullable=False),
    # The count of changes to the tables when this run was written last.
    Column("changed", BigInteger, nullable=False),
    # Null where the text is not plain; `is_odd` says so, and the facts hold it.
    Column("id", _WORD),
    Column("entity", _WORD),
    Column("project", _WORD),
    Column("name", _WORD),
    Column("user", _WORD),
    Column("host", _WORD),
    Column("group", _WORD),
    Column("job_type", _WORD),
    Column("is_odd", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("runtime_s", Double, nullable=False),
    Column("last_step", BigInteger),
    Column("exit_code", BigInteger),
    # What the rest comes from, as JSON: signs of the state, notes, tags, odd texts.
    Column("facts", Text, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("config", Text, nullable=False),
    Column("summary", Text, nullable=False),
)

tags = Table(
    "tags",
    metadata,
    Column("tag", _WORD, primary_key=True),
    Column("run", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

keys = Table(
    "keys",
    metadata,
    Column("key", Integer, primary_key=True, autoincrement=False),
    # ASCII: `quoted` writes odd ones so.
    Column("name", _WORD, nullable=False, unique=True),
)

# A key's values lie side by side, so that a filter or an order reads one stretch.
fields = Table(
    "fields",
    metadata,
    Column("key", Integer, primary_key=True, autoincrement=False),
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, nullable=False),
    Column("num", Double),
    Column("txt", _WORD),
    sqlite_with_rowid=False,
)

# Written out, not bound: a database takes an index of some rows only where it sees that no others are asked for.
IS_ODD = fields.c.kind == literal_column(str(OTHER))
"""Whether only the run's document can tell what a field holds."""

# Few fields are odd, and each question asks whether any of those that it compares is.
Index("odd_fields", fields.c.key, sqlite_where=IS_ODD, postgresql_where=IS_ODD)
