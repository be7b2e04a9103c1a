"""A store as tables that DuckDB asks: sealed runs straight from their Parquet, all others as the journals have them."""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.api.export import facts_of, leaves, write_facts
from runhaven.api.frame import check_format
from runhaven.api.live import FIELDS, batches
from runhaven.api.sheet import finite, write
from runhaven.errors import NotFoundError, UsageError
from runhaven.missing import require

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from runhaven.api.frame import Format
    from runhaven.api.reading import Api
    from runhaven.api.run import Run

_AT_ONCE = 4096
_TIME = "make_timestamp(epoch_us(time)) AS time"
_VIEWS = {
    "points": f"stream, key, step, {_TIME}, value",
    "values": f"stream, key, CASE type WHEN 'S' THEN 's' ELSE type END AS type, step, {_TIME}, value",
    "events": f"writer, number, {_TIME}, event, data",
    "console": f"writer, number, {_TIME}, stream, text",
}
_ONLY = {"values": "type <> '-'", "events": "event <> 'rows'"}
_FORBIDDEN = "that is not one question; `sql` only reads. Write one SELECT (FROM, WITH, DESCRIBE, SUMMARIZE and EXPLAIN serve too)."


class Answer(NamedTuple):
    """What a query found.

    Attributes:
        columns: The names of the columns.
        batches: The rows, many at a time.
    """

    columns: list[str]
    batches: Iterator[list[tuple[Any, ...]]]


@contextmanager
def ask(api: Api, query: str) -> Generator[Answer]:
    """Give the answer to a query over the tables `runs`, `points`, `values`, `events` and `console`.

    Nothing is written but to a temporary directory, nothing beyond the store is read, and nothing is fetched.

    Args:
        api: The store.
        query: One SELECT.

    Raises:
        ImportError: If DuckDB or what reads sealed runs is missing.
        NotFoundError: If the store holds no runs.
        UsageError: If DuckDB does not understand the query, or it is not a question.
    """
    duckdb = require("duckdb", feature="`sql`", package="runhaven[sql]")
    off = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    with tempfile.TemporaryDirectory(prefix="runhaven-sql-") as name, duckdb.connect(":memory:", config=off) as base:
        try:
            _check(duckdb, query)
            _Tables(api, base, Path(name).resolve()).make(query)
            found = base.execute(query)
            columns = [column[0] for column in found.description]
            yield Answer(columns, iter(lambda: found.fetchmany(_AT_ONCE), []))
        except duckdb.Error as error:
            raise UsageError(_one_line(str(error))) from error


def _check(duckdb: Any, query: str) -> None:
    """Make sure that a query is one question: DuckDB may write where it may read."""
    kinds = [statement.type.name for statement in duckdb.extract_statements(query)]
    if kinds == ["EXPLAIN"]:
        rest = re.sub(r"(?is)^\s*explain\s+(analyze\s+|\(.*?\)\s*)?", "", query)
        kinds = [statement.type.name for statement in duckdb.extract_statements(rest)]
    if kinds != ["SELECT"]:
        raise UsageError(_FORBIDDEN)


def _one_line(text: str) -> str:
    """Return what DuckDB says without the query and the marks below it."""
    lines = [line.strip() for line in text.partition("\nLINE ")[0].splitlines() if line.strip()]
    return f"DuckDB: {' '.join(lines)}"


