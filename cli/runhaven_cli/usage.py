"""`runhaven du`: what takes how much room."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from runhaven.api.usage import measure
from runhaven_cli.options import json_option, open_api
from runhaven_cli.output import echo_json, size, table

if TYPE_CHECKING:
    from runhaven.api.usage import By, Group


@click.command()
@click.argument("project", required=False)
@click.option(
    "--by",
    type=click.Choice(["project", "type", "run", "artifact"]),
    help="What to group by. Default: project; with PROJECT, run.",
)
@json_option
@click.pass_context
def du(context: click.Context, project: str | None, by: By | None, *, as_json: bool) -> None:
    """Show how much room each project takes, with its media and artifacts; with PROJECT, each of its runs.

    Bytes that several share are stored once, but count for each of them; the total counts them once.
    """
    api = open_api(context)
    found = measure(api.store, by or ("run" if project else "project"), project=project)
    if as_json:
        groups = [asdict(group) for group in found.groups]
        echo_json({"groups": groups, "total": found.total, "unnamed": found.unnamed})
        return
    if not found.groups:
        click.echo(f"No runs and no artifacts in {api.store.root} yet.")
        return
    rows = [[size(group.bytes), _counts(group), group.name] for group in found.groups]
    rows.append([click.style(size(found.total), bold=True), "", project or str(api.store.root)])
    click.echo(table(rows, right=(0, 1)))
    if found.unnamed:
        click.echo(
            click.style(f"{size(found.unnamed)} more belong to nothing; `runhaven gc` takes what is old.", dim=True)
        )


def _counts(group: Group) -> str:
    counts = ((group.runs, "run"), (group.versions, "version"))
    return ", ".join(f"{count:,} {word}{'s' * (count != 1)}" for count, word in counts if count)
