"""Writes what runs logged, or what they are, to files that other tools read."""

from __future__ import annotations

import re
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from runhaven.api.history import OWN_KEYS
from runhaven.api.sheet import ABSENT, Field, FileFormat, Repeated, write
from runhaven.api.streams import streams_of
from runhaven.api.stretch import stretches
from runhaven.errors import NotFoundError, UsageError
from runhaven.value import flatten, to_cell

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from typing import BinaryIO

    from runhaven.api.data import RunData
    from runhaven.api.run import Run
    from runhaven.api.sheet import Batch

    Progress = Callable[[float], None]

_BATCH = 4096
_LONG = [
    *(Field(name, "w") for name in ("run", "id", "stream", "key")),
    Field("step", "i"), Field("time", "t"), Field("value", "*"),
]  # fmt: skip
_OWN = [Field("_step", "i"), Field("_timestamp", "f"), Field("_runtime", "f")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What of the runs is wanted.

    Attributes:
        shape: "wide", one row a step; or "long", one row a point.
        stream: "default", "system" for the load of the machines, "all", or the name of one.
        keys: Only these series, and in a wide file only the rows that hold one of them; None for all.
    """

    shape: Literal["wide", "long"] = "wide"
    stream: str = "default"
    keys: Sequence[str] | None = None


def format_of(path: str | os.PathLike[str], given: str | None = None) -> FileFormat:
    """Return the format of a file: what is given, else what its name ends with.

    Raises:
        UsageError: If there is no such format.
    """
    name = given or Path(path).suffix.removeprefix(".").lower()
    for known in get_args(FileFormat):
        if name == known:
            return known
    message = f"{name or str(path)!r} names no format; give parquet, csv or jsonl."
    raise UsageError(message)


def write_history(
    runs: Sequence[Run],
    file: BinaryIO,
    form: FileFormat,
    choice: Choice | None = None,
    *,
    progress: Progress | None = None,
) -> None:
    """Write the rows of some runs, of which one at a time is held in memory.

    Args:
        runs: The runs.
        file: Where to.
        form: The format.
        choice: What of them is wanted.
        progress: Is told how much is done, from 0 to 1.

    Raises:
        NotFoundError: If no run has one of the keys.
        UsageError: If the choice means nothing.
    """
    wanted = choice or Choice()
    if wanted.shape not in ("wide", "long"):
        message = f"shape={wanted.shape!r} is not known; choose 'wide' or 'long'."
        raise UsageError(message)
    kinds = _kinds(runs, wanted) if wanted.shape == "wide" or wanted.keys else {}
    _check(wanted.keys, kinds, len(runs))
    fields, batches = _LONG, _long
    if wanted.shape == "wide":
        marks = [Field("_run", "w"), Field("_id", "w")] + ([Field("_stream", "w")] if _has_many(wanted) else [])
        keys = sorted(kinds) if wanted.keys is None else list(dict.fromkeys(wanted.keys))
        fields = [*marks, *_OWN, *(Field(key, _common(kinds[key])) for key in keys if key not in OWN_KEYS)]
        batches = _wide
    write(file, form, fields, _all_batches(runs, lambda run: batches(run, wanted, fields), progress))


def _all_batches(
    runs: Sequence[Run], batches_of: Callable[[Run], Iterator[Batch]], progress: Progress | None
) -> Iterator[Batch]:
    for place, run in enumerate(runs):
        own = _anew(run)
        if progress is not None:
            progress(place / len(runs))
        yield from batches_of(own)
    if progress is not None:
        progress(1.0)


def _anew(run: Run) -> Run:
    """Return a run whose rows are let go once they are written, whoever holds the one that was given."""
    return type(run)(run.directory)


def _has_many(choice: Choice) -> bool:
    return choice.stream in ("system", "all")


# Wide


def _wide(run: Run, choice: Choice, fields: Sequence[Field]) -> Iterator[Batch]:
    names = [field.name for field in fields if field.kind != "w"]
    keys = None if choice.keys is None else set(choice.keys)
    for stream in streams_of(run.stored, choice.stream):
        rows = run.scan_history(stream=stream)
        if keys is not None:
            rows = (row for row in rows if not keys.isdisjoint(row))
        marks = [run.ulid, run.id, *([stream or "default"] if _has_many(choice) else [])]
        while some := list(islice(rows, _BATCH)):
            columns: list[Iterable[Any]] = [Repeated(mark, len(some)) for mark in marks]
            yield columns + [[row.get(name, ABSENT) for row in some] for name in names]


# Long


def _long(run: Run, choice: Choice, _: Sequence[Field]) -> Iterator[Batch]:
    keys = None if choice.keys is None else set(choice.keys)
    for stream in streams_of(run.stored, choice.stream):
        for found in stretches(run.stored, stream, keys=keys):
            words = run.ulid, run.id, stream or "default", found.key
            marks = [Repeated(word, len(found.steps)) for word in words]
            yield [*marks, found.steps, found.times, found.values]


# Types


def _kinds(runs: Sequence[Run], choice: Choice) -> dict[str, set[str]]:
    """Return the types of all cells of each key."""
    found: dict[str, set[str]] = {}
    for run in runs:
        data = _anew(run).stored
        for stream in streams_of(data, choice.stream):
            for key, kinds in data.kinds(stream).items():
                if choice.keys is None or key in choice.keys:
                    known = found.setdefault(key, set())
                    known |= _without_nothing(data, stream, key) if "j" in kinds and len(kinds) > 1 else kinds
    return found


def _without_nothing(data: RunData, stream: str, key: str) -> set[str]:
    """Return the types of a key's cells; None, which is of the type JSON, is of none."""
    found: set[str] = set()
    for one in stretches(data, stream, keys=(key,), keep="all"):
        found |= {to_cell(value)[0] for value in one.values if value is not None} if one.kind in "j*" else {one.kind}
    return found


def _common(kinds: set[str]) -> str:
    """Return the one type of a column whose cells are of several: floats for numbers, text for what is no number."""
    if len(kinds) == 1:
        return next(iter(kinds))
    return "f" if kinds <= {"f", "i", "b"} else "s"


def _check(keys: Sequence[str] | None, kinds: dict[str, set[str]], count: int) -> None:
    missing = [key for key in keys or () if key not in kinds and key not in OWN_KEYS]
    if missing:
        whose = "the run" if count == 1 else f"none of the {count} runs"
        verb = "never logged" if count == 1 else "ever logged"
        message = f"{whose} {verb} {', '.join(map(repr, missing))}. See what is there with `runhaven show RUN`."
        raise NotFoundError(message)


# The table of runs


def write_runs(runs: Sequence[Run], file: BinaryIO, form: FileFormat, *, progress: Progress | None = None) -> None:
    """Write what runs are, one row each: names, state, times, `config.<key>` and `summary.<key>`.

    Args:
        runs: The runs.
        file: Where to.
        form: The format.
        progress: Is told how much is done, from 0 to 1.
    """
    rows: list[dict[str, Any]] = []
    for place, run in enumerate(runs):
        rows.append(facts_of(run) | leaves(run))
        if progress is not None:
            progress((place + 1) / len(runs))
    write_facts(rows, file, form)


def write_facts(rows: Sequence[dict[str, Any]], file: BinaryIO, form: FileFormat) -> None:
    """Write rows whose values tell the types of their columns."""
    kinds: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.items():
            known = kinds.setdefault(key, set())
            known |= set() if value is None else {to_cell(value)[0]}
    times = ("created", "updated")
    fields = [Field(key, "t" if key in times else _common(found or {"s"})) for key, found in kinds.items()]
    parts = (rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH))
    write(file, form, fields, ([[row.get(key, ABSENT) for row in part] for key in kinds] for part in parts))


