"""`runhaven seal`: runs made compact and open."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import click

from runhaven.sealed.manifest import place_to_read
from runhaven.sealed.seal import can_seal, seal
from runhaven_cli.options import RUN, open_api
from runhaven_cli.output import duration, size

if TYPE_CHECKING:
    from runhaven.api import Run

NEEDED = "sealing needs numpy, arro3-core, arro3-io and backports-zstd. Run: pip install 'runhaven[ui]'"


@click.command("seal")
@click.argument("runs", type=RUN, nargs=-1)
@click.option("-a", "--all", "is_all", is_flag=True, help="All runs of the store.")
@click.option("--again", is_flag=True, help="Discard what is sealed and seal anew from the journals.")
@click.pass_context
def seal_command(context: click.Context, runs: tuple[str, ...], *, is_all: bool, again: bool) -> None:
    """Seal RUNS: write their journals as Parquet, which reads faster and which any tool can open.

    Nothing is lost by it and nothing needs it: the dashboard seals what it shows. The journals stay until `runhaven gc`.
    """
    if not can_seal():
        raise click.ClickException(NEEDED)
    if not runs and not is_all:
        message = "name the runs to seal, or pass --all."
        raise click.UsageError(message)
    api = open_api(context)
    wanted = list(api.runs()) if is_all else [api.run(path) for path in dict.fromkeys(runs)]
    done = 0
    for run in wanted:
        if again:
            _discard(run)
        start = time.perf_counter()
        sealed = seal(run.directory)
        if sealed is not None:
            done += 1
            took = duration(time.perf_counter() - start)
            click.echo(f"{click.style(run.name, bold=True)}  {sealed.points:,} points  {size(sealed.bytes)}  {took}")
    rest = len(wanted) - done
    if rest:
        click.echo(click.style(f"{rest:,} run{'s' * (rest != 1)} had nothing new to seal.", dim=True))


def _discard(run: Run) -> None:
    place = place_to_read(run.directory)
    if place.is_dir() and any(run.directory.journal.glob("*.rhj")):
        shutil.rmtree(place)
    elif place.is_dir():
        message = f"run {run.name} has no journals any more to seal anew from."
        raise click.ClickException(message)
