"""`runhaven rm`: delete runs."""

from __future__ import annotations

import click

from runhaven_cli.options import RUN, open_api
from runhaven_cli.output import size, state_mark
from runhaven_cli.usage import bytes_of


@click.command()
@click.argument("runs", type=RUN, nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-f", "--force", is_flag=True, help="Delete runs that are running too.")
@click.pass_context
def rm(context: click.Context, runs: tuple[str, ...], *, yes: bool, force: bool) -> None:
    """Delete RUNS, with all that they logged. This cannot be undone."""
    api = open_api(context)
    found = [api.run(path) for path in dict.fromkeys(runs)]
    for run in found:
        if run.state == "running" and not force:
            message = f"run {run.name} is running; wait for its end, or pass --force."
            raise click.ClickException(message)
    for run in found:
        click.echo(f"{run.name}  {state_mark(run.state)}  {'/'.join(run.path)}  {size(bytes_of(run.directory.path))}")
    if not yes:
        click.confirm(f"Delete {'this run' if len(found) == 1 else f'these {len(found)} runs'}?", abort=True)
    for run in found:
        api.store.remove(run.directory)
    click.echo(f"Deleted {len(found)} run{'s' * (len(found) != 1)}.")
