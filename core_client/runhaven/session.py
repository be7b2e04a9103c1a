"""The process's session: which runs are live, and what `runhaven.init()` and `runhaven.finish()` do."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runhaven import launched
from runhaven import rank as ranks
from runhaven._config import select, to_mapping
from runhaven.capture.exceptions import ExceptionCapture
from runhaven.errors import UsageError
from runhaven.joining import join_launched, warn_of_store
from runhaven.notice import Notices
from runhaven.opening import attach as attach_run
from runhaven.opening import open_run, unkept
from runhaven.settings import Settings, resolve, store_directory
from runhaven.store.ids import validate_id
from runhaven.store.names import new_name

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from runhaven._run import Run

_lock = threading.RLock()
_live: list[Run] = []
_current: Run | None = None
_exceptions: ExceptionCapture | None = None
_setup: dict[str, Any] = {}


def current() -> Run | None:
    """Return the run that the module functions work on."""
    return _current


def required() -> Run:
    """Return the run that the module functions work on.

    Raises:
        UsageError: If there is none.
    """
    if _current is None:
        message = "there is no run yet; call runhaven.init() first."
        raise UsageError(message)
    return _current


def notices() -> Notices:
    """Return where warnings go: to the current run's reader, and without a run to stderr."""
    return _current.notices if _current is not None else Notices()


def setup(settings: Settings | Mapping[str, Any] | None = None) -> None:
    """Set settings for all later runs of this process; an `init()` argument still wins."""
    _setup.update(_given(settings))


def login(key: str | None = None, **_: Any) -> bool:
    """Store a key for a later server; nothing is asked of the network.

    Returns:
        Whether a key is stored.
    """
    path = Path.home() / ".config" / "runhaven" / "credentials"
    if key:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(json.dumps({"key": key}), "utf-8")
    return path.is_file()


def init(  # noqa: PLR0913, PLR0917 - W&B's signature
    entity: str | None = None,
    project: str | None = None,
    dir: str | os.PathLike[str] | None = None,  # noqa: A002 - W&B's name
    id: str | None = None,  # noqa: A002 - W&B's name
    name: str | None = None,
    notes: str | None = None,
    tags: Sequence[str] | None = None,
    config: object = None,
    config_exclude_keys: Sequence[str] | None = None,
    config_include_keys: Sequence[str] | None = None,
    allow_val_change: bool | None = None,
    group: str | None = None,
    job_type: str | None = None,
    mode: str | None = None,
    force: bool | None = None,  # noqa: ARG001 - about W&B's login
    reinit: bool | str | None = None,
    resume: bool | str | None = None,
    resume_from: str | None = None,
    fork_from: str | None = None,
    save_code: bool | None = None,
    tensorboard: bool | None = None,  # noqa: ARG001
    sync_tensorboard: bool | None = None,  # noqa: ARG001
    monitor_gym: bool | None = None,  # noqa: ARG001
    settings: Settings | Mapping[str, Any] | None = None,
    **legacy: Any,
) -> Run:
    """Start a run, and make it the one that `runhaven.log()` and its like work on.

    Args:
        entity: User or team; the login name by default.
        project: The project; "uncategorized" by default.
        dir: The store: the directory that holds all runs. Default: `RUNHAVEN_DIR`, else `~/.runhaven`.
        id: Id of the run, unique in its project; 8 random characters by default.
        name: Name for people; two words and a number by default.
        notes: A longer description.
        tags: Short labels.
        config: Hyper-parameters: a dict, Namespace, dataclass, OmegaConf config, or the path of a YAML file.
        config_exclude_keys: Keys of `config` to leave out.
        config_include_keys: The only keys of `config` to keep.
        allow_val_change: Whether config values may change in strict mode.
        group: Runs of one group are shown together.
        job_type: What kind of run this is.
        mode: "offline" (a local store, the default), "online", "shared" or "disabled".
        force: Accepted; there is no login to force.
        reinit: What to do while a run is active: "return_previous" (default in scripts), "finish_previous" (default in
            notebooks) or "create_new".
        resume: "allow", "must", "never" or "auto" (also True).
        resume_from: "<id>?_step=<n>": go on with a run at step n + 1; what it logged after step n is hidden, not erased.
        fork_from: "<id>?_step=<n>": start a new run whose history up to step n is that of another one.
        save_code: Accepted; git state, diff and command are kept unless `RUNHAVEN_CODE=0`.
        tensorboard: Accepted, without effect.
        sync_tensorboard: Accepted, without effect.
        monitor_gym: Accepted, without effect.
        settings: More settings; see `Settings`.
        **legacy: `magic`, `anonymous` and other names that W&B removed: accepted, without effect.

    Returns:
        The run.

    Raises:
        UsageError: If arguments contradict each other or the store.
        NotFoundError: If there is no run to rewind or to fork.
        StoreError: If the store cannot be written.
    """
    given = {
        "entity": entity, "project": project, "id": id, "name": name, "notes": notes, "tags": tags,
        "allow_val_change": allow_val_change, "group": group, "job_type": job_type, "mode": mode,
        "reinit": reinit, "resume": resume, "resume_from": resume_from, "fork_from": fork_from, "save_code": save_code,
        "settings": settings,
    }  # fmt: skip
    if unknown := legacy.keys() - _LEGACY:
        message = f"init() got unexpected arguments: {', '.join(sorted(unknown))}."
        raise TypeError(message)
    chosen = settings_for(given)
    values = select(to_mapping(config), config_include_keys, config_exclude_keys)
    with _lock:
        return _init(chosen, dir or _given(settings).get("dir") or _setup.get("dir"), values)


