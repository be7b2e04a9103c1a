"""`runhaven gc`: gives back the room of what a store can do without."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from runhaven.api import collecting
from runhaven.api.usage import room_below
from runhaven.sealed.seal import can_seal
from runhaven_cli.options import json_option, open_api
from runhaven_cli.output import echo_json, size, table
from runhaven_cli.sealing import NEEDED

if TYPE_CHECKING:
    from pathlib import Path

    from runhaven.api import Api
    from runhaven.artifacts.retention import Expired

_DAY_S = 86400.0


class _Waste(NamedTuple):
    """What can go.

    Attributes:
        journals: Journals of sealed runs.
        leavings: What killed processes left behind.
        trash: Removed runs.
        stays: For each run whose journals stay, why.
        artifacts: Versions that no rule keeps, and blobs that nothing names.
    """

    journals: list[Path]
    leavings: list[Path]
    trash: list[Path]
    stays: dict[str, str]
    artifacts: collecting.Waste

    @property
    def paths(self) -> list[Path]:
        return [*self.journals, *self.leavings, *self.trash]

    @property
    def is_nothing(self) -> bool:
        return not (self.paths or self.artifacts.versions or self.artifacts.blobs)


@click.command()
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("-v", "--verbose", is_flag=True, help="Say of each run why its journals stay.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--trash-days",
    type=click.FloatRange(0),
    default=30,
    show_default=True,
    help="How long a removed run can be brought back.",
)
@json_option
@click.pass_context
def gc(context: click.Context, *, dry_run: bool, verbose: bool, yes: bool, trash_days: float, as_json: bool) -> None:
    """Remove what the store can do without.

    That is: journals of sealed runs, old runs in the trash, versions of artifacts that no rule keeps (see `runhaven
    artifact retention`), media and files that nothing names any more, and what killed processes left behind.

    A journal goes only if its run is over, everything in it is sealed, and the sealed files are as they were written.
    Media and files that were written or wanted within a day stay.
    """
    if not can_seal():
        raise click.ClickException(NEEDED)
    api = open_api(context)
    waste = _look(api, trash_days * _DAY_S)
    total = sum(map(_size, waste.paths)) + sum(size for _, size in waste.artifacts.blobs)
    if as_json:
        echo_json(_facts(waste) | {"bytes": total, "dry_run": dry_run})
    else:
        _tell(api, waste, total, is_verbose=verbose)
    if dry_run or waste.is_nothing:
        return
    if not yes and not as_json:
        click.confirm("Remove these for good?", abort=True)
    for path in waste.paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    collecting.collect(api.store, waste.artifacts)
    if not as_json:
        click.echo(f"Removed {size(total)}.")


def _look(api: Api, trash_s: float) -> _Waste:
    from runhaven.sealed.collect import find_leavings, find_waste

    journals: list[Path] = []
    leavings = find_leavings(api.store)
    stays: dict[str, str] = {}
    for run in api.runs():
        waste = find_waste(run.directory)
        journals += [path for path in waste.paths if path.parent.name == "journal"]
        leavings += [path for path in waste.paths if path.parent.name != "journal"]
        if waste.reason:
            stays["/".join(run.path)] = waste.reason
    old_us = (time.time() - trash_s) * 1e6
    trash = [one.run.path for one in api.store.removed() if one.time_us <= old_us]
    return _Waste(journals, leavings, trash, stays, collecting.find(api.store))


def _facts(waste: _Waste) -> dict[str, Any]:
    versions = [{"name": _name(one), "reason": one.reason} for one in waste.artifacts.versions]
    blobs = {"blobs": [str(path) for path, _ in waste.artifacts.blobs], "blobs_stay": waste.artifacts.stays}
    return {"files": list(map(str, waste.paths)), "journals_that_stay": waste.stays, "versions": versions, **blobs}


def _name(one: Expired) -> str:
    return f"{one.collection.place}:{one.version.label}"


def _size(path: Path) -> int:
    return room_below(path) if path.is_dir() else path.lstat().st_size


def _tell(api: Api, waste: _Waste, total: int, *, is_verbose: bool) -> None:
    if is_verbose and waste.stays:
        click.echo(table([[name, reason] for name, reason in waste.stays.items()], head=["JOURNALS STAY", "BECAUSE"]))
    for one in waste.artifacts.versions:
        click.echo(f"{click.style(_name(one), bold=True)}  {one.reason}")
    if waste.artifacts.stays:
        click.echo(click.style(f"Media and files of artifacts stay: {waste.artifacts.stays}", fg="yellow"))
    if waste.is_nothing:
        click.echo(f"Nothing to remove in {api.store.root}.")
        return
    runs = len({path.parent for path in waste.journals})
    named = [
        (runs, "journals of {} sealed run{}"), (len(waste.trash), "{} removed run{}"), (len(waste.leavings), "{} leaving{} of killed processes"),
        (len(waste.artifacts.versions), "{} version{} of artifacts"), (len(waste.artifacts.blobs), "{} blob{} that nothing names"),
    ]  # fmt: skip
    parts = [text.format(f"{count:,}", "s" * (count != 1)) for count, text in named if count]
    click.echo(f"{size(total)}: {', '.join(parts)}.")
