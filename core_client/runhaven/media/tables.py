"""Tables made of other tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven.errors import UsageError
from runhaven.media.kind import Media
from runhaven.media.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runhaven.media.kind import Reference, Sink


class JoinedTable(Media):
    """Two tables side by side, where a column of both has the same value."""

    type_name = "joined-table"
    list_type = "joined-tables"

    def __init__(self, table1: Any, table2: Any, join_key: str) -> None:
        """Join two tables, or references to them.

        Args:
            table1: The left one.
            table2: The right one.
            join_key: The column that both have.
        """
        self._tables: list[Any] = [table1, table2]
        self._key = join_key

    def check(self) -> None:
        """Look for the column."""
        for table in self._tables:
            if isinstance(table, Table) and self._key not in table.columns:
                message = f"a table without the column {self._key!r} cannot be joined on it; it has {table.columns}."
                raise UsageError(message)

    def weight(self) -> int:
        """Add both up."""
        return sum(table.weight() for table in self._tables if isinstance(table, Media))

    def snapshot(self) -> Media:
        """Take both as they are."""
        one, other = (table.snapshot() if isinstance(table, Media) else dict(table) for table in self._tables)
        return JoinedTable(one, other, self._key)

    def keep(self, sink: Sink) -> Reference:
        """Keep both."""
        one, other = (table.keep(sink) if isinstance(table, Media) else table for table in self._tables)
        return {"_type": self.type_name, "join_key": self._key, "table1": one, "table2": other}


class PartitionedTable(Media):
    """A table whose parts are the tables below a path of an artifact."""

    type_name = "partitioned-table"

    def __init__(self, parts_path: str) -> None:
        """Name the path."""
        self.parts_path = str(parts_path)
        self._parts: list[Table] = []

    def add_part(self, table: Table) -> None:
        """Add a part that was read."""
        self._parts.append(table)

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Go through the rows of all parts that were read."""
        yield from enumerate(row for part in self._parts for row in part.data)

    def keep(self, sink: Sink) -> Reference:  # noqa: ARG002 - the parts lie in their artifact
        """Name the path."""
        return {"_type": self.type_name, "parts_path": self.parts_path}
