"""What a user can set, and where each setting comes from.

Explicit argument > `RUNHAVEN_X` > `WANDB_X` > project file > user file > default. The project file is `runhaven.toml`,
or the table `[tool.runhaven]` of `pyproject.toml`, in the working directory or the nearest directory above it; the user
file is `~/.config/runhaven/settings.toml`.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from runhaven.errors import UsageError
from runhaven.moment import parse_moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Each word that a setting takes, and what it means; the later ones are other spellings.
_CHOICES: dict[str, Mapping[str, str | None]] = {
    "mode": {word: word for word in ("online", "offline", "disabled", "shared")}
    | {"dryrun": "offline", "run": "online"},
    "resume": {word: word for word in ("allow", "must", "never", "auto")} | {"true": "auto", "false": None, "": None},
    "reinit": {word: word for word in ("default", "return_previous", "finish_previous", "create_new")}
    | {"true": "finish_previous", "false": "return_previous", "": "default"},
}

# A variable of W&B's that names an account, a server or its own directories says nothing about Runhaven.
_NOT_FROM_WANDB = frozenset(
    {"base_url", "api_key", "identity_token_file", "credentials_file", "dir", "root_dir", "config_dir", "cache_dir"}
)
_VARIABLES = {
    "run_name": "NAME",
    "run_notes": "NOTES",
    "run_tags": "TAGS",
    "run_job_type": "JOB_TYPE",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, under W&B's names where W&B has one. Other settings of W&B's are accepted and have no effect.

    Attributes:
        dir: The store: the directory that holds everything. Default: `~/.runhaven`.
        project: Project of new runs.
        entity: User or team that new runs belong to. Default: the user's login name.
        run_id: Id of the run, unique in its project.
        run_name: Name of the run for people. Default: two words and a number.
        run_notes: A longer description.
        run_tags: Short labels; `key=value` works too.
        run_group: Runs of one group are shown together.
        run_job_type: What kind of run this is, such as "train" or "eval".
        mode: "offline" (a local store), "online" (the same until a server is configured), "shared" (several processes
            write one run) or "disabled" (nothing is kept).
        resume: "allow", "must", "never" or "auto".
        resume_from: Rewind a run: go on with it behind a step, as "<id>?_step=<n>".
        fork_from: Begin a new run with another one's history up to a step, as "<id>?_step=<n>".
        reinit: What `init()` does while a run is active: "default", "return_previous", "finish_previous", "create_new".
        strict: Raise on misuse where Runhaven would warn and go on.
        allow_val_change: Whether a config value may change without a word in strict mode.
        silent: Print nothing.
        quiet: Print warnings alone.
        console: "auto" keeps what the process prints, "off" does not.
        code: Whether git state, command, packages and environment are captured. `RUNHAVEN_CODE=0` turns it off.
        disable_git: Leave git alone.
        disable_code: As `code=False`.
        save_code: Accepted; the diff and the command are kept either way.
        sweep_id: The sweep that this run belongs to.
        base_url: A Runhaven server; unused until there is one.
        x_disable_stats: Turn the machine's load off.
        x_stats_sampling_interval: Seconds between two samples of the machine's load.
        x_stats_gpu_engines: Whether the GPUs' engines for video and pictures are sampled too.
        x_label: Label of this process in shared mode.
        x_primary: Whether this process owns the metadata in shared mode.
        x_scrub_images: A function, or "module:function", that every picture passes before its bytes are kept.
    """

    dir: str | None = None
    project: str = "uncategorized"
    entity: str | None = None
    run_id: str | None = None
    run_name: str | None = None
    run_notes: str | None = None
    run_tags: tuple[str, ...] = ()
    run_group: str | None = None
    run_job_type: str | None = None
    mode: str = "offline"
    resume: str | None = None
    resume_from: str | None = None
    fork_from: str | None = None
    reinit: str = "default"
    strict: bool = False
    allow_val_change: bool | None = None
    silent: bool = False
    quiet: bool = False
    console: str = "auto"
    code: bool = True
    disable_git: bool = False
    disable_code: bool = False
    save_code: bool | None = None
    sweep_id: str | None = None
    base_url: str | None = None
    x_disable_stats: bool = False
    x_stats_sampling_interval: float = 10.0
    x_stats_gpu_engines: bool = False
    x_label: str | None = None
    x_primary: bool = True
    x_scrub_images: Callable[[Any], Any] | str | None = None
    ignored: frozenset[str] = field(default=frozenset(), repr=False)

    NAMES: ClassVar[frozenset[str]]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Build settings from loose values; names that only W&B knows are noted in `ignored`.

        Raises:
            UsageError: If a value does not fit its setting.
        """
        known = {name: _parse(name, value) for name, value in values.items() if name in cls.NAMES}
        others = frozenset(name for name in values if name not in cls.NAMES)
        return cls(**known, ignored=others)

    def with_values(self, values: Mapping[str, Any]) -> Settings:
        """Return a copy with `values` in place of these.

        Raises:
            UsageError: If a value does not fit its setting.
        """
        known = {name: _parse(name, value) for name, value in values.items() if name in self.NAMES}
        return replace(self, **known, ignored=self.ignored | (values.keys() - self.NAMES))


Settings.NAMES = frozenset(item.name for item in fields(Settings)) - {"ignored"}
_KINDS: dict[str, str] = {item.name: str(item.type) for item in fields(Settings)}
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def _parse(name: str, value: Any) -> Any:
    """Return a value as its setting wants it; None says nothing."""
    if value is None:
        return None
    special = _PARSERS.get(name)
    if special is not None:
        return special(name, value)
    text = str(value).strip()
    kind = _KINDS[name]
    if kind.startswith("bool"):
        return _parse_bool(name, text)
    return _parse_seconds(name, text) if kind == "float" else text


def _parse_tags(_: str, value: Any) -> tuple[str, ...]:
    words = value.split(",") if isinstance(value, str) else [str(tag) for tag in value]
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


def _choose(name: str, value: Any) -> str | None:
    choices = _CHOICES[name]
    text = str(value).strip().lower()
    if text not in choices:
        words = ", ".join(repr(word) for word in choices if word)
        message = f"{name}={text!r} is not known; choose one of {words}."
        raise UsageError(message)
    return choices[text]


def _function(_: str, value: Any) -> Any:
    return value if callable(value) else str(value).strip() or None


def _check_moment(name: str, value: Any) -> str | None:
    text = str(value).strip()
    return text if text and parse_moment(text, argument=name) else None


_PARSERS: dict[str, Callable[[str, Any], Any]] = {
    "mode": _choose,
    "resume": _choose,
    "resume_from": _check_moment,
    "fork_from": _check_moment,
    "reinit": _choose,
    "run_tags": _parse_tags,
    "x_scrub_images": _function,
}


def _parse_bool(name: str, text: str) -> bool:
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    message = f"{name}={text!r} is neither true nor false; write 1 or 0."
    raise UsageError(message)


def _parse_seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        message = f"{name}={text!r} is not a number of seconds above 0."
        raise UsageError(message)
    return seconds


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that environment variables give, W&B's first, so that Runhaven's win."""
    found: dict[str, Any] = {}
    for prefix in ("WANDB", "RUNHAVEN"):
        for name in Settings.NAMES:
            if prefix == "WANDB" and name in _NOT_FROM_WANDB:
                continue
            variable = _VARIABLES.get(name, name.upper())
            for spelling in (f"{prefix}_{variable}", f"{prefix}__{variable}"):
                if environment.get(spelling, "") != "":
                    found[name] = environment[spelling]
    return found


