"""Retention: how long a collection keeps its versions."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from runhaven.artifacts import linking
from runhaven.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runhaven.artifacts.collection import Collection, Version
    from runhaven.artifacts.events import State


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What a collection keeps. `runhaven gc` deletes a version once no rule keeps it; without rules, none.

    A version that is linked to is always kept.

    Attributes:
        ttl: Keep a version for so long after it was logged; an artifact's own `ttl` stands over it.
        keep_last: Keep the newest ones, so many.
        keep_aliased: Keep what has an alias other than `latest`.

    Example:
        collection = runhaven.Api().artifact_collection("model", "digits-net")
        collection.retention = runhaven.Retention(ttl=timedelta(days=30), keep_last=3)
        collection.save()
    """

    ttl: timedelta | None = None
    keep_last: int | None = None
    keep_aliased: bool = True

    def __post_init__(self) -> None:
        """Refuse what would keep nothing.

        Raises:
            UsageError: If `ttl` or `keep_last` is not above 0.
        """
        if self.ttl is not None and self.ttl <= timedelta():
            message = f"ttl={self.ttl} lies in the past; give a time above 0, or None for no end."
            raise UsageError(message)
        if self.keep_last is not None and self.keep_last < 1:
            message = f"keep_last={self.keep_last} would keep nothing; give 1 or more, or None for no such rule."
            raise UsageError(message)

    def to_json(self) -> dict[str, Any]:
        """Return it as the store holds it."""
        ttl_s = None if self.ttl is None else self.ttl.total_seconds()
        return {"ttl_s": ttl_s, "keep_last": self.keep_last, "keep_aliased": self.keep_aliased}

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Self:
        """Return what the store holds; no rules if that makes no sense."""
        try:
            ttl_s = (data or {}).get("ttl_s")
            ttl = None if ttl_s is None else timedelta(seconds=ttl_s)
            rules = {name: (data or {})[name] for name in ("keep_last", "keep_aliased") if name in (data or {})}
            return cls(ttl=ttl, **rules)
        except (TypeError, OverflowError, UsageError):
            return cls()


def retention_of(state: State) -> Retention:
    """Return the rules of a collection, given what was said about it."""
    return Retention.from_json(state.set_fields(None).get("retention"))


class Expired(NamedTuple):
    """A version that no rule keeps any more.

    Attributes:
        collection: Where it is.
        version: The version.
        reason: Why it would go.
    """

    collection: Collection
    version: Version
    reason: str


def expired(collection: Collection, now_s: float | None = None) -> list[Expired]:
    """Return the versions of a collection that no rule keeps any more, the oldest first."""
    state = collection.events.read()
    rules = retention_of(state)
    standing = [version for version in collection.versions() if version.deleted is None]
    last = {version.number for version in standing[-rules.keep_last :]} if rules.keep_last else set[int]()
    now_s = time.time() if now_s is None else now_s
    found: list[Expired] = []
    for version in standing:
        words = [word for word in collection.aliases_of(version.number, state) if word != "latest"]
        is_kept = version.number in last or (words and rules.keep_aliased)
        reason = None if is_kept else _reason(version, state, rules, now_s)
        if reason and not linking.links(collection, version):
            found.append(Expired(collection, version, reason))
    return found


def _reason(version: Version, state: State, rules: Retention, now_s: float) -> str | None:
    own_s = state.set_fields(version.number).get("ttl_s", version.ttl_s)
    ttl = rules.ttl if own_s is None else timedelta(seconds=own_s) or None
    age = timedelta(seconds=now_s - version.created / 1e6)
    if ttl is None:
        # A version that is to be kept without end is, whatever the number of later ones.
        is_beyond = rules.keep_last is not None and own_s is None
        return f"it is not among the last {rules.keep_last}" if is_beyond else None
    if age < ttl:
        return None
    whose = "the artifact's" if own_s is None else "its own"
    beyond = f", and it is not among the last {rules.keep_last}" if rules.keep_last else ""
    return f"{whose} ttl of {told(ttl)} is over{beyond}"


def told(ttl: timedelta) -> str:
    """Return a time to live for people, such as "30 days"."""
    if ttl.seconds or ttl.microseconds:
        return str(ttl)
    return f"{ttl.days} day{'s' * (ttl.days != 1)}"
