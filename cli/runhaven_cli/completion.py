"""`runhaven completion`: completion of commands and runs in the shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a SHELL.

    For bash: put `eval "$(runhaven completion bash)"` into ~/.bashrc.
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells of the choice"
    root = context.find_root()
    click.echo(kind(root.command, {}, "runhaven", "_RUNHAVEN_COMPLETE").source())
