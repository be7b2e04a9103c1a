"""`runhaven doctor`: checks a store and the installation, and explains what it finds."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

import runhaven
from runhaven.platform.files import filesystem, is_memory, is_network
from runhaven.settings import store_directory
from runhaven.store.layout import Store
from runhaven_cli.adapter_checking import check_adapters
from runhaven_cli.finding import Finding
from runhaven_cli.options import json_option
from runhaven_cli.output import echo_json
from runhaven_cli.versions import installed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runhaven.api import Run

_UI = ("numpy", "fastapi", "sqlalchemy", "uvicorn", "websockets")
_MARKS = {"ok": ("✓", "green"), "note": ("·", "blue"), "problem": ("✗", "red")}
_LEAST_FREE = 1 << 30


@click.command()
@click.option("--reindex", is_flag=True, help="Make the catalogue of the store's runs anew first.")
@json_option
@click.pass_context
def doctor(context: click.Context, *, reindex: bool, as_json: bool) -> None:
    """Check the store and the installation; ends with 1 if something wants mending."""
    directory = store_directory(context.find_root().obj)
    findings = [
        *(make_catalogue(directory) if reindex else ()),
        *check_store(directory),
        *check_installation(),
        *check_adapters(),
    ]
    if as_json:
        echo_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark, colour = _MARKS[finding.level]
            click.echo(f"{click.style(mark, fg=colour)} {finding.text}")
    if any(finding.level == "problem" for finding in findings):
        context.exit(1)


def make_catalogue(directory: Path) -> Iterator[Finding]:
    """Make the catalogue of a store anew from its runs."""
    if installed("sqlalchemy") is None:
        yield Finding("note", "Without SQLAlchemy there is no catalogue to make anew. Run: pip install 'runhaven[ui]'")
        return
    from runhaven.catalogue.index import Catalogue

    catalogue = Catalogue(Store(directory))
    count = catalogue.rebuild()
    catalogue.close()
    yield Finding("ok", f"The catalogue was made anew; it holds {count} {'run' if count == 1 else 'runs'}.")


def check_store(directory: Path) -> Iterator[Finding]:
    """Check a store's directory and each run in it."""
    if not directory.exists():
        yield Finding("note", f"{directory} does not exist yet; the first run creates it.")
        return
    try:
        Store(directory).check()
    except runhaven.StoreError as error:
        yield Finding("problem", str(error))
        return
    yield from _check_place(directory)
    runs = list(runhaven.Api(directory).runs())
    states: dict[str, int] = {}
    for run in runs:
        states[run.state] = states.get(run.state, 0) + 1
        yield from check_run(run)
    counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    yield Finding("ok", f"{len(runs)} runs can be read{f': {counted}' if counted else ''}.")


def _check_place(directory: Path) -> Iterator[Finding]:
    kind = filesystem(directory)
    free = os.statvfs(directory) if hasattr(os, "statvfs") else None
    room = free.f_bavail * free.f_frsize if free else None
    yield Finding("ok", f"The store is {directory}{f' on {kind}' if kind else ''}.")
    if not os.access(directory, os.W_OK):
        yield Finding("note", "It is read-only here: runs can be looked at, not logged.")
    if is_memory(directory):
        yield Finding(
            "problem", "It lies in memory and is gone after a restart. Set RUNHAVEN_DIR to a directory on a disk."
        )
    if is_network(directory):
        yield Finding(
            "note", "It lies on a network file system: the newest half second of a run stays on the host that logs it."
        )
    if room is not None and room < _LEAST_FREE:
        yield Finding(
            "problem",
            f"The disk has {room >> 20} MB left. Free some, or `runhaven rm` runs; `runhaven du` shows their sizes.",
        )
    if directory.stat().st_mode & 0o077:
        yield Finding(
            "note",
            f"Others may enter it (mode {directory.stat().st_mode & 0o777:o}); `chmod 700 {directory}` keeps it yours.",
        )


def check_run(run: Run) -> Iterator[Finding]:
    """Check what a run's journals hold."""
    run.series()
    for damage in run.damage:
        yield Finding(
            "problem",
            f"{run.name} ({run.id}): {damage.length} bytes at {damage.offset} of {damage.file} cannot be read: {damage.reason}. "
            "The rest of the run is not affected; a backup may hold the file whole.",
        )
    if run.incomplete:
        yield Finding(
            "note",
            f"{run.name} ({run.id}) is incomplete: {run.incomplete['lost_rows']:,} rows were not kept, because {run.incomplete['reason']}.",
        )
    if run.state in ("crashed", "lost"):
        yield Finding("note", f"{run.name} ({run.id}) {run.state}; all that it had logged by then is there.")


def check_installation() -> Iterator[Finding]:
    """Check what is installed beside Runhaven."""
    absent = [package for package in _UI if installed(package) is None]
    if absent:
        yield Finding("note", f"`runhaven ui` needs {', '.join(absent)}. Run: pip install 'runhaven[ui]'")
    else:
        yield Finding("ok", "The dashboard's packages are installed.")
    if installed("psutil") is None:
        yield Finding("note", "Without psutil the machine's load is not kept. Run: pip install psutil")
    if not Path("/proc/driver/nvidia/version").exists() and os.name == "posix":
        yield Finding("note", "No NVIDIA driver here: GPU metrics are not kept.")
