"""`runhaven rm`: delete runs, and bring them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runhaven.api.usage import room_below
from runhaven.sealed.view import read_view
from runhaven_cli.options import RUN, open_api
from runhaven_cli.output import ago, size, state_mark, table

if TYPE_CHECKING:
    from runhaven.api import Api
    from runhaven.store.trash import Removed


@click.command()
@click.argument("runs", type=RUN, nargs=-1)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-f", "--force", is_flag=True, help="Delete runs that are running too.")
@click.option("--undo", is_flag=True, help="Bring RUNS back; without RUNS, list what can be brought back.")
@click.option("--id", "new_id", metavar="ID", help="With --undo: the id that the run gets, should its own be taken.")
@click.pass_context
def rm(
    context: click.Context, runs: tuple[str, ...], *, yes: bool, force: bool, undo: bool, new_id: str | None
) -> None:
    """Delete RUNS, with all that they logged. They stay in the store's trash; --undo brings them back."""
    api = open_api(context)
    if new_id and (not undo or len(runs) != 1):
        message = "--id goes with --undo and one RUN."
        raise click.UsageError(message)
    if undo:
        _undo(api, runs, new_id)
    elif runs:
        _remove(api, runs, yes=yes, force=force)
    else:
        message = "Missing argument 'RUNS...'."
        raise click.UsageError(message)


def _remove(api: Api, runs: tuple[str, ...], *, yes: bool, force: bool) -> None:
    found = [api.run(path) for path in dict.fromkeys(runs)]
    for run in found:
        if run.state == "running" and not force:
            message = f"run {run.name} is running; wait for its end, or pass --force."
            raise click.ClickException(message)
    for run in found:
        click.echo(f"{run.name}  {state_mark(run.state)}  {'/'.join(run.path)}  {size(room_below(run.directory.path))}")
    if not yes:
        click.confirm(f"Delete {'this run' if len(found) == 1 else f'these {len(found)} runs'}?", abort=True)
    for run in found:
        api.store.remove(run.directory)
    click.echo(f"Deleted {len(found)} run{'s' * (len(found) != 1)}.")
    undo = f"runhaven rm --undo {' '.join(run.ulid for run in found)}"
    click.echo(click.style(f"They lie in {api.store.root / 'trash'}; `{undo}` brings them back.", dim=True))


def _undo(api: Api, runs: tuple[str, ...], new_id: str | None) -> None:
    removed = api.store.removed()
    if not runs:
        _list(removed)
        return
    for one in [_find(removed, word) for word in dict.fromkeys(runs)]:
        run = api.store.restore(one.run.ulid, id=new_id)
        click.echo(f"Brought back {run.manifest().address}.")


def _list(removed: list[Removed]) -> None:
    if not removed:
        click.echo("Nothing can be brought back: the trash is empty.")
        return
    rows = [
        [one.run.ulid, click.style(_name(one), bold=True), str(one.run.manifest().address), ago(one.time_us), one.user]
        for one in removed
    ]
    click.echo(table(rows, head=["ULID", "NAME", "RUN", "DELETED", "BY"]))
    click.echo(click.style("`runhaven rm --undo ULID` brings a run back.", dim=True))


def _name(one: Removed) -> str:
    return read_view(one.run).meta.get("name") or one.run.manifest().id


def _find(removed: list[Removed], word: str) -> Removed:
    """Return the removed run that a ulid, an id, a path or a name means."""
    for one in removed:
        if one.run.ulid == word:
            return one
    found = [one for one in removed if f"/{one.run.manifest().address}".endswith(f"/{word}")]
    found = found or [one for one in removed if _name(one) == word]
    if len(found) == 1:
        return found[0]
    ulids = ", ".join(one.run.ulid for one in found)
    message = (
        f"{word!r} could mean any of {len(found)} deleted runs; give one of the ulids {ulids}."
        if found
        else f"there is no deleted run {word!r}; `runhaven rm --undo` lists those that there are."
    )
    raise click.ClickException(message)