class _Tables:
    """Makes the tables that a query names."""

    def __init__(self, api: Api, base: Any, folder: Path) -> None:
        self._api = api
        self._base = base
        self._folder = folder
        self._places: set[Path] = set()

    def make(self, query: str) -> None:
        """Make all tables; those that the query does not name stay empty."""
        named = {name for name in _VIEWS if re.search(rf"\b{name}\b", query, re.IGNORECASE)}
        runs = list(self._api.runs()) if named else []
        self._base.execute("CREATE SCHEMA runhaven")
        self._make_runs()
        for name in _VIEWS:
            self._make_view(name, runs if name in named else [])
        root = self._api.store.root.resolve()
        # What a machine sealed of a store that it cannot write lies elsewhere.
        allowed = [self._folder, root, *(place for place in self._places if not place.is_relative_to(root))]
        self._base.execute(
            f"SET temp_directory = {_text(self._folder)}; SET allowed_directories = {_texts(allowed)}; "
            "SET enable_external_access = false; SET lock_configuration = true"
        )

    def _make_runs(self) -> None:
        catalogue = self._api.catalogue
        rows = [_row(run) for run in (self._api.runs() if catalogue is None else catalogue.page())]
        if not rows:
            message = (
                f"there are no runs in {self._api.store.root} to ask about. The first `runhaven.init()` makes one."
            )
            raise NotFoundError(message)
        path = self._folder / "runs.parquet"
        with path.open("xb") as file:
            write_facts(rows, file, "parquet")
        times = ", ".join(f"make_timestamp(epoch_us({name})) AS {name}" for name in ("created", "updated"))
        trees = "tags::JSON::VARCHAR[] AS tags, config::JSON AS config, summary::JSON AS summary"
        self._base.execute(f"CREATE TABLE runs AS SELECT * REPLACE ({times}, {trees}) FROM {_parquet([path])}")  # noqa: S608 - of our own names

    def _make_view(self, name: str, runs: Sequence[Run]) -> None:
        live = self._folder / f"{name}.parquet"
        files: dict[Path, str] = {}
        with live.open("xb") as file:
            write(file, "parquet", FIELDS[name], batches(name, runs, files))
        parts = [f"SELECT run, {_VIEWS[name]} FROM {_parquet([live])}"]  # noqa: S608 - of our own names
        if files:
            links = self._link(files)
            self._base.execute(
                f"CREATE TABLE runhaven.{name} AS "
                f"SELECT unnest({_texts(links)}) AS filename, unnest({_texts(files.values())}) AS run"
            )
            sealed = f"{_parquet(links, has_names=True)} JOIN runhaven.{name} USING (filename)"
            parts.append(f"SELECT run, {_VIEWS[name]} FROM {sealed} WHERE {_ONLY.get(name, 'true')}")  # noqa: S608 - of our own names
        columns = ["run", "id", "project", *(part.rpartition(" ")[2] for part in _VIEWS[name].split(", "))]
        found = f"SELECT {', '.join(columns)} FROM ({' UNION ALL '.join(parts)})"  # noqa: S608 - of our own names
        named = "(SELECT ulid AS run, id, project FROM runs)"
        self._base.execute(f'CREATE VIEW "{name}" AS {found} AS found JOIN {named} AS named USING (run)')

    def _link(self, files: Iterable[Path]) -> list[Path]:
        """Return links to files: whatever the store is called, their names are no pattern to DuckDB."""
        links: list[Path] = []
        for place, file in enumerate(files):
            link = self._folder / f"{place}-{file.name}"
            link.symlink_to(file)
            self._places.add(file.parent)
            links.append(link)
        return links


def _row(run: Any) -> dict[str, Any]:
    return facts_of(run) | {name: _tree(dict(getattr(run, name))) for name in ("config", "summary")} | leaves(run)


def _tree(values: dict[str, Any]) -> str:
    """Return JSON that DuckDB takes: it refuses lone surrogates, escaped ones too."""
    return re.sub("[\ud800-\udfff]", "\ufffd", json.dumps(finite(values), ensure_ascii=False))


def _text(word: object) -> str:
    return "'" + str(word).replace("'", "''") + "'"


def _texts(words: Any) -> str:
    return f"[{', '.join(map(_text, words))}]"


def _parquet(paths: Sequence[Path], *, has_names: bool = False) -> str:
    return f"read_parquet({_texts(paths)}{', filename = true' if has_names else ''})"


def to_rows(answer: Answer, form: Format) -> Any:
    """Return an answer as a list of dicts or a frame."""
    check_format(form)
    rows = [row for batch in answer.batches for row in batch]
    if form == "rows":
        return [dict(zip(answer.columns, row, strict=True)) for row in rows]
    if form == "pandas":
        return require("pandas", feature="a pandas frame").DataFrame(rows, columns=answer.columns)
    polars = require("polars", feature="a polars frame")
    return polars.DataFrame(rows, schema=answer.columns, orient="row", infer_schema_length=None)
