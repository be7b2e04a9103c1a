"""`runhaven show`: one run on one screen, with its curves."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import click

from runhaven_cli.listing import facts
from runhaven_cli.options import RUN, json_option, open_api
from runhaven_cli.output import ago, duration, echo_json, number, state_mark, table
from runhaven_cli.plot import Span, plot, sparkline
from runhaven_gpu_monitor.usage import describe

if TYPE_CHECKING:
    from runhaven.api import Run, Series

_MAX_CURVES = 4
# git may be too slow to say.
_CHANGED = {True: " (changed)", False: "", None: " (changes unknown)"}
_MAX_CONFIG = 24
_HEIGHT = 7
_SPARK = 24


@click.command()
@click.argument("run", type=RUN)
@click.option("-m", "--metric", "metrics", multiple=True, help="Plot this metric; may be given again.")
@json_option
@click.pass_context
def show(context: click.Context, run: str, metrics: tuple[str, ...], *, as_json: bool) -> None:
    """Show a RUN: its facts, its configuration, its metrics and their curves.

    RUN is an id, a name, or entity/project/id.
    """
    found = open_api(context).run(run)
    if as_json:
        series = [
            {"key": one.key, "stream": one.stream, "count": one.count, "last": one.last} for one in found.series()
        ]
        echo_json(
            facts(found)
            | {"metadata": found.metadata, "usage": found.usage, "series": series}
            | {"alerts": found.alerts, "exception": found.exception}
        )
        return
    for line in (_title(found), *_warnings(found), "", _place(found)):
        click.echo(line)
    _usage(found)
    _config(found)
    _metrics(found, metrics)


def _title(run: Run) -> str:
    tags = " ".join(click.style(f"#{tag}", fg="cyan") for tag in run.tags)
    return f"{click.style(run.name, bold=True)}  {state_mark(run.state)}  {click.style('/'.join(run.path), dim=True)}  {tags}".rstrip()


def _warnings(run: Run) -> list[str]:
    lines = [run.notes] if run.notes else []
    if run.exception:
        lines.append(click.style(f"{run.exception['type']}: {run.exception['message']}", fg="red"))
    if run.incomplete:
        lines.append(
            click.style(
                f"incomplete: {run.incomplete['lost_rows']:,} rows are missing ({run.incomplete['reason']})",
                fg="yellow",
            )
        )
    if run.damage:
        lines.append(
            click.style(
                f"{len(run.damage)} stretches of its journal cannot be read; `runhaven doctor` says which", fg="yellow"
            )
        )
    return lines


def _place(run: Run) -> str:
    metadata = run.metadata
    git: dict[str, Any] = metadata.get("git") or {}
    hardware: dict[str, Any] = metadata.get("hardware") or {}
    rows = [
        ["started", f"{run.created_at}  ({ago(run.created)}), ran {duration(run.runtime_s)}"],
        ["where", f"{run.user}@{run.host}  {hardware.get('cpu', '')}".rstrip()],
        ["command", " ".join(metadata.get("argv") or [])],
        ["git", f"{git['commit'][:10]} {git['branch']}{_CHANGED[git.get('dirty')]}" if git else ""],
        ["directory", str(run.directory.path)],
    ]
    return table([[click.style(name, dim=True), text] for name, text in rows if text])


def _usage(run: Run) -> None:
    if lines := describe(run.usage):
        click.echo(click.style("\nhardware", bold=True))
        click.echo("\n".join(f"  {line}" for line in lines))


def _config(run: Run) -> None:
    config = run.config
    if not config:
        return
    click.echo(click.style("\nconfig", bold=True))
    rows = [[f"  {key}", number(value)[:80]] for key, value in list(config.items())[:_MAX_CONFIG]]
    click.echo(table(rows))
    if len(config) > _MAX_CONFIG:
        click.echo(click.style(f"  and {len(config) - _MAX_CONFIG} more; --json shows all", dim=True))


def _metrics(run: Run, wanted: tuple[str, ...]) -> None:
    numbers = [one for one in run.series("") if one.type in "fib"]
    if not numbers:
        click.echo(click.style("\nNothing was logged yet.", dim=True))
        return
    click.echo(click.style("\nmetrics", bold=True))
    rows = [_metric_row(run, one) for one in numbers]
    click.echo(table(rows, head=["  NAME", "LAST", "MIN", "MAX", "POINTS", ""], right=(1, 2, 3, 4)))
    curves = [one.key for one in numbers if one.count > 1 and one.key != "epoch"]
    for key in wanted or curves[:_MAX_CURVES]:
        _curve(run, key)


def _metric_row(run: Run, series: Series) -> list[str]:
    spans = read_spans(run, series.key, _SPARK)
    finite = [span for span in spans if span.low == span.low]
    low = number(min((span.low for span in finite), default=None))
    high = number(max((span.high for span in finite), default=None))
    return [
        f"  {series.key}",
        number(series.last),
        low,
        high,
        number(series.count),
        click.style(sparkline([span.last for span in spans]), fg="cyan"),
    ]


def _curve(run: Run, key: str) -> None:
    width = min(shutil.get_terminal_size((80, 24)).columns - 14, 100)
    spans = read_spans(run, key, 2 * width)
    click.echo(f"\n{click.style(key, bold=True)}")
    for line in plot(spans, width=width, height=_HEIGHT):
        click.echo(f"  {line}")
    if spans:
        click.echo(click.style(f"  step {spans[0].x:,.0f} to {spans[-1].x:,.0f}", dim=True))


def read_spans(run: Run, key: str, buckets: int) -> list[Span]:
    """Return a series in buckets; works without numpy too, only slower."""
    try:
        curve = run.curve(key, buckets=buckets)
    except ImportError:
        rows = run.history(buckets, [key], pandas=False)
        return [
            Span(row["_step"], row.get(f"{key}.min", row[key]), row.get(f"{key}.max", row[key]), row[key])
            for row in rows
        ]
    columns = (curve.x.tolist(), curve.min.tolist(), curve.max.tolist(), curve.last.tolist())
    return [Span(*values) for values in zip(*columns, strict=True)]
