"""`runhaven du`: what takes how much room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runhaven_cli.options import json_option, open_api
from runhaven_cli.output import echo_json, size, table

if TYPE_CHECKING:
    from pathlib import Path


def bytes_of(directory: Path) -> int:
    """Return how much room the files below a directory take on the disk."""
    total = 0
    for path in directory.rglob("*"):
        status = path.lstat()
        total += getattr(status, "st_blocks", 0) * 512 or status.st_size
    return total


@click.command()
@click.argument("project", required=False)
@json_option
@click.pass_context
def du(context: click.Context, project: str | None, *, as_json: bool) -> None:
    """Show how much room each project takes; with PROJECT, each of its runs."""
    api = open_api(context)
    sizes: dict[str, tuple[int, int]] = {}
    for run in api.runs(project):
        name = f"{run.name} ({run.id})" if project else f"{run.entity}/{run.project}"
        count, total = sizes.get(name, (0, 0))
        sizes[name] = count + 1, total + bytes_of(run.directory.path)
    order = sorted(sizes, key=lambda name: -sizes[name][1])
    if as_json:
        echo_json([{"name": name, "runs": sizes[name][0], "bytes": sizes[name][1]} for name in order])
        return
    if not order:
        click.echo(f"No runs in {api.store.root} yet.")
        return
    rows = [[size(sizes[name][1]), f"{sizes[name][0]} run{'s' * (sizes[name][0] != 1)}", name] for name in order]
    total = sum(total for _, total in sizes.values())
    click.echo(table([*rows, [click.style(size(total), bold=True), "", str(api.store.root)]], right=(0, 1)))
