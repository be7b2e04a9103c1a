"""What the catalogue knows of a run, under the names that `api.Run` gives it."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.platform.process import ProcessIdentity, is_alive
from runhaven.store.liveness import Signs, state

try:
    import orjson
except ImportError:
    orjson = None

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runhaven.store.layout import Manifest
    from runhaven.store.liveness import State
    from runhaven.store.view import RunView


class Entry(NamedTuple):
    """A run as it is kept: texts and numbers alone.

    Attributes:
        ulid: The run.
        created: Microseconds since the epoch.
        updated: Microseconds since the epoch.
        last_step: None without rows.
        facts: The texts, the tags and the signs of its state, as JSON.
        config: JSON.
        summary: JSON.
    """

    ulid: str
    created: int
    updated: int
    last_step: int | None
    facts: str
    config: str
    summary: str


class Project(NamedTuple):
    """A project of a store.

    Attributes:
        entity: User or team.
        name: Its name.
        run_count: How many runs it has.
        running: How many of them are running.
        updated: When the newest of them wrote last, microseconds since the epoch.
    """

    entity: str
    name: str
    run_count: int
    running: int
    updated: int


def record_of(manifest: Manifest, view: RunView) -> Record:
    """Return what is kept of a run."""
    meta = view.meta
    started: Mapping[str, Any] = view.newest.start if view.newest else {}
    facts = {
        "id": manifest.id,
        "entity": manifest.entity,
        "project": manifest.project,
        "name": meta.get("name") or manifest.id,
        "user": started.get("user") or "",
        "host": started.get("host") or manifest.host,
        "group": meta.get("group") or "",
        "job_type": meta.get("job_type") or "",
        "notes": meta.get("notes") or "",
        "tags": list(meta.get("tags") or []),
        "signs": _signs(view.signs),
        # No process writes a copy but those that went on with it.
        "is_copy": manifest.copied is not None and int(started.get("time", 0)) < manifest.copied,
    }
    config, summary = view.config, view.summary
    texts = _dump(facts), _dump(config), _dump(summary)
    updated = view.updated_us or manifest.created
    kept = Entry(manifest.run, manifest.created, updated, view.last_step, *texts)
    return Record(kept, parsed={"facts": facts, "config": config, "summary": summary})


def _dump(tree: dict[str, Any]) -> str:
    """Return JSON that `json.loads` reads exactly."""
    if orjson is not None:
        # It refuses great integers and lone surrogates, and says null of NaN.
        with contextlib.suppress(TypeError):
            text = orjson.dumps(tree)
            if b"null" not in text:
                return text.decode()
    return json.dumps(tree)


def _signs(signs: Signs) -> list[Any]:
    process = signs.process
    who = [getattr(process, name) for name in ProcessIdentity.__dataclass_fields__] if process else None
    return [who, *signs[1:]]


def _is_gone(_: ProcessIdentity) -> bool:
    return False


class Record:
    """A run of the catalogue; its JSON is taken apart when it is asked for, its state is computed then.

    Attributes:
        kept: What is kept of it.
        ulid: Unique in the world.
        created: When it was created, microseconds since the epoch.
        updated: When its newest record was written, microseconds since the epoch.
        last_step: The greatest step that was logged; None without rows.
    """

    def __init__(self, kept: Entry, *, seen_us: int = 0, parsed: dict[str, dict[str, Any]] | None = None) -> None:
        """Hold what is kept of a run.

        Args:
            kept: What is kept.
            seen_us: When it was seen to grow last by this machine's clock.
            parsed: Its JSON by name, as far as it was taken apart.
        """
        self._parsed = {} if parsed is None else parsed
        self.kept = kept
        self._seen_us = seen_us
        self.ulid = kept.ulid
        self.created = kept.created
        self.updated = kept.updated
        self.last_step = kept.last_step

    def _tree(self, name: str) -> dict[str, Any]:
        found = self._parsed.get(name)
        if found is None:
            found = self._parsed[name] = json.loads(getattr(self.kept, name))
        return found

    @property
    def facts(self) -> dict[str, Any]:
        """Texts, tags and signs."""
        return self._tree("facts")

    @property
    def signs(self) -> Signs:
        """What the newest session left behind of its state."""
        who, last_us, *rest = self.facts["signs"]
        return Signs(ProcessIdentity(*who) if who else None, last_us, *rest)

    @property
    def state(self) -> State:
        """running, finished, failed, killed, preempted, crashed or lost; computed now."""
        signs = self.signs
        last_us = max(signs.last_us, self._seen_us) or self.created
        lives = _is_gone if self.facts["is_copy"] else is_alive
        return state(signs._replace(last_us=last_us), now_us=time.time_ns() // 1000, is_alive=lives)

    @property
    def id(self) -> str:
        """Unique in the project."""
        return self.facts["id"]

    @property
    def entity(self) -> str:
        """User or team."""
        return self.facts["entity"]

    @property
    def project(self) -> str:
        """The project."""
        return self.facts["project"]

    @property
    def path(self) -> list[str]:
        """Entity, project and id."""
        return [self.entity, self.project, self.id]

    @property
    def name(self) -> str:
        """Name for people."""
        return self.facts["name"]

    @property
    def user(self) -> str:
        """Login name of who started it."""
        return self.facts["user"]

    @property
    def host(self) -> str:
        """Where it runs or ran."""
        return self.facts["host"]

    @property
    def group(self) -> str:
        """Runs of one group are shown together."""
        return self.facts["group"]

    @property
    def job_type(self) -> str:
        """What kind of run it is."""
        return self.facts["job_type"]

    @property
    def notes(self) -> str:
        """A longer description."""
        return self.facts["notes"]

    @property
    def tags(self) -> list[str]:
        """Short labels."""
        return self.facts["tags"]

    @property
    def runtime_s(self) -> float:
        """Seconds between its first and its newest record."""
        return max(0.0, (self.updated - self.created) / 1e6)

    @property
    def config(self) -> dict[str, Any]:
        """The configuration."""
        return self._tree("config")

    @property
    def summary(self) -> dict[str, Any]:
        """What its series came to and what the user wrote, keys flat."""
        return self._tree("summary")

    def __repr__(self) -> str:
        """Show name and path."""
        return f"<Record {self.name} {self.entity}/{self.project}/{self.id}>"


class Reading(NamedTuple):
    """A run as it was found.

    Attributes:
        seen: What its files looked like; 0 when it has to be read again.
        record: What they say.
    """

    seen: int
    record: Record