def from_files(directory: Path, home: Path) -> dict[str, Any]:
    """Return the settings that the user's file and the project's file give.

    Raises:
        UsageError: If a file is not TOML.
    """
    user = home / ".config" / "runhaven" / "settings.toml"
    found = _read_toml(user) if user.is_file() else {}
    for folder in (directory, *directory.parents):
        if (folder / "runhaven.toml").is_file():
            return found | _read_toml(folder / "runhaven.toml")
        if (folder / "pyproject.toml").is_file():
            table = _read_toml(folder / "pyproject.toml").get("tool", {}).get("runhaven", {})
            if table:
                return found | table
    return found


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read as TOML: {error}. Mend the file, or move it away."
        raise UsageError(message) from error


def resolve(*layers: Mapping[str, Any]) -> Settings:
    """Return the settings in force: files, then environment, then `layers`, the last one strongest.

    Values of None in a layer say nothing.

    Raises:
        UsageError: If a value does not fit its setting.
    """
    values = from_files(Path.cwd(), Path.home()) | from_environment(os.environ)
    for layer in layers:
        values |= {name: value for name, value in layer.items() if value is not None}
    return Settings.of(values)


_pytest_store: list[tempfile.TemporaryDirectory[str]] = []


def store_directory(dir: str | os.PathLike[str] | None = None) -> Path:  # noqa: A002 - W&B's name
    """Return the directory of the store: the argument, `RUNHAVEN_DIR`, a settings file's `dir`, or `~/.runhaven`.

    Under pytest, where none of the first three is given, it is a temporary directory of this process.
    """
    chosen = dir or os.environ.get("RUNHAVEN_DIR") or from_files(Path.cwd(), Path.home()).get("dir")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if "PYTEST_VERSION" in os.environ or "PYTEST_CURRENT_TEST" in os.environ:
        if not _pytest_store:
            _pytest_store.append(tempfile.TemporaryDirectory(prefix="runhaven-pytest-", ignore_cleanup_errors=True))
        return Path(_pytest_store[0].name)
    return Path.home() / ".runhaven"
