"""Tables made of other tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven.errors import UsageError
from runhaven.media.kind import Media
from runhaven.media.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runhaven.media import filing
    from runhaven.media.kind import Reference, Sink


class JoinedTable(Media):
    """Two tables side by side, where a column of both has the same value."""

    type_name = "joined-table"
    list_type = "joined-tables"

    def __init__(self, table1: Any, table2: Any, join_key: str) -> None:
        """Join two tables.

        Args:
            table1: The left one: a table, an artifact's entry for one, or its path in the artifact that this is added to.
            table2: The right one.
            join_key: The column that both have.
        """
        self._tables: list[Any] = [_opened(table) for table in (table1, table2)]
        self._key = join_key

    def check(self) -> None:
        """Look for the column."""
        for table in self._tables:
            if isinstance(table, Table):
                if self._key not in table.columns:
                    message = (
                        f"a table without the column {self._key!r} cannot be joined on it; it has {table.columns}."
                    )
                    raise UsageError(message)
            elif not isinstance(table, str):
                message = f"JoinedTable joins tables, not {type(table).__name__}."
                raise UsageError(message)

    def weight(self) -> int:
        """Add both up."""
        return sum(table.weight() for table in self._tables if isinstance(table, Table))

    def snapshot(self) -> Media:
        """Take both as they are."""
        one, other = (table.snapshot() if isinstance(table, Table) else table for table in self._tables)
        return JoinedTable(one, other, self._key)

    def keep(self, sink: Sink) -> Reference:
        """Keep both."""
        one, other = (table.keep(sink) if isinstance(table, Table) else {"path": table} for table in self._tables)
        return {"_type": self.type_name, "join_key": self._key, "table1": one, "table2": other}

    @classmethod
    def from_reference(cls, reference: Reference, artifact: filing.Artifact) -> JoinedTable:
        """Read both."""
        one, other = (Table.from_reference(reference[name], artifact) for name in ("table1", "table2"))
        return cls(one, other, reference["join_key"])

    def to_table(self) -> Table:
        """Return all rows, as a full outer join: those of the left one in order, then what only the right one has.

        A column that both have besides the key is called `1.<name>` and `2.<name>`.

        Raises:
            UsageError: If a table is not at hand, or lacks the column.
        """
        self.check()
        one, other = self._tables
        if isinstance(one, str) or isinstance(other, str):
            message = "the tables of this join are paths; get() it from its artifact first."
            raise UsageError(message)
        (left, before), (right, after) = _by_key(one, self._key), _by_key(other, self._key)
        names = [f"1.{name}" if name in after else str(name) for name in before]
        names += [f"2.{name}" if name in before else str(name) for name in after]
        joined = Table(columns=[self._key, *names], allow_mixed_types=True)
        for key in dict.fromkeys([*left, *right]):
            for row in left.get(key, [[None] * len(before)]):
                for found in right.get(key, [[None] * len(after)]):
                    joined.add_data(key, *row, *found)
        return joined


def _opened(table: Any) -> Any:
    """Return the table that an entry of an artifact stands for; anything else as it is."""
    owner = getattr(table, "owner", None)
    return table if owner is None else owner.get(table.path)


def _by_key(table: Table, key: str) -> tuple[dict[Any, list[list[Any]]], list[Any]]:
    """Return the rows of a table by their key, and the names of the other columns."""
    at = table.columns.index(key)
    found: dict[Any, list[list[Any]]] = {}
    for row in table.data:
        found.setdefault(row[at], []).append(row[:at] + row[at + 1 :])
    return found, table.columns[:at] + table.columns[at + 1 :]


class PartitionedTable(Media):
    """A table whose parts are the tables below a folder of an artifact."""

    type_name = "partitioned-table"

    def __init__(self, parts_path: str) -> None:
        """Name the folder."""
        self.parts_path = str(parts_path).rstrip("/")
        self._parts: list[Table] = []

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Go through the rows of all parts, in the order of their names; of a table that came from an artifact."""
        yield from enumerate(row for part in self._parts for row in part.data)

    def keep(self, sink: Sink) -> Reference:  # noqa: ARG002 - the parts lie in their artifact
        """Name the folder."""
        return {"_type": self.type_name, "parts_path": self.parts_path}

    @classmethod
    def from_reference(cls, reference: Reference, artifact: filing.Artifact) -> PartitionedTable:
        """Read the parts."""
        whole = cls(reference["parts_path"])
        paths = sorted(path for path in artifact.manifest.entries if path.startswith(f"{whole.parts_path}/"))
        whole._parts = [Table.from_artifact(path, artifact) for path in paths if path.endswith(".table.json")]
        return whole
