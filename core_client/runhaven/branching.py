"""Goes back to a step of a run: the run itself, rewound, or a new one that forks off there."""

from __future__ import annotations

import difflib
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from runhaven.errors import NotFoundError, UsageError
from runhaven.moment import parse_moment
from runhaven.settings import Settings
from runhaven.store.ids import new_run_id, validate_id
from runhaven.store.inheritance import inherit
from runhaven.store.spool import spool_for

if TYPE_CHECKING:
    from runhaven.moment import RunMoment
    from runhaven.store.layout import RunDirectory, Store

_SEARCHED = 2000


class Chosen(NamedTuple):
    """The run to open.

    Attributes:
        directory: Where it lies.
        is_resumed: Whether it was there.
        rewind: The last step of it that counts; None for all.
    """

    directory: RunDirectory
    is_resumed: bool
    rewind: int | None = None


def check(settings: Settings) -> None:
    """Make sure that the settings about earlier runs do not contradict each other.

    Raises:
        UsageError: If they do.
    """
    given = [name for name in ("resume", "resume_from", "fork_from") if getattr(settings, name)]
    if len(given) > 1:
        message = (
            f"{' and '.join(given)} exclude each other: resume goes on where a run ended, resume_from goes on from an "
            "earlier step of it, fork_from starts a new run there. Pass one of them."
        )
        raise UsageError(message)
    if settings.run_id is None:
        return
    if settings.resume_from and parse_moment(settings.resume_from, argument="resume_from").id != settings.run_id:
        message = f"resume_from={settings.resume_from!r} names another run than id={settings.run_id!r}; leave id out."
        raise UsageError(message)
    if settings.fork_from and parse_moment(settings.fork_from, argument="fork_from").id == settings.run_id:
        message = (
            f"fork_from={settings.fork_from!r} makes a new run and cannot give it the id {settings.run_id!r} of its "
            "parent; choose another id or leave it out, or rewind the run itself with resume_from."
        )
        raise UsageError(message)


def rewound(store: Store, settings: Settings, entity: str) -> Chosen:
    """Return the run that `resume_from` names.

    Raises:
        NotFoundError: If there is none.
    """
    moment = parse_moment(settings.resume_from or "", argument="resume_from")
    return Chosen(_find(store, moment, settings, entity), is_resumed=True, rewind=moment.step)


def forked(store: Store, settings: Settings, entity: str) -> Chosen:
    """Create a run with the history of the one that `fork_from` names.

    Raises:
        NotFoundError: If there is none.
        UsageError: If the id of the new run is taken.
        OSError: If it cannot be written.
    """
    moment = parse_moment(settings.fork_from or "", argument="fork_from")
    parent = _find(store, moment, settings, entity)
    # Who names the parent's project and none for the fork means the same one.
    is_chosen = settings.project != Settings.project or moment.project is None
    directory = store.new_run(
        entity=entity,
        project=settings.project if is_chosen else parent.manifest().project,
        id=validate_id(settings.run_id or new_run_id()),
        spool=spool_for(store.root),
        inherit=lambda fork: inherit(parent, fork, step=moment.step),
    )
    return Chosen(directory, is_resumed=False, rewind=moment.step)


def _find(store: Store, moment: RunMoment, settings: Settings, entity: str) -> RunDirectory:
    place = (moment.entity or entity, moment.project or settings.project)
    found = store.find(*place, moment.id)
    if found is None:
        path = "/".join((*place, moment.id))
        message = f"there is no run {path} in {store.root}. {_hint(store, moment, settings)}"
        raise NotFoundError(message)
    return found


def _hint(store: Store, moment: RunMoment, settings: Settings) -> str:
    """Write the right text for the runs that could have been meant."""
    from runhaven.api.reading import Api

    words = {word: run for run in islice(Api(store.root).runs(), _SEARCHED) for word in (run.name, run.id)}
    near = dict.fromkeys(words[word] for word in difflib.get_close_matches(moment.id, words, n=3))
    if not near:
        return "List what is there with `runhaven ls`."
    shown = (
        f"'{'/'.join(run.path) if run.project != settings.project else run.id}?_step={moment.step}' ({run.name})"
        for run in near
    )
    return f"Did you mean {', '.join(shown)}?"
