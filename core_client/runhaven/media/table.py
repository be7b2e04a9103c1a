"""Tables whose cells are anything, media too."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias, cast, get_args

from runhaven.errors import UsageError
from runhaven.media import cell, filing
from runhaven.media.kind import Media
from runhaven.missing import require
from runhaven.rich import bare_kind
from runhaven.value import family, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from runhaven.media.kind import Reference, Sink

LogMode: TypeAlias = Literal["IMMUTABLE", "MUTABLE", "INCREMENTAL"]
Column: TypeAlias = "str | int"

_DEFAULT_COLUMNS = ("Input", "Output", "Expected")
_MOST_PARTS = 100
_WORDS: dict[Any, str] = {int: "number", float: "number", str: "string", bool: "boolean"}


class Table(Media):
    """A table. Each `log()` keeps it as it is then, whatever its mode; INCREMENTAL keeps the rows since the last one.

    Attributes:
        columns: The names of the columns.
        data: The rows.
        log_mode: "IMMUTABLE", "MUTABLE" or "INCREMENTAL".
    """

    type_name = "table-file"
    list_type = "tables"
    file_suffix = "table"
    MAX_ROWS: ClassVar[int] = 10000
    MAX_ARTIFACT_ROWS: ClassVar[int] = 200000

    def __init__(  # noqa: PLR0913, PLR0917 - W&B's signature
        self,
        columns: Sequence[Column] | None = None,
        data: Any = None,
        rows: Any = None,
        dataframe: Any = None,
        dtype: Any = None,
        optional: bool | Sequence[bool] = True,
        allow_mixed_types: bool = False,
        log_mode: LogMode | None = "IMMUTABLE",
    ) -> None:
        """Make a table.

        Args:
            columns: The names of the columns; of a frame its own, otherwise "Input", "Output" and "Expected" by default.
            data: Rows, a two-dimensional array, or a frame.
            rows: An older name for `data`.
            dataframe: A frame of pandas'.
            dtype: The type of each column, or of all: int, float, str or bool.
            optional: Whether cells may be None; for all columns, or one by one.
            allow_mixed_types: Whether the cells of a column may be of several types without a word.
            log_mode: "INCREMENTAL" keeps with each `log()` only the rows since the last one.

        Raises:
            UsageError: If a row has not as many cells as there are columns, or the mode is not known.
        """
        self.log_mode: LogMode = log_mode or "IMMUTABLE"
        if self.log_mode not in get_args(LogMode):
            message = f"log_mode={log_mode!r} is not known; choose one of {', '.join(get_args(LogMode))}."
            raise UsageError(message)
        frame = dataframe if dataframe is not None else data if bare_kind(data) == "frame" else None
        given: Any = frame if frame is not None else data if data is not None else rows
        names, found = _rows(given, None if columns is None else list(columns))
        self.columns: list[Column] = names
        self.data: list[list[Any]] = []
        self._allows_mixed = allow_mixed_types
        self._optional = [optional] * len(names) if isinstance(optional, bool) else list(optional)
        self._wanted: dict[Column, str] = {}
        self._keys: dict[str, Any] = {}
        self._parts = _Parts()
        self._part: _Part | None = None
        for row in found:
            self.add_data(*row)
        kinds = cast("list[Any]", dtype) if isinstance(dtype, list | tuple) else [dtype] * len(names)
        for name, kind in zip(names, kinds, strict=False):
            if kind is not None:
                self.cast(name, kind, optional=True)

    # Filling

    def add_data(self, *data: Any) -> None:
        """Add a row.

        Raises:
            UsageError: If it has not as many cells as there are columns.
        """
        if len(data) != len(self.columns):
            message = f"a row of {len(data)} cells does not fit a table of {len(self.columns)} columns: {self.columns}."
            raise UsageError(message)
        self.data.append(list(data))

    def add_row(self, *row: Any) -> None:
        """Add a row; W&B's old name for `add_data`."""
        self.add_data(*row)

    def add_column(self, name: Column, data: Any, optional: bool = False) -> None:
        """Add a column.

        Raises:
            UsageError: If it has not as many cells as there are rows, or its name is taken.
        """
        cells = list(data.tolist() if family(data) in ("numpy", "torch") else data)
        if name in self.columns or (self.columns and len(cells) != len(self.data)):
            message = f"column {name!r} of {len(cells)} cells does not fit {len(self.data)} rows of {self.columns}."
            raise UsageError(message)
        if not self.columns:
            self.data = [[] for _ in cells]
        self.columns.append(name)
        self._optional.append(optional)
        for row, value in zip(self.data, cells, strict=True):
            row.append(value)
        self._parts.starts_again = True

    def add_computed_columns(self, fn: Callable[[int, dict[Column, Any]], dict[str, Any]]) -> None:
        """Add the columns that a function makes of each row's number and cells."""
        made = [fn(index, dict(zip(self.columns, row, strict=True))) for index, row in enumerate(self.data)]
        for name in made[0] if made else ():
            self.add_column(name, [values[name] for values in made], optional=True)

    def cast(self, col_name: Column, dtype: Any, optional: bool = False) -> str:
        """Say of which type a column is.

        Returns:
            The word for the type.

        Raises:
            UsageError: If there is no such column, or a cell is of another type.
        """
        word = _WORDS.get(dtype, str(getattr(dtype, "type_name", dtype)))
        found = {cell.type_word(value) for value in self.get_column(col_name)} - {"none"}
        if found - {word}:
            message = f"column {col_name!r} holds {', '.join(sorted(found))}, so it cannot be cast to {word}."
            raise UsageError(message)
        self._wanted[col_name] = word
        self._optional[self._index(col_name)] = optional
        return word

    def set_pk(self, col_name: Column) -> None:
        """Say that a column names the rows."""
        self._index(col_name)
        self._keys["primary"] = col_name

    def set_fk(self, col_name: Column, table: Table, table_col: str) -> None:
        """Say that a column names the rows of another table."""
        self._index(col_name)
        table._index(table_col)
        self._keys.setdefault("foreign", {})[str(col_name)] = table_col

    # Reading

    def _index(self, name: Column) -> int:
        if name in self.columns:
            return self.columns.index(name)
        message = f"there is no column {name!r}; the table has {self.columns}."
        raise UsageError(message)

    def get_column(self, name: Column, convert_to: Literal["numpy"] | None = None) -> Any:
        """Return the cells of a column, as a list or an array of NumPy's."""
        index = self._index(name)
        cells = [row[index] for row in self.data]
        return require("numpy", feature="get_column(convert_to='numpy')").array(cells) if convert_to else cells

    def get_index(self) -> list[int]:
        """Return the numbers of the rows."""
        return list(range(len(self.data)))

    def index_ref(self, index: int) -> int:
        """Return the number of a row.

        Raises:
            UsageError: If there is none.
        """
        if 0 <= index < len(self.data):
            return index
        message = f"there is no row {index}; the table has {len(self.data)}."
        raise UsageError(message)

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Go through the rows with their numbers."""
        yield from enumerate(self.data)

    def get_dataframe(self) -> Any:
        """Return a frame of pandas'."""
        return require("pandas", feature="get_dataframe()").DataFrame(self.data, columns=self.columns)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.data)

    def __eq__(self, other: object) -> bool:
        """Compare columns and rows."""
        return isinstance(other, Table) and self.columns == other.columns and self.data == other.data

    __hash__ = None  # pyright: ignore[reportAssignmentType] - a table changes

    # The way to the store

    def doubts(self) -> list[str]:
        """Look for more rows than W&B keeps, columns of several types, and cells that are missing and should not be."""
        found: list[str] = []
        if len(self.data) > self.MAX_ROWS:
            found.append(
                f"a table of more than {self.MAX_ROWS} rows is much for a log(); add it to an artifact instead"
            )
        for index, (name, words) in enumerate(zip(self.columns, self._types(), strict=True)):
            if "none" in words and not self._optional[index]:
                found.append(f"column {name!r} of a table holds None and is not optional")
            mixed = words - {"none"}
            wanted = self._wanted.get(name)
            if (len(mixed) > 1 or (wanted and mixed - {wanted})) and not self._allows_mixed:
                found.append(
                    f"column {name!r} of a table holds {' and '.join(sorted(mixed))}; pass allow_mixed_types=True to mean it"
                )
        return found

    def _types(self) -> list[set[str]]:
        return [{cell.type_word(row[index]) for row in self.data} for index in range(len(self.columns))]

    def weight(self) -> int:
        """Return about how many bytes it holds."""
        return sum(map(cell.weigh_row, self.data))

    def snapshot(self) -> Table:
        """Copy the rows, or the new ones of an incremental table."""
        return self._taken(self._parts.take(len(self.data)) if self.log_mode == "INCREMENTAL" else None)

    def _taken(self, part: _Part | None) -> Table:
        taken = copy.copy(self)
        vars(taken).update(
            columns=list(self.columns),
            data=[cell.take_row(row) for row in self.data[part.first if part else 0 :]],
            _optional=list(self._optional),
            _wanted=dict(self._wanted),
            _keys=dict(self._keys),
            _part=part,
        )
        return taken

    def keep(self, sink: Sink) -> Reference:
        """Write JSON; of a snapshot."""
        if self._part is None:
            return self.described(self.write(sink))
        return {"ncols": len(self.columns), **self._parts.add(self._part, lambda: self.write(sink))}

    def write(self, sink: Sink) -> Reference:
        """Keep the rows, whatever was kept of them before."""
        content = self.content(sink)
        data = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
        return sink.put(data, "table.json") | {"ncols": content["ncols"], "nrows": content["nrows"]}

    def content(self, sink: Sink) -> dict[str, Any]:
        """Return the JSON of the rows, once the media in their cells are kept."""
        rows = [[cell.keep(value, sink) for value in row] for row in self.data]
        types = [sorted({_word(row[index]) for row in rows}) for index in range(len(self.columns))]
        content = {"columns": self.columns, "column_types": types, "data": rows}
        keys = {"keys": to_json(self._keys)} if self._keys else {}
        return {**content, "ncols": len(self.columns), "nrows": len(rows), **keys}

    # As a file of an artifact

    def file(self, sink: Sink) -> dict[str, Any]:
        """Return the JSON of all rows."""
        return {"_type": self.file_suffix, **self._taken(None).content(sink)}

    @classmethod
    def from_reference(cls, reference: Reference, artifact: filing.Artifact) -> Table:
        """Make the table, and the media in its cells, of its JSON."""
        content = reference if "columns" in reference else filing.read_json(artifact, reference)
        return cls.of(content, lambda value: cell.restore(value, artifact))

    @classmethod
    def of(cls, content: Mapping[str, Any], restore: Callable[[Any], Any]) -> Table:
        """Make the table of its JSON."""
        table = cls(columns=content["columns"], allow_mixed_types=True)
        table.data = [[restore(value) for value in row] for row in content["data"]]
        table._keys = dict(content.get("keys", {}))
        return table


