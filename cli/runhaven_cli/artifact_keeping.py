"""`runhaven artifact mv` and `retention`: what an artifact is called, and which of its versions are kept."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from runhaven.artifacts.retention import Retention, told
from runhaven_cli.artifact import find
from runhaven_cli.options import json_option, open_api
from runhaven_cli.output import echo_json

if TYPE_CHECKING:
    from runhaven.api.artifacts import ArtifactCollection

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class _Age(click.ParamType[timedelta]):
    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = re.fullmatch(r"([0-9]+)([mhdw])", str(value))
        if found is None or not int(found[1]):
            self.fail(f"{value!r} is no age; write 90m, 12h, 30d or 8w.", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.command("mv")
@click.argument("name")
@click.argument("new_name")
@click.pass_context
def mv_command(context: click.Context, name: str, new_name: str) -> None:
    """Rename the artifact NAME, with all its versions. Its old names lead to it as before."""
    collection = _collection(context, name)
    collection.name = new_name
    collection.save()
    click.echo(f"Renamed to {collection.entity}/{collection.project}/{new_name}.")


@click.command("retention")
@click.argument("name")
@click.option("--ttl", type=_Age(), help="Keep a version for so long: 90m, 12h, 30d, 8w.")
@click.option("--keep-last", type=click.IntRange(1), help="Keep the newest N versions.", metavar="N")
@click.option("--keep-aliased/--no-keep-aliased", default=None, help="Keep versions with aliases besides latest.")
@click.option("--clear", is_flag=True, help="Keep all versions.")
@json_option
@click.pass_context
def retention_command(  # noqa: PLR0913 - one argument an option
    context: click.Context,
    name: str,
    ttl: timedelta | None,
    keep_last: int | None,
    keep_aliased: bool | None,
    *,
    clear: bool,
    as_json: bool,
) -> None:
    """Show or set which versions of the artifact NAME are kept. `runhaven gc` deletes those that no rule keeps."""
    collection = _collection(context, name)
    had = Retention() if clear else collection.retention
    collection.retention = Retention(
        ttl=ttl or had.ttl,
        keep_last=keep_last or had.keep_last,
        keep_aliased=had.keep_aliased if keep_aliased is None else keep_aliased,
    )
    collection.save()
    if as_json:
        echo_json(collection.retention.to_json())
    else:
        click.echo(f"{collection.name} keeps {_told(collection.retention)}.")


def _told(rules: Retention) -> str:
    if rules.ttl is None and rules.keep_last is None:
        return "all versions, but those with a ttl of their own"
    words = [f"versions for {told(rules.ttl)}"] if rules.ttl else []
    words += [f"the last {rules.keep_last}"] if rules.keep_last else []
    words += ["what has an alias"] if rules.keep_aliased else []
    return ", ".join(words)


def _collection(context: click.Context, name: str) -> ArtifactCollection:
    if ":" in name:
        message = f"{name!r} names a version; this is about all of them: {name.partition(':')[0]}."
        raise click.UsageError(message)
    return find(open_api(context), name).collection
