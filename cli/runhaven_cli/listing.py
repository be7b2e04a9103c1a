"""`runhaven ls`: the runs of a store, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runhaven_cli.options import json_option, open_api
from runhaven_cli.output import ago, duration, echo_json, number, state_mark, table

if TYPE_CHECKING:
    from runhaven.api import Run

_METRICS = 3


@click.command()
@click.argument("project", required=False)
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many runs at most.")
@click.option("-a", "--all", "is_all", is_flag=True, help="All runs.")
@json_option
@click.pass_context
def ls(context: click.Context, project: str | None, limit: int, *, is_all: bool, as_json: bool) -> None:
    """List runs, newest first; of one PROJECT, or of all."""
    api = open_api(context)
    runs = api.runs(project)
    shown = runs if is_all else runs[:limit]
    if as_json:
        echo_json([facts(run) for run in shown])
        return
    if not runs:
        where = f" in project {project!r}" if project else ""
        click.echo(
            f"No runs{where} in {api.store.root} yet. A first one:\n\n    python -c \"import runhaven; runhaven.init().log({{'loss': 1.0}})\""
        )
        return
    keys = _common_metrics(shown)
    head = ["NAME", "ID", "PROJECT", "STATE", "STARTED", "RUNTIME", "STEP", *keys]
    rows = [
        [
            click.style(run.name, bold=True), run.id, run.project, state_mark(run.state), ago(run.created),
            duration(run.runtime_s), number(run.last_step), *(number(run.summary.get(key)) for key in keys),
        ]
        for run in shown
    ]  # fmt: skip
    click.echo(table(rows, head=head, right=range(5, len(head))))
    if len(shown) < len(runs):
        click.echo(click.style(f"{len(runs) - len(shown):,} more; `runhaven ls --all` lists them.", dim=True))


def _common_metrics(runs: Any) -> list[str]:
    """Return the numbers that most of the runs' summaries have."""
    counts: dict[str, int] = {}
    for run in runs:
        for key, value in run.summary.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and key != "epoch":
                counts[key] = counts.get(key, 0) + 1
    return sorted(counts, key=lambda key: -counts[key])[:_METRICS]


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
