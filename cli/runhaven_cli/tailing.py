"""`runhaven tail`: what a run prints."""

from __future__ import annotations

import time

import click

from runhaven_cli.options import RUN, json_option, open_api
from runhaven_cli.output import echo_json

_POLL_S = 0.5


@click.command()
@click.argument("run", type=RUN)
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=20, show_default=True, help="How many lines to begin with."
)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
@json_option
@click.pass_context
def tail(context: click.Context, run: str, lines: int, *, follow: bool, as_json: bool) -> None:
    """Print the last lines of what a RUN printed."""
    found = open_api(context).run(run)
    newest = found.logs(limit=lines)
    if as_json:
        echo_json([line._asdict() for line in newest])
        return
    if not newest and not follow:
        click.echo("It has printed nothing.")
    seen = found.log_count
    for line in newest:
        click.echo(line.text)
    while follow and found.state == "running":
        time.sleep(_POLL_S)
        found.refresh()
        for line in found.logs(after=seen):
            click.echo(line.text)
        seen = found.log_count