_NAMES = {
    "id": "run_id",
    "name": "run_name",
    "notes": "run_notes",
    "tags": "run_tags",
    "group": "run_group",
    "job_type": "run_job_type",
}


def settings_for(arguments: Mapping[str, Any]) -> Settings:
    """Return the settings that `init()` would use with such arguments, without opening a run.

    Raises:
        UsageError: If a value does not fit its setting.
    """
    given = {_NAMES.get(name, name): value for name, value in arguments.items()}
    known = {name: value for name, value in given.items() if name in Settings.NAMES}
    return resolve(_setup, _given(arguments.get("settings")), known)


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Check arguments for `init()`, before it is called.

    Raises:
        TypeError: If it takes no argument of such a name.
        UsageError: If a value does not fit.
    """
    code = init.__code__
    if unknown := arguments.keys() - _LEGACY - set(code.co_varnames[: code.co_argcount]):
        message = f"init() got unexpected arguments: {', '.join(sorted(unknown))}."
        raise TypeError(message)
    settings = settings_for(arguments)
    if settings.run_id is not None:
        validate_id(settings.run_id)


_LEGACY = frozenset({"magic", "anonymous", "start_method", "allow_run_reuse", "config_file"})


def _given(settings: Settings | Mapping[str, Any] | None) -> dict[str, Any]:
    if isinstance(settings, Settings):
        fresh = Settings()
        return {name: value for name in Settings.NAMES if (value := getattr(settings, name)) != getattr(fresh, name)}
    return dict(settings or {})


def _init(settings: Settings, directory: str | os.PathLike[str] | None, config: dict[str, Any]) -> Run:
    global _current  # noqa: PLW0603 - the session is the process's
    reinit = settings.reinit
    if reinit == "default":
        reinit = "finish_previous" if _in_notebook() else "return_previous"
    if _current is not None and _current.opened_by == launched.OPENED_BY:
        join_launched(_current, settings, config)
        warn_of_store(_current, directory)
        return _current
    if _current is not None and not _current.is_finished and reinit != "create_new":
        if reinit == "return_previous" and not _current.is_left_over:
            if ignored := settings.resume_from or settings.fork_from:
                _current.notices.warn(f"{ignored!r} was left alone, for {_current.path} is active; finish() it first.")
            _current.config.update(config)
            return _current
        _current.finish()
    if _current is None and (kept := launched.run_to_join(ranks.detect())) is not None:
        _current = attach(str(kept))
        join_launched(_current, settings, config)
        warn_of_store(_current, directory)
        return _current
    _watch_process()
    run = open_run(settings, store_directory(directory), ranks.detect(), forget)
    _describe(run, settings, config)
    _live.append(run)
    if run.lifetime is not None:
        run.lifetime.start()
        run.lifetime.greet()
    if reinit != "create_new" or _current is None:
        _current = run
    return run


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and "IPKernelApp" in getattr(shell.get_ipython(), "config", {})


def _describe(run: Run, settings: Settings, config: dict[str, Any]) -> None:
    """Write what the user said about the run."""
    if run.role == "main":
        said = {
            "name": settings.run_name, "notes": settings.run_notes, "tags": list(settings.run_tags),
            "group": settings.run_group, "job_type": settings.run_job_type, "sweep": settings.sweep_id,
        }  # fmt: skip
        values = {key: value for key, value in said.items() if value}
        if not run.resumed:
            values.setdefault("name", new_name())
        if values:
            run.set_meta(**values)
    run.config.update(config, allow_val_change=True)


def open_unkept() -> Run:
    """Make a run that keeps nothing the current one, whatever is wrong with the settings; for when `init()` failed."""
    global _current  # noqa: PLW0603 - the session is the process's
    with _lock:
        _current = unkept(Settings(mode="disabled"), Notices(), "disabled", forget)
        _live.append(_current)
        return _current


def attach(directory: str | None) -> Run:
    """Return the run that lives in a directory: this process's own, or one of another process to log into."""
    with _lock:
        for run in _live:
            if directory is not None and str(run.identity.directory) == directory:
                return run
        settings = resolve(_setup, {} if directory else {"mode": "disabled"})
        _watch_process()
        run = attach_run(Path(directory or "."), settings, ranks.detect(), forget)
        _live.append(run)
        if run.lifetime is not None:
            run.lifetime.start_quietly()
        return run


