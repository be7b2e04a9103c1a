"""Opens runs: a new one, one to go on with, one that another process of the training owns, one that is not kept."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runhaven import __version__, branching
from runhaven._run import Identity, Run
from runhaven.branching import Chosen
from runhaven.capture import environment
from runhaven.capture.signals import SignalWatch
from runhaven.dormant import DormantJournal, NoJournal
from runhaven.errors import StoreError, UsageError
from runhaven.journal.record import Event
from runhaven.journal.writer import JournalWriter
from runhaven.lifetime import Lifetime
from runhaven.notice import Notices
from runhaven.platform.files import replace_atomically
from runhaven.platform.process import ProcessIdentity, is_alive
from runhaven.platform.process import identity as own_identity
from runhaven.recorder import Recorder
from runhaven.redaction import redact_argv
from runhaven.sealed.view import read_view
from runhaven.store.ids import new_run_id, validate_id
from runhaven.store.layout import Store
from runhaven.store.spool import recover, spool_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runhaven._run import Role
    from runhaven.rank import Rank
    from runhaven.settings import Settings
    from runhaven.store.layout import RunDirectory
    from runhaven.store.view import RunView

logger = logging.getLogger("runhaven")

INHERITED = "RUNHAVEN_INHERITED_RUN"
ATTACH_PATIENCE_S = 5.0
SHARED_PATIENCE_S = 60.0
_ATTACH_POLL_S = 0.05
_PUBLISHED_FOR_S = 600.0


def open_run(settings: Settings, root: Path, place: Rank, on_finish: Callable[[Run], None]) -> Run:
    """Open the run that `init()` asks for.

    Raises:
        UsageError: If id and `resume` contradict what the store holds.
        NotFoundError: If there is no run to rewind or to fork.
        StoreError: If the store cannot be written.
    """
    branching.check(settings)
    notices = Notices(is_silent=settings.silent, is_quiet=settings.quiet)
    if settings.mode == "disabled":
        return unkept(settings, notices, "disabled", on_finish)
    try:
        store = Store(root)
        store.create()
        if not place.is_first or (settings.mode == "shared" and not settings.x_primary):
            return _join(settings, store, place, notices, on_finish)
        return _own(settings, store, place, notices, on_finish)
    except OSError as error:
        message = (
            f"the store {root} cannot be written: {error.strerror or error}. "
            "Pass init(dir=...) or set RUNHAVEN_DIR to a directory that can."
        )
        raise StoreError(message) from error


def unkept(settings: Settings, notices: Notices, role: Role, on_finish: Callable[[Run], None]) -> Run:
    """Return a run that keeps nothing."""
    journal = NoJournal()
    names = Identity(
        entity=settings.entity or "",
        project=settings.project,
        id=settings.run_id or new_run_id(),
        ulid="",
        directory=None,
        started_s=time.time(),
    )
    return Run(
        names,
        settings=settings,
        journal=journal,
        recorder=Recorder(journal),
        notices=notices,
        role=role,
        on_finish=on_finish,
    )


# A run that this process owns


def _own(settings: Settings, store: Store, place: Rank, notices: Notices, on_finish: Callable[[Run], None]) -> Run:
    entity = settings.entity or environment.user_name()
    chosen = _choose(settings, store, entity, notices)
    directory = chosen.directory
    rank_stream = f"rank={place.rank}" if settings.mode == "shared" and place.rank else ""
    run = _open(chosen, settings, notices, "main", place, stream=rank_stream, on_finish=on_finish)
    _publish(store, directory, place)
    if directory.manifest().spool_here() is not None:
        threading.Thread(target=_recover, args=(store,), name="runhaven-recovery", daemon=True).start()
    if settings.resume == "auto":
        _remember(store, settings, entity, directory)
    return run


def _recover(store: Store) -> None:
    """Bring in what killed processes left in the spool of this host."""
    try:
        recover(store)
    except Exception:
        logger.debug("tails of killed processes could not be moved", exc_info=True)


def _choose(settings: Settings, store: Store, entity: str, notices: Notices) -> Chosen:
    """Find or create the run's directory."""
    if settings.resume_from:
        return branching.rewound(store, settings, entity)
    if settings.fork_from:
        return branching.forked(store, settings, entity)
    project, run_id = settings.project, settings.run_id
    if run_id is None and settings.resume == "auto":
        run_id = _remembered(store, settings, entity)
    if run_id is not None:
        validate_id(run_id)
        found = store.find(entity, project, run_id)
        if found is not None and settings.resume == "never":
            message = (
                f"run {entity}/{project}/{run_id} exists and resume='never'; choose another id, or resume='allow'."
            )
            raise UsageError(message)
        if found is not None:
            if settings.resume is None:
                notices.warn(
                    f"run {entity}/{project}/{run_id} exists; going on with it (pass resume='allow' to mean it)."
                )
            return Chosen(found, is_resumed=True)
    if settings.resume == "must":
        named = f"{entity}/{project}/{run_id}" if run_id else "no id"
        message = f"resume='must' needs a run that exists, and {named} does not; check id, project and dir."
        raise UsageError(message)
    made = store.new_run(entity=entity, project=project, id=run_id or new_run_id(), spool=spool_for(store.root))
    return Chosen(made, is_resumed=False)


