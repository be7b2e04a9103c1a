"""`runhaven version`: what is installed."""

from __future__ import annotations

import platform
from importlib import metadata

import click

import runhaven
from runhaven_cli.options import json_option
from runhaven_cli.output import echo_json, table

PACKAGES = (
    "psutil",
    "nvidia-ml-py",
    "click",
    "numpy",
    "fastapi",
    "uvicorn",
    "websockets",
    "lightning",
    "pytorch-lightning",
    "torch",
)


def installed(package: str) -> str | None:
    """Return the version of an installed package; None without it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@click.command()
@json_option
def version(*, as_json: bool) -> None:
    """Show the versions of Runhaven and of what it works with."""
    found = {"runhaven": runhaven.__version__, "python": platform.python_version(), "platform": platform.platform()}
    found |= {package: installed(package) or "not installed" for package in PACKAGES}
    if as_json:
        echo_json(found)
        return
    click.echo(table([[click.style(name, dim=True), text] for name, text in found.items()]))
