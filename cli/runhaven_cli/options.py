"""Options and arguments that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

import runhaven

if TYPE_CHECKING:
    from pathlib import Path

    from runhaven.api import Api

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def open_api(context: click.Context) -> Api:
    """Return the read API of the store that the command line names."""
    directory: Path | None = context.find_root().obj
    return runhaven.Api(directory)


class RunPath(click.ParamType[str]):
    """The argument RUN: completes to the names of the newest runs."""

    name = "run"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """Return the runs whose name or id starts with what was typed."""
        try:
            runs = runhaven.Api(ctx.find_root().params.get("directory")).runs()[:200]
        except runhaven.RunhavenError:
            return []
        words = [(word, run) for run in runs for word in (run.name, run.id) if word.startswith(incomplete)]
        return [CompletionItem(word, help=f"{run.project}, {run.state}") for word, run in words]


RUN = RunPath()
