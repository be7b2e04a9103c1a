"""What a live run does with artifacts: log, use and link them."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runhaven.artifacts.artifact import Artifact
from runhaven.artifacts.resolving import Home, find_collection, home_of
from runhaven.errors import StoreError, UsageError
from runhaven.settings import store_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runhaven._run import Run

logger = logging.getLogger("runhaven")


def home_of_run(run: Run) -> Home:
    """Return where a run's artifacts lie; one that is not kept reads from the store that is set."""
    directory = run.identity.directory
    if directory is None:
        return home_of(store_directory(), run.entity, run.project)
    return Home(directory.parents[2], run.entity, run.project)


def log(
    run: Run,
    what: Artifact | str | os.PathLike[str],
    *,
    name: str | None = None,
    kind: str | None = None,
    aliases: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
) -> Artifact:
    """Log an artifact, or the file or directory at a path as one; see `Run.log_artifact`."""
    artifact = what if isinstance(what, Artifact) else _from_path(run, what, name, kind)
    if run.role not in ("main", "child"):
        return artifact

    def commit() -> None:
        artifact.commit(home_of_run(run), aliases=aliases, tags=tags, run=_facts(run))

    if _is_kept(run, artifact, commit):
        run.emit(event_of(artifact, "output", aliases=list(aliases or ())))
    return artifact


def _is_kept(run: Run, artifact: Artifact, commit: Callable[[], None]) -> bool:
    """Tell whether a commit went well; what the disk refuses must not end the training."""
    try:
        commit()
    except UsageError:
        raise
    except (OSError, StoreError) as error:
        artifact.fail(str(error))
        if run.settings.strict:
            raise
        run.notices.warn(f"artifact {artifact.name} could not be logged: {error}", about=f"artifact {artifact.name}")
        logger.debug("log_artifact() failed", exc_info=True)
        return False
    return True


def _from_path(run: Run, path: str | os.PathLike[str], name: str | None, kind: str | None) -> Artifact:
    """Return a draft of what lies at a path; a file:// or other URI makes a reference."""
    text = os.fspath(path)
    artifact = Artifact(name or f"run-{run.id}-{Path(text).name or 'files'}", kind or "unspecified")
    if "://" in text:
        artifact.add_reference(text)
    elif Path(text).is_dir():
        artifact.add_dir(text)
    else:
        artifact.add_file(text)
    return artifact


def _facts(run: Run) -> dict[str, Any]:
    """Return what a version notes of the run that logged it."""
    names = {"ulid": run.identity.ulid, "entity": run.entity, "project": run.project, "id": run.id}
    return {**names, "name": run.name, "step": run.step}


def event_of(artifact: Artifact, direction: str, **more: Any) -> dict[str, Any]:
    """Return what a run's journal notes of a version that it logged ("output") or used ("input")."""
    names = {"entity": artifact.entity, "project": artifact.project, "name": artifact.name.partition(":")[0]}
    facts = {"type": artifact.type, "version": int(artifact.version[1:]), "digest": artifact.digest}
    return {"event": "artifact", "direction": direction, **names, **facts, **more}


def use(
    run: Run,
    what: Artifact | str,
    *,
    kind: str | None = None,
    aliases: Sequence[str] | None = None,
    use_as: str | None = None,
) -> Artifact:
    """Return an artifact and note that the run uses it; see `Run.use_artifact`."""
    if isinstance(what, Artifact):
        artifact = what
        if artifact.is_draft():
            log(run, artifact, aliases=aliases)
        if artifact.is_draft():
            return artifact
    else:
        collection, word = find_collection(what, home_of_run(run))
        artifact = Artifact.of(collection, collection.find(word))
    if kind is not None and artifact.type != kind:
        message = f"use_artifact(type={kind!r}): {artifact.qualified_name} has the type {artifact.type!r}."
        raise UsageError(message)
    artifact.used_as(use_as)
    if run.role in ("main", "child"):
        try:
            artifact.note_use(_facts(run) | ({"use_as": use_as} if use_as else {}))
        except OSError as error:
            run.notices.warn(f"it could not be noted at {artifact.name} that this run uses it: {error}.")
        run.emit(event_of(artifact, "input", **({"use_as": use_as} if use_as else {})))
    return artifact