class _Part(NamedTuple):
    number: int
    first: int


class _Parts:
    """What an incremental table has kept of itself."""

    def __init__(self) -> None:
        self._kept: list[Reference] = []
        self._number = -1
        self._rows = 0
        self.starts_again = True

    def take(self, count: int) -> _Part:
        """Return the rows from the first that was not logged yet; from 0 where the table is to be kept whole."""
        self._number += 1
        is_whole = self.starts_again or self._number % _MOST_PARTS == 0
        first = 0 if is_whole else self._rows
        self._rows, self.starts_again = count, False
        return _Part(self._number, first)

    def add(self, part: _Part, write: Callable[[], Reference]) -> Reference:
        """Keep a part; returns what stands for the whole table."""
        try:
            written = write()
        except Exception:
            self.starts_again = True
            raise
        self._kept = [*(self._kept if part.first else []), written]
        return {
            "_type": "incremental-table-file",
            "format": "table.json",
            "log_mode": "INCREMENTAL",
            "increment_num": part.number,
            "nrows": sum(one["nrows"] for one in self._kept),
            "parts": self._kept,
        }


def _word(value: Any) -> str:
    """Return the word for the type of a cell's JSON."""
    if not isinstance(value, dict):
        return cell.type_word(value)
    name = str(cast("dict[str, Any]", value).get("_type", "dict"))
    return "number" if name == "float" else name


def _rows(given: Any, columns: list[Column] | None) -> tuple[list[Column], list[list[Any]]]:
    """Return the columns and rows of a frame, an array or a list of rows."""
    if bare_kind(given) == "frame":
        names: list[Column] = [name if isinstance(name, int) else str(name) for name in given.columns]
        return columns or names, [list(row) for row in given.itertuples(index=False, name=None)]
    if given is not None and family(given) in ("numpy", "torch"):
        given = given.tolist()
    found: list[list[Any]] = [list(row) for row in given] if given is not None else []
    if columns is None:
        columns = (
            list(_DEFAULT_COLUMNS)
            if not found or len(found[0]) == len(_DEFAULT_COLUMNS)
            else list(range(len(found[0])))
        )
    return columns, found