def facts_of(run: Any) -> dict[str, Any]:
    """Return what a table says of a run, or of a record of the catalogue."""
    return {
        "ulid": run.ulid, "id": run.id, "name": run.name, "entity": run.entity, "project": run.project,
        "state": run.state, "created": run.created, "updated": run.updated,
        "runtime_s": max(0.0, (run.updated - run.created) / 1e6), "last_step": run.last_step, "user": run.user,
        "host": run.host, "group": run.group, "job_type": run.job_type, "tags": list(run.tags), "notes": run.notes,
    }  # fmt: skip


def leaves(run: Any) -> dict[str, Any]:
    """Return each value of a run's configuration and summary as `config.<key>` or `summary.<key>`."""
    return dict(flatten({"config": dict(run.config), "summary": dict(run.summary)}))


# Files


@contextmanager
def replacing(path: Path) -> Generator[BinaryIO]:
    """Give a file to write that takes the place of `path` once it is whole; what was there stays until then.

    Raises:
        UsageError: If it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("xb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror or error}."
        raise UsageError(message) from error
    finally:
        partial.unlink(missing_ok=True)


def file_names(runs: Iterable[Run], form: FileFormat) -> list[str]:
    """Return a name for a file of each run: project and id, and the ulid where another run has the same name."""
    taken: set[str] = set()
    names: list[str] = []
    for run in runs:
        name = re.sub(r"[^\w.-]", "_", f"{run.project}-{run.id}").lstrip(".")
        name = f"{name}-{run.ulid}" if name.lower() in taken else name
        taken.add(name.lower())
        names.append(f"{name}.{form}")
    return names
