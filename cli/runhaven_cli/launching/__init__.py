"""`runhaven run`: starts a program as it is, and keeps what it does as a run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from runhaven import session
from runhaven.errors import UsageError
from runhaven.launched import Launch
from runhaven.settings import store_directory
from runhaven.store.ids import new_run_id
from runhaven_cli.launching.command import resolve
from runhaven_cli.launching.folder import own_folder
from runhaven_cli.launching.keeping import keep_inside, keep_outside
from runhaven_cli.launching.process import exit_code

if TYPE_CHECKING:
    from pathlib import Path

    from runhaven_cli.launching.command import Command


@click.command(
    "run",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    options_metavar="[OPTIONS] [--]",
)
@click.option("-p", "--project", help="The project. Default: what the program says, else 'uncategorized'.")
@click.option("-n", "--name", help="The run's name. Default: two words and a number.")
@click.option("-g", "--group", help="Runs of one group are shown together.")
@click.option("-t", "--tags", multiple=True, metavar="TAG", help="A label, or several with commas; may be repeated.")
@click.option("--job-type", help="What kind of run it is, such as train or eval.")
@click.option("--notes", help="A longer description.")
@click.option("--entity", help="User or team. Default: your login name.")
@click.option("--id", "run_id", metavar="ID", help="The run's id; a run that has it already goes on.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND [ARGS]...")
@click.pass_context
def run_command(context: click.Context, *, run_id: str | None, words: tuple[str, ...], **options: Any) -> None:
    """Start a program, unchanged, as a run.

    The run has the program's console, exit code, code state and the machine's load. What its framework logs comes along
    where an adapter can set itself up: Lightning's trainer gets a logger, for example. A program that calls
    runhaven.init() itself logs into this very run. The exit code is the program's; 128 + n if signal n ended it.

    \b
    runhaven run train.py --lr 0.1
    runhaven run -p digits -t baseline -- python -m package.train
    runhaven run -- torchrun --nproc-per-node 2 train.py
    runhaven run -- bash pipeline.sh
    """  # noqa: D301 - click's mark for lines that stay as they are
    arguments = {name: value for name, value in options.items() if value}
    if "tags" in arguments:
        arguments["tags"] = [tag for word in arguments["tags"] for tag in word.split(",")]
    session.check_arguments(arguments | ({"id": run_id} if run_id else {}))
    context.exit(_launch(resolve(words), arguments, run_id or new_run_id(), context.find_root().obj))


def _launch(command: Command, arguments: dict[str, Any], run_id: str, directory: Path | None) -> int:
    if sys.platform != "linux":
        message = "`runhaven run` needs Linux; elsewhere call runhaven.init() in the program."
        raise UsageError(message)
    os.environ["RUNHAVEN_DIR"] = str(store_directory(directory))
    with own_folder() as folder:
        launch = Launch(
            keeper="program" if command.is_ours else "launcher",
            parent=os.getpid(),
            folder=folder,
            arguments=arguments,
            id=run_id,
        )
        return exit_code(keep_inside(command, launch) if command.is_ours else keep_outside(command, launch))
