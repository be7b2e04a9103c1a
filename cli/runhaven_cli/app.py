"""The `runhaven` command: its subcommands and the options that they share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import runhaven
from runhaven_cli.artifact import artifact_command
from runhaven_cli.artifact_diff import diff_command
from runhaven_cli.artifact_keeping import mv_command, retention_command
from runhaven_cli.collecting import gc
from runhaven_cli.completion import completion
from runhaven_cli.doctor import doctor
from runhaven_cli.exporting import export
from runhaven_cli.launching import run_command
from runhaven_cli.lineage import lineage_command
from runhaven_cli.listing import ls
from runhaven_cli.moving import cp, mv
from runhaven_cli.removing import rm
from runhaven_cli.sealing import seal_command
from runhaven_cli.showing import show
from runhaven_cli.sql import sql
from runhaven_cli.tailing import tail
from runhaven_cli.ui import ui
from runhaven_cli.usage import du
from runhaven_cli.versions import version

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Commands(click.Group):
    """Lists the commands in the order they were added, and prints what Runhaven raises as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except runhaven.RunhavenError as error:
            raise click.ClickException(str(error)) from error
        except ImportError as error:
            if "pip install" not in str(error):
                raise
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(runhaven.__version__, "-V", "--version", message="runhaven %(version)s")
@click.option(
    "-d",
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="The store. Default: $RUNHAVEN_DIR, else ~/.runhaven.",
)
@click.pass_context
def runhaven_command(context: click.Context, directory: Path | None) -> None:
    """Look at the experiments that Runhaven keeps in a directory.

    Start with `runhaven ui` for the dashboard, or `runhaven ls` to stay in the terminal.
    """
    context.obj = directory


for _command in (
    ui, run_command, ls, show, tail, export, sql, mv, cp, rm, artifact_command, lineage_command, seal_command, gc, du, doctor, version, completion,
):  # fmt: skip
    runhaven_command.add_command(_command)
for _command in (diff_command, mv_command, retention_command):
    artifact_command.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; the entry point of the distribution."""
    try:
        runhaven_command(arguments, prog_name="runhaven")
    except BrokenPipeError:
        # The reader of a pipe, such as `head`, has seen enough.
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
