"""`runhaven sql`: a question to the whole store, in SQL."""

from __future__ import annotations

import datetime as dt
import sys
from decimal import Decimal
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import click

from runhaven.api.sheet import Field, write
from runhaven.api.sql import ask
from runhaven_cli.options import json_option, open_api
from runhaven_cli.output import echo_json, number, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runhaven.api.sql import Answer

_SCREEN = 100


@click.command()
@click.argument("query")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1),
    help=f"How many rows at most. Default: {_SCREEN} in a terminal's table, else all.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@json_option
@click.pass_context
def sql(context: click.Context, query: str, *, limit: int | None, as_csv: bool, as_json: bool) -> None:
    """Ask the store a QUERY in SQL, such as "select name, state from runs". Needs DuckDB: runhaven[sql].

    The tables are runs, points (numbers), values (what is no number), events and console; `describe points` shows
    their columns. Only questions are answered: nothing can be changed.
    """
    with ask(open_api(context), query) as answer:
        if as_csv:
            fields = [Field(name, "*") for name in answer.columns]
            rows = _rows(answer, limit)
            parts = iter(lambda: list(islice(rows, _SCREEN)), [])
            write(sys.stdout.buffer, "csv", fields, (list(zip(*part, strict=True)) for part in parts))
        elif as_json:
            echo_json([dict(zip(answer.columns, row, strict=True)) for row in _rows(answer, limit)])
        else:
            _echo_table(answer, limit or _SCREEN)


def _rows(answer: Answer, limit: int | None) -> Iterator[list[Any]]:
    rows = chain.from_iterable(answer.batches)
    return ([_plain(value) for value in row] for row in islice(rows, limit))


def _plain(value: Any) -> Any:
    """Return a value of DuckDB's as JSON has one."""
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    is_plain = value is None or isinstance(value, bool | int | float | str | list | dict)
    return value if is_plain else str(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _echo_table(answer: Answer, limit: int) -> None:
    rows = list(_rows(answer, limit + 1))
    shown = rows[:limit]
    is_number = [any(isinstance(row[at], int | float) for row in shown) for at in range(len(answer.columns))]
    right = [at for at, known in enumerate(is_number) if known]
    cells = [[_cell(value) for value in row] for row in shown]
    click.echo(table(cells, head=answer.columns, right=right))
    if len(rows) > limit:
        click.echo(click.style(f"There are more than these {limit:,} rows; --limit shows more.", dim=True))


def _cell(value: Any) -> str:
    return number(value).replace("\n", "⏎")
