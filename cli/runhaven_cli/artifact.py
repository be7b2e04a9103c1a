"""`runhaven artifact`: list, log, bring, check and delete artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runhaven.artifacts.artifact import Artifact
from runhaven.artifacts.checking import check_folder, check_store
from runhaven.artifacts.resolving import home_of, split
from runhaven.errors import NotFoundError, UsageError
from runhaven.store.blobs import Blobs
from runhaven_cli.options import json_option, open_api
from runhaven_cli.output import ago, echo_json, size, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runhaven.api import Api
    from runhaven.api.artifacts import ArtifactCollection


@click.group("artifact")
def artifact_command() -> None:
    """Log and bring artifacts: named, versioned sets of files.

    NAME is name, project/name or entity/project/name, with a version or an alias behind a colon: digits:v3, digits:best.
    """


@artifact_command.command("ls")
@click.argument("what", required=False, metavar="[TYPE|NAME]")
@click.option("-p", "--project", help="Only artifacts of this project.")
@json_option
@click.pass_context
def ls_command(context: click.Context, what: str | None, project: str | None, *, as_json: bool) -> None:
    """List artifacts; those of one TYPE, or the versions of the one that is called NAME."""
    api = open_api(context)
    collections = [one for one in api.all_artifact_collections() if project is None or one.project == project]
    of_type = [one for one in collections if what in {None, one.type}]
    if of_type or what is None:
        _echo_collections(of_type, as_json=as_json, store=api.store.root)
        return
    versions = [one for found in _named(collections, what) for one in found.artifacts()]
    if not versions:
        message = f"there is no artifact and no type {what!r} in {api.store.root}. `runhaven artifact ls` lists all."
        raise click.ClickException(message)
    _echo_versions(versions, as_json=as_json)


def _named(collections: Iterable[ArtifactCollection], what: str) -> list[ArtifactCollection]:
    return [one for one in collections if f"/{one.entity}/{one.project}/{one.name}".endswith(f"/{what}")]


def _echo_collections(found: Sequence[ArtifactCollection], *, as_json: bool, store: Path) -> None:
    rows: list[list[str]] = []
    data: list[dict[str, Any]] = []
    for one in found:
        versions = one.artifacts()
        newest = versions[0]
        data.append({
            "name": one.name, "entity": one.entity, "project": one.project, "type": one.type, "versions": len(versions),
            "latest": newest.version, "size": newest.size, "aliases": one.aliases, "tags": one.tags,
            "description": one.description, "created_at": one.created_at, "is_sequence": one.is_sequence(),
        })  # fmt: skip
        aliases = ", ".join(word for word in one.aliases if word != "latest")
        rows.append([
            click.style(one.name, bold=True), one.project, one.type, newest.version, size(newest.size),
            ago(newest.created), aliases or "-",
        ])  # fmt: skip
    if as_json:
        echo_json(data)
    elif rows:
        click.echo(table(rows, head=["NAME", "PROJECT", "TYPE", "NEWEST", "SIZE", "LOGGED", "ALIASES"], right=[4]))
    else:
        click.echo(f"No artifacts in {store} yet. A first one: runhaven artifact put PATH --name NAME --type dataset")


def _echo_versions(found: Sequence[Artifact], *, as_json: bool) -> None:
    if as_json:
        echo_json([facts(one) for one in found])
        return
    rows = [
        [
            click.style(one.name, bold=True), one.project, size(one.size), f"{one.file_count:,}", ago(one.created),
            ", ".join(one.aliases) or "-", _by(one), one.digest[:12],
        ]
        for one in found
    ]  # fmt: skip
    head = ["NAME", "PROJECT", "SIZE", "FILES", "LOGGED", "ALIASES", "BY", "DIGEST"]
    click.echo(table(rows, head=head, right=[2, 3]))


def _by(artifact: Artifact) -> str:
    run = artifact.logged_by()
    return run.name if run else "-"


def facts(artifact: Artifact) -> dict[str, Any]:
    """Return what a script wants to know of a version."""
    run = artifact.logged_by()
    return {
        "name": artifact.name,
        "qualified_name": artifact.qualified_name,
        "type": artifact.type,
        "version": artifact.version,
        "aliases": artifact.aliases,
        "tags": artifact.tags,
        "description": artifact.description,
        "metadata": artifact.metadata,
        "size": artifact.size,
        "file_count": artifact.file_count,
        "digest": artifact.digest,
        "created_at": artifact.created_at,
        "logged_by": "/".join(run.path) if run else None,
        "source": artifact.source_qualified_name,
    }


@artifact_command.command("put")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("-n", "--name", required=True, help="Its name: name, project/name or entity/project/name.")
@click.option("-t", "--type", "kind", default="dataset", show_default=True, help="Its type.")
@click.option(
    "-a", "--alias", "aliases", multiple=True, help="A name for the version, besides latest. May be repeated."
)
@click.option("--description", help="A text about it.")
@json_option
@click.pass_context
def put_command(
    context: click.Context, path: Path, name: str, kind: str, aliases: tuple[str, ...], **more: Any
) -> None:
    """Log the file or directory at PATH. Unchanged content makes no new version."""
    place, word = split(name, home_of(open_api(context).store.root))
    if word is not None:
        message = f"--name {name!r}: the version counts up by itself; pass --alias for an alias."
        raise click.UsageError(message)
    artifact = Artifact.in_store(open_api(context).store.root, place, kind)
    artifact.description = more["description"]
    if path.is_dir():
        artifact.add_dir(path)
    else:
        artifact.add_file(path)
    artifact.commit(aliases=aliases)
    if more["as_json"]:
        echo_json(facts(artifact))
    else:
        click.echo(f"Logged {artifact.qualified_name}, {artifact.file_count:,} files, {size(artifact.size)}.")


@artifact_command.command("get")
@click.argument("name")
@click.option("-r", "--root", type=click.Path(path_type=Path), help="The folder. Default: artifacts/NAME:VERSION.")
@click.option("--prefix", help="Only files whose path begins so.")
@click.option("--link", is_flag=True, help="Link small files to the store, read-only, rather than copy them.")
@json_option
@click.pass_context
def get_command(
    context: click.Context, name: str, root: Path | None, prefix: str | None, *, link: bool, as_json: bool
) -> None:
    """Bring the files of NAME into a folder. Files there that are right already stay."""
    artifact = find(open_api(context), name)
    folder = artifact.download(root, path_prefix=prefix, hard_links=link)
    if as_json:
        echo_json(facts(artifact) | {"path": str(Path(folder).absolute())})
    else:
        click.echo(folder)


@artifact_command.command("verify")
@click.argument("name")
@click.option(
    "-r", "--root", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A folder to compare."
)
@json_option
@click.pass_context
def verify_command(context: click.Context, name: str, root: Path | None, *, as_json: bool) -> None:
    """Read all bytes of NAME in the store, or in a folder it was brought to, and say which are not what was logged."""
    api = open_api(context)
    artifact = find(api, name)
    manifest = artifact.manifest
    faults = check_folder(manifest, root) if root else check_store(manifest, Blobs(api.store.root))
    if as_json:
        echo_json({"name": artifact.qualified_name, "faults": [fault._asdict() for fault in faults]})
    else:
        for fault in faults:
            click.echo(f"{click.style('✗', fg='red')} {fault.path}: {fault.reason}")
        if not faults:
            click.echo(
                f"{click.style('✓', fg='green')} {artifact.qualified_name}: {artifact.file_count:,} files are right."
            )
    if faults:
        context.exit(1)


@artifact_command.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAMES...")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-f", "--force", is_flag=True, help="Delete versions that have aliases too.")
@click.pass_context
def rm_command(context: click.Context, names: tuple[str, ...], *, yes: bool, force: bool) -> None:
    """Delete versions. Their numbers stay taken; bytes that others share stay too."""
    api = open_api(context)
    for name in names:
        if ":" not in name:
            message = f"{name!r} names no version; write {name}:v3."
            raise click.UsageError(message)
    found = [find(api, name) for name in dict.fromkeys(names)]
    for artifact in found:
        click.echo(f"{artifact.qualified_name}  {size(artifact.size)}  {', '.join(artifact.aliases)}")
    if not yes:
        click.confirm(f"Delete {'this version' if len(found) == 1 else f'these {len(found)} versions'}?", abort=True)
    for artifact in found:
        artifact.delete(delete_aliases=force)
    click.echo(f"Deleted {len(found)} version{'s' * (len(found) != 1)}.")


def find(api: Api, name: str) -> Artifact:
    """Return the version that a name means, in whatever project it is, if only one has such.

    Raises:
        ClickException: If there is none, or several.
    """
    try:
        return api.artifact(name)
    except (NotFoundError, UsageError) as error:
        path, _, word = name.partition(":")
        among = _named(api.all_artifact_collections(), path)
        if len(among) == 1:
            one = among[0]
            return api.artifact(f"{one.entity}/{one.project}/{one.name}:{word or 'latest'}")
        if among:
            names = ", ".join(f"{one.entity}/{one.project}/{one.name}" for one in among)
            message = f"{path!r} could mean any of {names}. Give the project too."
            raise click.ClickException(message) from error
        raise click.ClickException(str(error)) from error
