"""Tables page by page: sorted, searched and joined here, so that a browser gets the rows on its screen alone."""

from __future__ import annotations

import json
import operator
import re
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from runhaven.errors import NotFoundError
from runhaven_server.media.shapes import ColumnShape, TablePage
from runhaven_server.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runhaven_server.artifacts.shapes import PlaceShape
    from runhaven_server.artifacts.shelf import Shelf
    from runhaven_server.media.shapes import TableQuery

_KEPT_BYTES = 256 << 20
_KEPT_ORDERS = 64
_COMPARISON = re.compile(r'("[^"]+"|\S+?)\s*(<=|>=|!=|==|=|<|>)\s*("[^"]*"|\S+)')
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "!=": operator.ne, "=": operator.eq,
    "==": operator.eq,
}  # fmt: skip


class Table(NamedTuple):
    """A table as it was read."""

    columns: list[str]
    types: list[list[str]]
    rows: list[list[Any]]


class Tables:
    """Reads tables of a store; those that were read last are kept, for what has a hash never changes."""

    def __init__(self, shelf: Shelf) -> None:
        """Read nothing yet."""
        self._shelf = shelf
        self._read: Recent[tuple[str, ...], Table] = Recent(_KEPT_BYTES)
        self._orders: Recent[str, list[int]] = Recent(_KEPT_ORDERS)

    def page(self, query: TableQuery) -> TablePage:
        """Return a stretch of the rows that match, in the order asked for.

        Raises:
            NotFoundError: If the store does not hold a part, or it is no table.
        """
        table = self._open(query)
        order = self._order(table, query)
        shown = order[query.start : query.start + query.count]
        columns = [ColumnShape(name=name, types=types) for name, types in zip(table.columns, table.types, strict=True)]
        rows = [[at, *table.rows[at]] for at in shown]
        return TablePage.model_construct(columns=columns, total=len(table.rows), matching=len(order), rows=rows)

    def _open(self, query: TableQuery) -> Table:
        sides = [self._whole(tuple(parts), query.within) for parts in query.tables]
        return sides[0] if len(sides) == 1 else _join(sides[0], sides[1], query.join_key)

    def _whole(self, parts: tuple[str, ...], within: PlaceShape | None) -> Table:
        """Return the table of some parts, one after the other."""
        # The hash of media in chunks leads to them by their name, which anybody may give: elsewhere it may lead to others.
        name = (within.model_dump_json() if within else "", *parts)
        found = self._read.get(name)
        if found is None:
            texts = [self._shelf.read(sha256, within) for sha256 in parts]
            found = _stacked([_parse(text) for text in texts])
            # Parsed, text takes several times its size.
            self._read.put(name, found, 6 * sum(map(len, texts)))
        return found

    def _order(self, table: Table, query: TableQuery) -> list[int]:
        name = query.model_dump_json(exclude={"start", "count"})
        order = self._orders.get(name)
        if order is None:
            matches = _matcher(query.search, table.columns)
            order = [at for at, row in enumerate(table.rows) if matches(row)]
            if query.sort is not None and query.sort < len(table.columns):
                at = query.sort
                order.sort(key=lambda row: _sort_key(table.rows[row][at]), reverse=query.down)
                order.sort(key=lambda row: table.rows[row][at] is None)
            self._orders.put(name, order)
        return order


def _parse(text: bytes) -> Table:
    try:
        content: Any = json.loads(text)
        columns = [str(name) for name in content["columns"]]
        rows = [[*row, *[None] * (len(columns) - len(row))] for row in content["data"]]
    except (ValueError, KeyError, TypeError) as error:
        message = f"the bytes are no table ({error!r})."
        raise NotFoundError(message) from None
    types: list[list[str]] = content.get("column_types") or [[] for _ in columns]
    return Table(columns, types, rows)


def _stacked(tables: Sequence[Table]) -> Table:
    first = tables[0]
    types = [sorted({word for table in tables for word in table.types[at]}) for at in range(len(first.columns))]
    return Table(first.columns, types, [row for table in tables for row in table.rows])


def _join(left: Table, right: Table, key: str) -> Table:
    """Put two tables side by side where a column of both has the same value; rows without a partner stay."""
    if key not in left.columns or key not in right.columns:
        message = f"both tables need a column {key!r} to be joined on."
        raise NotFoundError(message)
    mine, theirs = left.columns.index(key), right.columns.index(key)
    partners: dict[str, list[Any]] = {json.dumps(row[theirs]): row for row in right.rows}
    others = [at for at in range(len(right.columns)) if at != theirs]
    columns = [*left.columns, *(_distinct(right.columns[at], left.columns) for at in others)]
    rows: list[list[Any]] = []
    for row in left.rows:
        partner = partners.pop(json.dumps(row[mine]), None)
        rows.append([*row, *(partner[at] if partner else None for at in others)])
    for partner in partners.values():
        blank = [None] * len(left.columns)
        blank[mine] = partner[theirs]
        rows.append([*blank, *(partner[at] for at in others)])
    return Table(columns, [*left.types, *(right.types[at] for at in others)], rows)


def _distinct(name: str, taken: Sequence[str]) -> str:
    return f"{name} (2)" if name in taken else name


def _sort_key(value: Any) -> tuple[int, Any]:
    """Order numbers, then texts, then the rest by what it shows."""
    if isinstance(value, bool | int | float):
        return 0, value
    return 1, _text(value)


def _text(value: Any) -> str:
    """Return what of a cell can be searched for."""
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        return str(found.get("caption") or found.get("value") or "").lower() if "_type" in found else str(found).lower()
    return "" if value is None else str(value).lower()


def _matcher(search: str, columns: Sequence[str]) -> Callable[[list[Any]], bool]:
    """Return the test for a search: comparisons such as `score >= 0.5`, and words that some cell must hold."""
    tests: list[Callable[[list[Any]], bool]] = []

    def compare(match: re.Match[str]) -> str:
        name, sign, operand = match[1].strip('"'), match[2], match[3].strip('"')
        if name not in columns:
            return match[0]
        at = columns.index(name)
        tests.append(lambda row: _compare(row[at], sign, operand))
        return " "

    words = _COMPARISON.sub(compare, search).lower().split()
    return lambda row: all(test(row) for test in tests) and all(_holds(row, word) for word in words)


def _holds(row: Sequence[Any], word: str) -> bool:
    return any(word in _text(cell) for cell in row)


def _compare(value: Any, sign: str, operand: str) -> bool:
    if value is None:
        return sign == "!="
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return _OPERATORS[sign](value, float(operand))
        except ValueError:
            return sign == "!="
    return _OPERATORS[sign](_text(value), operand.lower())
