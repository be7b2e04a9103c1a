"""`runhaven artifact diff`: what differs between two versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runhaven_cli.artifact import find
from runhaven_cli.options import json_option, open_api
from runhaven_cli.output import echo_json, number, size

if TYPE_CHECKING:
    from runhaven.artifacts.manifest import Entry


@click.command("diff")
@click.argument("before")
@click.argument("after", required=False)
@json_option
@click.pass_context
def diff_command(context: click.Context, before: str, after: str | None, *, as_json: bool) -> None:
    """Show which files differ between the versions BEFORE and AFTER; by default, between BEFORE and the latest."""
    api = open_api(context)
    old = find(api, before)
    new = find(api, after or old.source_qualified_name.rpartition(":")[0])
    found = new.diff(old)
    if as_json:
        echo_json({"before": old.qualified_name, "after": new.qualified_name, **found.to_json()})
        return
    for entry in found.removed:
        click.echo(click.style(f"- {entry.path}", fg="red") + _size(entry))
    for entry in found.added:
        click.echo(click.style(f"+ {entry.path}", fg="green") + _size(entry))
    for was, entry in found.changed:
        click.echo(click.style(f"~ {entry.path}", fg="yellow") + f"{_size(was)} →{_size(entry)}")
    for key, (was, now) in found.metadata.items():
        click.echo(click.style(f"~ metadata {key}", fg="yellow") + f"  {number(was)} → {number(now)}")
    counts = f"{len(found.added)} added, {len(found.removed)} removed, {len(found.changed)} changed, {found.unchanged} the same"
    click.echo(f"{old.name} → {new.name}: {counts}; {size(found.new_bytes)} of {size(new.size)} are new.")


def _size(entry: Entry) -> str:
    return f"  {size(entry.size)}" if entry.size is not None else ""
