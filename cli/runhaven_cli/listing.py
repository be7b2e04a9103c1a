"""`runhaven ls`: the runs of a store, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runhaven.catalogue.filters import ABSENT, read_field
from runhaven_cli.filtering import parse_filter
from runhaven_cli.options import json_option, open_api
from runhaven_cli.output import ago, duration, echo_json, number, state_mark, table

if TYPE_CHECKING:
    from runhaven.api import Run, Runs

_METRICS = 3


@click.command()
@click.argument("project", required=False)
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many runs at most.")
@click.option("-a", "--all", "is_all", is_flag=True, help="All runs.")
@click.option(
    "-f",
    "--filter",
    "conditions",
    multiple=True,
    metavar="CONDITION",
    help="Only runs such as 'config.lr<0.1' or 'state=finished' (= != < <= > >= ~), or a filter in JSON. Several: all.",
)
@click.option(
    "-s", "--sort", "order", metavar="FIELD", help="Order by a field, such as -summary.val/acc (- greatest first)."
)
@click.option("-c", "--columns", metavar="FIELDS", help="Fields to show, such as config.lr,summary.loss.")
@json_option
@click.pass_context
def ls(context: click.Context, project: str | None, limit: int, columns: str | None, **choice: Any) -> None:
    """List runs, newest first; of one PROJECT, or of all."""
    api = open_api(context)
    filters = [parse_filter(condition) for condition in choice["conditions"]]
    runs = api.runs(project, {"$and": filters} if filters else None, choice["order"])
    shown = runs if choice["is_all"] else runs[:limit]
    if choice["as_json"]:
        echo_json([facts(run) for run in shown])
    elif runs:
        _echo_table(shown, [column.strip() for column in columns.split(",")] if columns else _common_metrics(shown))
        if len(shown) < len(runs):
            click.echo(click.style(f"{len(runs) - len(shown):,} more; `runhaven ls --all` lists them.", dim=True))
    elif filters:
        click.echo("No run passes the filter.")
    else:
        where = f" in project {project!r}" if project else ""
        click.echo(
            f"No runs{where} in {api.store.root} yet. A first one:\n\n    python -c \"import runhaven; runhaven.init().log({{'loss': 1.0}})\""
        )


def _echo_table(runs: Runs, columns: list[str]) -> None:
    head = ["NAME", "ID", "PROJECT", "STATE", "STARTED", "RUNTIME", "STEP"]
    rows = [
        [
            click.style(run.name, bold=True), run.id, run.project, state_mark(run.state), ago(run.created),
            duration(run.runtime_s), number(run.last_step), *(number(_cell(run, column)) for column in columns),
        ]
        for run in runs
    ]  # fmt: skip
    titles = [column.removeprefix("summary.") for column in columns]
    click.echo(table(rows, head=[*head, *titles], right=range(5, len(head) + len(titles))))


def _cell(run: Run, field: str) -> object:
    value = read_field(run, field)
    return None if value is ABSENT else value


def _common_metrics(runs: Runs) -> list[str]:
    """Return the fields of the numbers that most of the runs' summaries have."""
    counts: dict[str, int] = {}
    for run in runs:
        for key, value in run.summary.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and key != "epoch":
                counts[key] = counts.get(key, 0) + 1
    return [f"summary.{key}" for key in sorted(counts, key=lambda key: -counts[key])[:_METRICS]]


def facts(run: Run) -> dict[str, Any]:
    """Return what a list or a script wants to know of a run."""
    return {
        "ulid": run.ulid,
        "id": run.id,
        "name": run.name,
        "entity": run.entity,
        "project": run.project,
        "state": run.state,
        "created_at": run.created_at,
        "runtime_s": run.runtime_s,
        "last_step": run.last_step,
        "user": run.user,
        "host": run.host,
        "group": run.group,
        "job_type": run.job_type,
        "tags": run.tags,
        "notes": run.notes,
        "config": run.config,
        "summary": run.summary,
        "path": str(run.directory.path),
    }
