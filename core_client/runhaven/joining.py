"""What becomes of the run that `runhaven run` opened when the program calls `init()` itself."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runhaven import launched
from runhaven.errors import StoreError, UsageError
from runhaven.settings import Settings, store_directory
from runhaven.store.layout import RunDirectory, Store

if TYPE_CHECKING:
    from runhaven._run import Run


def join_launched(run: Run, settings: Settings, config: dict[str, Any]) -> None:
    """Let the program's first `init()` describe the run; what the command line said comes first.

    Args:
        run: The run.
        settings: What `init()` was called with.
        config: Its configuration.
    """
    run.opened_by = ""
    launch = launched.current()
    given: dict[str, Any] = launch.arguments if launch is not None else {}
    said = {
        "name": settings.run_name, "notes": settings.run_notes, "tags": list(settings.run_tags),
        "group": settings.run_group, "job_type": settings.run_job_type,
    }  # fmt: skip
    earlier = run.name, run.project
    run.set_meta(**{key: value for key, value in said.items() if value and key not in given})
    run.config.update(config, allow_val_change=True)
    wanted = settings.project
    if wanted not in (Settings.project, run.project) and "project" not in given:
        _move(run, wanted)
    if (run.name, run.project) != earlier:
        run.notices.say(f"{earlier[0]} is now {run.notices.strong(run.name)}, project {run.project}")
    if settings.run_id not in (None, run.id):
        run.notices.warn(
            f"id={settings.run_id!r} was left alone, for `runhaven run` opened {run.path}; give it --id {settings.run_id}."
        )
    if (moment := settings.resume_from or settings.fork_from) is not None:
        run.notices.warn(
            f"{moment!r} was left alone, for `runhaven run` opened {run.path}; start the program without it to go on there."
        )


def warn_of_store(run: Run, directory: str | os.PathLike[str] | None) -> None:
    """Say that the run stays in its store, if the program asks for another one.

    Args:
        run: The run that `runhaven run` opened.
        directory: The store that the program wants; None if it says nothing.
    """
    own = run.identity.directory
    if directory is None or own is None or store_directory(directory).resolve() == own.parents[2].resolve():
        return
    run.notices.warn(
        f"dir={os.fspath(directory)!r} was left alone, for `runhaven run` opened {run.path} in {own.parents[2]}; "
        f"start the program with `runhaven --dir {shlex.quote(os.fspath(directory))} run ...` to keep it there."
    )


def _move(run: Run, project: str) -> None:
    """Move the run, which goes on, to another project; where that is not possible, warn and leave it."""
    directory = run.identity.directory
    if directory is None:
        return
    try:
        Store(directory.parents[2]).move(RunDirectory(directory), project=project)
    except (UsageError, StoreError) as error:
        run.notices.warn(f"the run stays in project {run.project}: {error}")
    else:
        run.identity = replace(run.identity, project=project)
