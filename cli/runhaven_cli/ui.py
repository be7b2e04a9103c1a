"""`runhaven ui`: the dashboard in a browser."""

from __future__ import annotations

import socket
import webbrowser

import click

from runhaven.missing import require
from runhaven.settings import store_directory


@click.command()
@click.option(
    "-p",
    "--port",
    type=click.IntRange(0, 65535),
    default=7878,
    show_default=True,
    help="Port; another free one if it is taken.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--prefix", default="", help="URL prefix, such as /proxy/7878 behind a notebook server.")
@click.option("--remote", is_flag=True, help="Print how to reach the dashboard from another machine by ssh.")
@click.option("--browser/--no-browser", default=None, help="Open the page. Default: if there is a display.")
@click.pass_context
def ui(context: click.Context, port: int, host: str, prefix: str, *, remote: bool, browser: bool | None) -> None:
    """Show the runs of a store in the browser."""
    serving = require("runhaven_server.serve", feature="`runhaven ui`", package="'runhaven[ui]'")
    directory = store_directory(context.find_root().obj)

    def on_ready(url: str) -> None:
        click.echo(f"{click.style('runhaven', bold=True)} shows {directory}")
        click.echo(f"\n    {click.style(url, fg='cyan', underline=True)}\n")
        if remote:
            number = url.partition("://")[2].partition("/")[0].rpartition(":")[2]
            click.echo(
                f"From your own machine:  ssh -N -L {number}:127.0.0.1:{number} {socket.gethostname()}\nthen open the address above there.\n"
            )
        click.echo(click.style("The address signs in one browser, once. Ctrl-C stops.", dim=True))
        if browser if browser is not None else _has_display() and not remote:
            webbrowser.open(url)

    serving.serve(directory, host=host, port=port, root_path=prefix, on_ready=on_ready)


def _has_display() -> bool:
    try:
        return webbrowser.get().name not in ("", "www-browser", "lynx", "w3m", "links")
    except (webbrowser.Error, AttributeError):
        return False