def link(run: Run, what: Artifact | str | os.PathLike[str], target: str, aliases: Sequence[str] | None) -> Artifact:
    """Link an artifact into a collection of links, logging it first if need be; see `Run.link_artifact`."""
    if isinstance(what, Artifact):
        artifact = what
        if artifact.is_draft():
            log(run, artifact)
    else:
        collection, word = find_collection(os.fspath(what), home_of_run(run))
        artifact = Artifact.of(collection, collection.find(word))
    if artifact.is_draft():
        # A run that keeps nothing, or a disk that is full: the warning is out.
        return artifact
    try:
        return artifact.link(target, aliases)
    except OSError as error:
        run.notices.warn(f"artifact {artifact.name} could not be linked to {target!r}: {error}.")
        return artifact


# Models


def log_model(run: Run, path: str | os.PathLike[str], name: str | None, aliases: Sequence[str] | None) -> Artifact:
    """Log a file or a directory as an artifact of the type "model"."""
    return log(run, path, name=name, kind="model", aliases=aliases)


def use_model(run: Run, name: str) -> str:
    """Bring a model and return where it lies: its only file, or its folder."""
    artifact = use(run, name)
    if "model" not in artifact.type.lower():
        message = f"use_model({name!r}): its type is {artifact.type!r}, which is no model's; use use_artifact()."
        raise UsageError(message)
    return artifact.file() if artifact.file_count == 1 else artifact.download()


def link_model(
    run: Run, path: str | os.PathLike[str], target: str, name: str | None, aliases: Sequence[str] | None
) -> Artifact:
    """Log a model and link it into a collection of the model registry."""
    artifact = log_model(run, path, name, None)
    return link(run, artifact, f"model-registry/{target}" if "/" not in target else target, aliases)


# Code


def log_code(
    run: Run,
    root: str | None = ".",
    name: str | None = None,
    include: Callable[..., bool] | None = None,
    exclude: Callable[..., bool] | None = None,
) -> Artifact | None:
    """Log the source files below a directory; see `Run.log_code`."""
    folder = Path(root or ".").absolute()
    files = [path for path in _sources(folder) if _is_wanted(path, folder, include, exclude)]
    if not files:
        run.notices.warn(f"log_code({root!r}) found no source files below {folder}.")
        return None
    artifact = Artifact(name or f"source-{run.project}", "code")
    for path in files:
        artifact.add_file(path, name=path.relative_to(folder))
    return log(run, artifact)


def _sources(folder: Path) -> list[Path]:
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and not _is_made(Path(place) / one))
        found += [path for one in sorted(names) if not one.startswith(".") and (path := Path(place) / one).is_file()]
    return found


def _is_made(folder: Path) -> bool:
    """Tell whether a directory holds what tools made, not what somebody wrote."""
    return folder.name in {"__pycache__", "node_modules", "artifacts", "wandb"} or (folder / "pyvenv.cfg").exists()


def _is_wanted(
    path: Path, folder: Path, include: Callable[..., bool] | None, exclude: Callable[..., bool] | None
) -> bool:
    chosen = path.suffix == ".py" if include is None else _ask(include, path, folder)
    return chosen and not (exclude is not None and _ask(exclude, path, folder))


def _ask(question: Callable[..., bool], path: Path, folder: Path) -> bool:
    """Ask a user's function, which takes the path, and the root too if it wants to know it."""
    try:
        return bool(question(str(path), str(folder)))
    except TypeError:
        return bool(question(str(path)))


# Several processes


def upsert(run: Run, artifact: Artifact, distributed_id: str | None) -> Artifact:
    """Keep one process's part of a version; see `Run.upsert_artifact`."""
    shared = _shared_id(run, distributed_id)
    if run.role != "disabled":
        _is_kept(run, artifact, lambda: artifact.commit_part(home_of_run(run), shared))
    return artifact


def finish(
    run: Run, artifact: Artifact, *, aliases: Sequence[str] | None, tags: Sequence[str] | None, shared: str | None
) -> Artifact:
    """Log what all processes put in; see `Run.finish_artifact`."""
    if run.role == "disabled":
        return artifact
    parts = artifact.gather(home_of_run(run), _shared_id(run, shared))
    log(run, artifact, aliases=aliases, tags=tags)
    if not artifact.is_draft():
        for part in parts:
            part.unlink(missing_ok=True)
    return artifact


def _shared_id(run: Run, distributed_id: str | None) -> str:
    found = distributed_id or run.group
    if not found:
        message = "upsert_artifact() and finish_artifact() need distributed_id=, or a run with a group, to know what belongs together."
        raise UsageError(message)
    return found
