"""`runhaven export`: what runs logged, or what they are, as Parquet, CSV or JSON Lines."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from runhaven.api.export import Choice, file_names, format_of, replacing, write_history, write_runs
from runhaven_cli.options import RUN, open_api

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from runhaven.api import Api, Run
    from runhaven.api.sheet import FileFormat

_PARTS = 1000


@click.command()
@click.argument("runs", type=RUN, nargs=-1)
@click.option("-p", "--project", help="All runs of a project.")
@click.option("-a", "--all", "is_all", is_flag=True, help="All runs of the store.")
@click.option(
    "-f", "--format", "form", type=click.Choice(["parquet", "csv", "jsonl"]), help="Default: what -o ends with, or csv."
)
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="FILE|DIR|-",
    help="A file; a directory (there is one, or it ends with /) for a file a run; or - for the terminal, the default.",
)
@click.option(
    "--stream", default="default", show_default=True, help="default, system (the machines' load), all, or one by name."
)
@click.option("--long/--wide", "is_long", help="A row a point, or a row a step.  [default: wide]")
@click.option("-k", "--keys", metavar="KEYS", help="Only these series, such as loss,acc.")
@click.option("--runs", "is_runs", is_flag=True, help="What the runs are instead: a row a run, config.*, summary.*.")
@click.pass_context
def export(context: click.Context, runs: tuple[str, ...], *, output: str, is_runs: bool, **given: Any) -> None:
    """Write what RUNS logged as Parquet, CSV or JSON Lines; exactly, and a run at a time.

    In CSV and JSON Lines, numbers that JSON lacks are NaN, Infinity and -Infinity; in JSON Lines these are strings.
    """
    chosen = _chosen(open_api(context), runs, given["project"], is_all=given["is_all"], is_runs=is_runs)
    is_folder = output != "-" and (output.endswith("/") or Path(output).is_dir())
    form = format_of(output, given["form"] or ("csv" if is_folder or not Path(output).suffix else None))
    keys = [key.strip() for key in given["keys"].split(",")] if given["keys"] else None
    choice = Choice(shape="long" if given["is_long"] else "wide", stream=given["stream"], keys=keys)
    if is_folder and not is_runs:
        _write_folder(chosen, Path(output), form, choice)
        return
    target = Path(output) / f"runs.{form}" if is_folder else Path(output)
    if is_folder:
        target.parent.mkdir(parents=True, exist_ok=True)
    with _opened(target, form) as file, _progress() as progress:
        if is_runs:
            write_runs(chosen, file, form, progress=progress)
        else:
            write_history(chosen, file, form, choice, progress=progress)


def _chosen(api: Api, paths: Sequence[str], project: str | None, *, is_all: bool, is_runs: bool) -> Sequence[Run]:
    if paths:
        found = [api.run(f"{project}/{path}" if project and "/" not in path else path) for path in dict.fromkeys(paths)]
    elif project or is_all or is_runs:
        found = api.runs(project)
    else:
        message = "name the runs to export, or a project with -p, or pass --all."
        raise click.UsageError(message)
    if not found:
        where = f"in project {project!r} of" if project else "in"
        message = f"there are no runs {where} {api.store.root}. List what is there with `runhaven ls`."
        raise click.ClickException(message)
    return found


def _write_folder(runs: Sequence[Run], folder: Path, form: FileFormat, choice: Choice) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with _progress() as progress:
        for place, (run, name) in enumerate(zip(runs, file_names(runs, form), strict=True)):
            with replacing(folder / name) as file:
                write_history([run], file, form, choice)
            progress((place + 1) / len(runs))
    click.echo(f"{len(runs):,} file{'s' * (len(runs) != 1)} in {folder}", err=True)


@contextmanager
def _opened(path: Path, form: FileFormat) -> Generator[Any]:
    if str(path) != "-":
        with replacing(path) as file:
            yield file
        return
    if form == "parquet" and sys.stdout.isatty():
        message = "Parquet is not for a terminal; name a file with -o."
        raise click.UsageError(message)
    yield sys.stdout.buffer


@contextmanager
def _progress() -> Generator[Callable[[float], None]]:
    """Show how far it is, if somebody looks."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=_PARTS, label="Exporting", file=sys.stderr, show_pos=False) as bar:
        shown = cast("Any", bar)
        yield lambda share: shown.update(round(share * _PARTS) - shown.pos)