def finish(exit_code: int | None = None) -> None:
    """End the current run; without one, do nothing."""
    if _current is not None:
        _current.finish(exit_code)


def forget(run: Run) -> None:
    """Stop counting a run that has finished among the live ones."""
    global _current  # noqa: PLW0603 - the session is the process's
    if run in _live:
        _live.remove(run)
    if run is _current:
        _current = None


@contextlib.contextmanager
def made_current(run: Run) -> Generator[None]:
    """Make a run the current one for a while; `init()` meanwhile returns it."""
    global _current  # noqa: PLW0603 - the session is the process's
    earlier, _current = _current, run
    try:
        yield
    finally:
        _current = earlier


def teardown(exit_code: int | None = None) -> None:
    """End all runs of this process."""
    for run in tuple(_live):
        run.finish(exit_code)


# The process


def _watch_process() -> None:
    """See to it, once, that runs end with the process and let go in its forked children."""
    global _exceptions  # noqa: PLW0603 - the session is the process's
    if _exceptions is not None:
        return
    _exceptions = ExceptionCapture(_on_exception)
    _exceptions.install()
    atexit.register(_at_exit, os.getpid())
    if (workers := sys.modules.get("multiprocessing.util")) is not None:
        # A process that multiprocessing started leaves by os._exit: atexit never runs in it.
        workers.Finalize(None, _at_exit, args=(os.getpid(),), exitpriority=10)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _on_exception(facts: dict[str, Any]) -> None:
    for run in _live:
        run.emit({"event": "exception", **facts}, is_vital=True)


def _at_exit(pid: int) -> None:
    exit_code = _exceptions.exit_code if _exceptions is not None else 0
    if pid == os.getpid():
        teardown(exit_code or None)


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it
    _lock = threading.RLock()
    for run in _live:
        if run.lifetime is not None:
            run.lifetime.after_fork()
            run.lifetime = None
        if run.reopen is not None:
            run.reopen()