def _auto_file(store: Store, settings: Settings, entity: str) -> Path:
    here = "\0".join((entity, settings.project, environment.host_name(), str(Path.cwd()), sys.argv[0]))
    return store.root / "auto" / hashlib.sha256(here.encode()).hexdigest()[:32]


def _remember(store: Store, settings: Settings, entity: str, directory: RunDirectory) -> None:
    path = _auto_file(store, settings, entity)
    path.parent.mkdir(exist_ok=True, mode=0o700)
    replace_atomically(path, json.dumps({"id": directory.manifest().id, "run": directory.ulid}).encode())


def _remembered(store: Store, settings: Settings, entity: str) -> str | None:
    """Return the id of the last run of this script here, if it did not finish."""
    try:
        noted = json.loads(_auto_file(store, settings, entity).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    found = store.find(entity, settings.project, str(noted["id"]))
    is_finished = found is None or (newest := read_view(found).newest) is None or newest.exit_code == 0
    return None if is_finished else str(noted["id"])


# A run that another process owns


def _join(settings: Settings, store: Store, place: Rank, notices: Notices, on_finish: Callable[[Run], None]) -> Run:
    """Return this process's part of the run that rank 0 owns."""
    directory = _find_published(settings, store, place)
    if directory is None:
        logger.debug("rank %d found no run of rank 0 to follow", place.rank)
        if settings.mode == "shared":
            notices.warn(
                f"rank {place.rank} found no run to share, so what it logs is not kept. Call init() on rank 0, or with "
                f"x_primary=True, no more than {SHARED_PATIENCE_S:.0f} seconds later than here."
            )
        return unkept(settings, notices, "follower", on_finish)
    is_shared = settings.mode == "shared"
    stream = settings.x_label or f"rank={place.rank}" if is_shared else ""
    role = "child" if is_shared else "follower"
    found = Chosen(directory, is_resumed=False)
    return _open(found, settings, notices, role, place, stream=stream, on_finish=on_finish)


def _publish(store: Store, directory: RunDirectory, place: Rank) -> None:
    """Tell the other processes of this training, and this process's children, which run it is."""
    os.environ[INHERITED] = json.dumps({"store": str(store.root), "run": directory.ulid, "pid": os.getpid()})
    if place.group is None:
        return
    path = _meeting_point(store, place.group)
    path.parent.mkdir(exist_ok=True, mode=0o700)
    note = {"run": directory.ulid, "time": time.time(), "process": asdict(own_identity())}
    replace_atomically(path, json.dumps(note).encode())


def _meeting_point(store: Store, group: str) -> Path:
    return store.root / "ranks" / hashlib.sha256(group.encode()).hexdigest()[:32]


def _find_published(settings: Settings, store: Store, place: Rank) -> RunDirectory | None:
    is_shared = settings.mode == "shared"
    shared_id = settings.run_id if is_shared else None
    if shared_id is None and (inherited := _inherited(store)) is not None:
        return inherited
    # Rows are at stake where the run is shared; else it is only what the process prints.
    deadline = time.monotonic() + (SHARED_PATIENCE_S if is_shared else ATTACH_PATIENCE_S)
    while shared_id is not None or place.group is not None:
        entity = settings.entity or environment.user_name()
        found = store.find(entity, settings.project, shared_id) if shared_id else _met(store, place.group or "")
        if found is not None or time.monotonic() > deadline:
            return found
        time.sleep(_ATTACH_POLL_S)
    return None


def _met(store: Store, group: str) -> RunDirectory | None:
    ulid = _read_note(_meeting_point(store, group))
    return None if ulid is None else store.open(ulid)


def _inherited(store: Store) -> RunDirectory | None:
    try:
        note = json.loads(os.environ[INHERITED])
    except (KeyError, ValueError):
        return None
    is_ours = note.get("store") == str(store.root) and note.get("pid") != os.getpid()
    return store.open(str(note["run"])) if is_ours else None


def _read_note(path: Path) -> str | None:
    """Read what rank 0 left, unless it is of an earlier training on the same address."""
    try:
        note = json.loads(path.read_text("utf-8"))
        alive = is_alive(ProcessIdentity(**note["process"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if alive is None:
        alive = time.time() - float(note["time"]) < _PUBLISHED_FOR_S
    return str(note["run"]) if alive else None


def attach(directory: Path, settings: Settings, place: Rank, on_finish: Callable[[Run], None]) -> Run:
    """Return another process's run, so that this process can log into it too."""
    stored = Store(directory.parents[2]).open(directory.name)
    notices = Notices(is_silent=settings.silent, is_quiet=settings.quiet)
    if stored is None:
        return unkept(settings, notices, "disabled", on_finish)
    return _open(Chosen(stored, is_resumed=False), settings, notices, "child", place, on_finish=on_finish)


# All of them


def _open(  # noqa: PLR0913 - what makes up a live run
    chosen: Chosen,
    settings: Settings,
    notices: Notices,
    role: Role,
    place: Rank,
    *,
    on_finish: Callable[[Run], None],
    stream: str = "",
) -> Run:
    directory = chosen.directory
    earlier, facts = _look_back(chosen, role, notices)
    channel = SignalWatch()
    journal = open_journal(directory, role, place, channel, facts)
    if earlier is not None and "rewind" in facts:
        # What is left in sight of the past is what every reader learns from this event.
        earlier.fold([Event(journal.name, 0, {"event": "start", "time": 0, "role": role, **facts})])
    recorder = Recorder(journal, stream=stream, step=facts["step"])
    manifest = directory.manifest()
    names = Identity(
        entity=manifest.entity,
        project=manifest.project,
        id=manifest.id,
        ulid=directory.ulid,
        directory=directory.path,
        started_s=time.time(),
        starting_step=facts["step"],
        is_resumed=chosen.is_resumed,
    )
    run = Run(
        names, settings=settings, journal=journal, recorder=recorder, notices=notices, role=role, on_finish=on_finish
    )
    if earlier is not None:
        run.recall(earlier)
    run.lifetime = Lifetime(run, journal, recorder, channel)
    run.reopen = lambda: reopen_in_child(run, directory, place)
    return run


def _look_back(chosen: Chosen, role: Role, notices: Notices) -> tuple[RunView | None, dict[str, Any]]:
    """Read what the run has come to, and return what the `start` event says about going on from there."""
    if chosen.rewind is not None:
        return _look_back_to(chosen.rewind, chosen, notices)
    earlier = read_view(chosen.directory) if chosen.is_resumed or role != "main" else None
    step = 0 if earlier is None or earlier.last_step is None else earlier.last_step + 1
    return earlier, {"step": step, "resumed": chosen.is_resumed}


def _look_back_to(step: int, chosen: Chosen, notices: Notices) -> tuple[RunView, dict[str, Any]]:
    # Reading rows takes modules that a plain run never needs.
    from runhaven.standing import Standing

    standing = Standing(chosen.directory, step)
    if standing.view.last_step is None or standing.view.last_step < step:
        reached = "no step at all" if standing.view.last_step is None else f"step {standing.view.last_step}"
        notices.warn(f"the run had reached {reached}, not {step}; it goes on at step {step + 1}.")
    facts = {"step": step + 1, "resumed": chosen.is_resumed, **standing.fields()}
    if not chosen.is_resumed and (parent := chosen.directory.manifest().parent) is not None:
        facts["fork"] = {"run": parent.run, "id": parent.id, "step": parent.step}
    return standing.view, facts


def open_journal(
    directory: RunDirectory, role: Role, place: Rank, channel: SignalWatch, facts: Mapping[str, Any]
) -> JournalWriter:
    """Open a journal of this process's own in a run, and say in it whose it is.

    Args:
        directory: The run.
        role: What this process is to it.
        place: Which process of the training it is.
        channel: Wakes the journal's background thread.
        facts: What else the `start` event says: "step", "resumed", ...

    Raises:
        OSError: If it cannot be created.
    """
    name = f"{time.time_ns() // 1_000_000:012x}-{secrets.token_hex(3)}"
    header = {"format": 1, "run": directory.ulid, "writer": name}
    spool = directory.manifest().spool_here()
    journal = JournalWriter(directory.journal, name=name, header=header, wake=channel.wake, spool=spool)
    start: dict[str, Any] = {
        "event": "start",
        "time": time.time_ns() // 1000,
        "role": role,
        **asdict(own_identity()),
        "rank": place.rank,
        "world_size": place.world_size,
        "user": environment.user_name(),
        "argv": redact_argv(sys.argv),
        "python": sys.version.partition(" ")[0],
        "runhaven": __version__,
        **facts,
    }
    journal.exclusively(journal.put_event, start)
    return journal


def reopen_in_child(run: Run, directory: RunDirectory, place: Rank) -> None:
    """Give a forked child a journal of its own, should it log."""

    def open_it() -> JournalWriter:
        channel = SignalWatch()
        journal = open_journal(directory, "child", place, channel, {"step": run.step, "resumed": False})
        run.lifetime = Lifetime(run, journal, run.recorder, channel)
        run.lifetime.start_quietly()
        return journal

    run.rebind(DormantJournal(open_it))
