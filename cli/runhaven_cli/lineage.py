"""`runhaven lineage`: what a version of an artifact was made from, and what was made from it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

import click

from runhaven.errors import NotFoundError
from runhaven_cli.artifact import find
from runhaven_cli.options import json_option, open_api
from runhaven_cli.output import GLYPHS, ago, echo_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runhaven.api import Api, Run
    from runhaven.api.lineage import Check, Direction, Lineage, Node
    from runhaven.artifacts import Artifact

_Way = Literal["upstream", "downstream"]
_TITLES: dict[_Way, str] = {"upstream": "made from", "downstream": "went into"}


@click.command("lineage")
@click.argument("name", metavar="NAME:ALIAS|RUN")
@click.option("--up", "direction", flag_value="upstream", help="Only what it was made from.")
@click.option("--down", "direction", flag_value="downstream", help="Only what was made from it.")
@click.option("--depth", type=click.IntRange(1), help="How many steps to go. Default: all the way.")
@click.option(
    "--check",
    type=click.Choice(["none", "local", "all"]),
    default="local",
    show_default=True,
    help="Which references to compare with what they lead to; all asks the hosts of remote ones.",
)
@click.option("--dot", "as_dot", is_flag=True, help="Print it for Graphviz: runhaven lineage NAME --dot | dot -Tsvg.")
@json_option
@click.pass_context
def lineage_command(
    context: click.Context, name: str, direction: Direction | None, depth: int | None, check: Check, **form: bool
) -> None:
    """Show the runs and artifacts that NAME was made from, and those that were made from it.

    What was deleted is marked, and so are versions with references to files that have changed since.
    """
    found = _origin(open_api(context), name).lineage(direction or "both", depth, check=check)
    if form["as_json"]:
        echo_json(found.to_json())
    elif form["as_dot"]:
        click.echo(found.to_dot(), nl=False)
    else:
        click.echo("\n".join(_tree(found, direction or "both")))


def _origin(api: Api, name: str) -> Artifact | Run:
    """Return the version that a name means; else the run."""
    try:
        return find(api, name)
    except click.ClickException:
        with contextlib.suppress(NotFoundError):
            return api.run(name)
        raise


def _tree(found: Lineage, direction: Direction) -> Iterator[str]:
    yield from _lines(found.nodes[found.root], "", "")
    for way, title in _TITLES.items():
        if direction in {way, "both"}:
            branches = list(_branches(found, way, found.root, "  ", {found.root}))
            yield click.style(title if branches else f"{title} nothing that is known", dim=True)
            yield from branches


def _branches(found: Lineage, way: _Way, at: str, indent: str, seen: set[str]) -> Iterator[str]:
    around = found.next_to(at, way)
    for number, (edge, node) in enumerate(around):
        is_last, again = number == len(around) - 1, node.id in seen
        seen.add(node.id)
        below = indent + ("   " if is_last else "│  ")
        note = f" as {edge.use_as}" * bool(edge.use_as) + " (link)" * (edge.kind == "link") + " (see above)" * again
        yield from _lines(node, indent + ("└─ " if is_last else "├─ "), below, note)
        if not again:
            yield from _branches(found, way, node.id, below, seen)


def _lines(node: Node, first: str, below: str, note: str = "") -> Iterator[str]:
    mark = ""
    if node.is_deleted:
        mark = "  " + click.style("✗ deleted", fg="red")
    elif node.kind == "run":
        glyph, colour = GLYPHS[node.state]
        mark = "  " + click.style(f"{glyph} {node.state}", fg=colour)
    kind = f"run{f', {node.type}' * bool(node.type)}" if node.kind == "run" else node.type
    age = f", {ago(node.created)}" if node.created else ""
    place = node.path.rpartition("/")[0] if node.kind == "artifact" else node.path
    yield f"{first}{click.style(node.name, bold=True)}{note}  {click.style(f'{kind}, {place}{age}', dim=True)}{mark}"
    for change in node.changes:
        had = f"; it was {change.revision}" if change.revision else ""
        yield f"{below}{click.style(f'! {change.path} {change.reason}{had}', fg='yellow')}"
