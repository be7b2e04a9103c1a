"""`runhaven mv` and `runhaven cp`: give a run another place, or make a copy of it there."""

from __future__ import annotations

from typing import TypedDict

import click

from runhaven_cli.options import RUN, open_api

_PARTS = 3


class _Target(TypedDict, total=False):
    entity: str
    project: str
    id: str


def _parse(text: str) -> _Target:
    """Read PROJECT, PROJECT/ID or ENTITY/PROJECT/ID."""
    parts = text.strip("/").split("/")
    if not all(parts) or len(parts) > _PARTS:
        message = f"{text!r} is no place for a run; give PROJECT, PROJECT/ID or ENTITY/PROJECT/ID."
        raise click.UsageError(message)
    if len(parts) == 1:
        return {"project": parts[0]}
    found: _Target = {"project": parts[-2], "id": parts[-1]}
    return {"entity": parts[0], **found} if len(parts) == _PARTS else found


@click.command()
@click.argument("run", type=RUN)
@click.argument("target", metavar="PROJECT[/ID]")
@click.pass_context
def mv(context: click.Context, run: str, target: str) -> None:
    """Move RUN to another project, or give it another id. Nothing on the disk is renamed."""
    found = open_api(context).run(run)
    before = "/".join(found.path)
    found.move(**_parse(target))
    click.echo(f"{before} is {'/'.join(found.path)} now.")


@click.command()
@click.argument("run", type=RUN)
@click.argument("target", metavar="PROJECT[/ID]")
@click.pass_context
def cp(context: click.Context, run: str, target: str) -> None:
    """Copy RUN, with all that it logged so far, to a project.

    The copy keeps its id in another project, and gets a new one in the same.
    """
    found = open_api(context).run(run)
    made = found.copy(**_parse(target))
    click.echo(f"Copied {'/'.join(found.path)} to {'/'.join(made.path)}.")
