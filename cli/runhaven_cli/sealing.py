"""`runhaven seal` and `runhaven gc`: runs made compact and open, and the room that this frees."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import click

from runhaven.sealed.manifest import place_to_read
from runhaven.sealed.seal import can_seal, seal
from runhaven_cli.options import RUN, json_option, open_api
from runhaven_cli.output import duration, echo_json, size, table

if TYPE_CHECKING:
    from pathlib import Path

    from runhaven.api import Api, Run

_NEEDED = "sealing needs numpy, arro3-core, arro3-io and backports-zstd. Run: pip install 'runhaven[ui]'"


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
        raise click.ClickException(_NEEDED)
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


@click.command()
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("-v", "--verbose", is_flag=True, help="Say of each run why its journals stay.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def gc(context: click.Context, *, dry_run: bool, verbose: bool, yes: bool, as_json: bool) -> None:
    """Remove what the store can do without: journals of sealed runs, and what killed processes left behind.

    A journal goes only if its run is over, everything in it is sealed, and the sealed files are as they were written.
    """
    if not can_seal():
        raise click.ClickException(_NEEDED)
    api = open_api(context)
    found, stays = _look(api)
    total = sum(path.lstat().st_size for path in found)
    if as_json:
        echo_json({"files": list(map(str, found)), "bytes": total, "journals_that_stay": stays, "dry_run": dry_run})
    else:
        _tell(api, found, stays if verbose else {}, total)
    if dry_run or not found:
        return
    if not yes and not as_json:
        click.confirm("Remove these files?", abort=True)
    for path in found:
        path.unlink(missing_ok=True)
    if not as_json:
        click.echo(f"Removed {size(total)}.")


def _look(api: Api) -> tuple[list[Path], dict[str, str]]:
    """Return the files to remove, and for each run whose journals stay, why."""
    from runhaven.sealed.collect import find_waste

    found: list[Path] = []
    stays: dict[str, str] = {}
    for run in api.runs():
        waste = find_waste(run.directory)
        found += waste.paths
        if waste.reason:
            stays["/".join(run.path)] = waste.reason
    return found, stays


def _tell(api: Api, found: list[Path], stays: dict[str, str], total: int) -> None:
    if stays:
        click.echo(table([[name, reason] for name, reason in stays.items()], head=["JOURNALS STAY", "BECAUSE"]))
    if not found:
        click.echo(f"Nothing to remove in {api.store.root}.")
        return
    journals = [path for path in found if path.parent.name == "journal"]
    runs = len({path.parent for path in journals})
    kept = f"journals of {runs} sealed run{'s' * (runs != 1)}" if journals else ""
    left = f"{len(found) - len(journals)} files that nothing names" if len(found) > len(journals) else ""
    click.echo(f"{size(total)}: {' and '.join(filter(None, (kept, left)))}.")
