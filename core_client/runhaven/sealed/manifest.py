"""Which parts of a run's journals are sealed: a manifest for each act of sealing; the highest one that is valid counts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runhaven.journal.reader import Position
from runhaven.journal.record import Damage
from runhaven.platform.files import create_exclusive
from runhaven.store.directory import cache_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runhaven.store.layout import RunDirectory

FORMAT = 1
_OURS = re.compile(r"\.?([0-9a-f]{16}|manifest)\.")
_ABANDONED_S = 3600.0
_NAME = re.compile(r"manifest\.(\d+)\.json")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is sealed of a run.

    Attributes:
        number: Counts the acts of sealing, from 1; 0 when nothing is sealed.
        segments: Names of the segments, in the order of sealing.
        positions: How far each writer's journal is sealed.
        last_us: Each writer's newest record, microseconds since the epoch.
        resumed: The writers that went on with the run, and the last step that each left in sight if it went back.
        damage: What could not be read when it was sealed.
        is_edited: Whether series were renamed or points corrected.
        checksums: SHA-256 of each file of the segments, by name.
    """

    number: int = 0
    segments: tuple[str, ...] = ()
    positions: Mapping[str, Position] = field(default_factory=dict[str, Position])
    last_us: Mapping[str, int] = field(default_factory=dict[str, int])
    resumed: Mapping[str, int | None] = field(default_factory=dict[str, "int | None"])
    damage: tuple[Damage, ...] = ()
    is_edited: bool = False
    checksums: Mapping[str, str] = field(default_factory=dict[str, str])

    def commit(self, directory: Path) -> bool:
        """Put it in force; False if another manifest came first.

        Raises:
            OSError: If it cannot be written.
        """
        content = {
            "format": FORMAT,
            "segments": self.segments,
            "positions": {writer: list(position) for writer, position in self.positions.items()},
            "last_us": dict(self.last_us),
            "resumed": dict(self.resumed),
            "damage": [[damage.file, damage.offset, damage.length, damage.reason] for damage in self.damage],
            "is_edited": self.is_edited,
            "checksums": dict(self.checksums),
        }
        return create_exclusive(directory / f"manifest.{self.number}.json", json.dumps(content).encode())


def newest(directory: Path) -> Manifest:
    """Return the manifest in force; an empty one where nothing is sealed."""
    try:
        numbers = [int(found[1]) for name in os.listdir(directory) if (found := _NAME.fullmatch(name))]  # noqa: PTH208 - names alone
    except OSError:
        return Manifest()
    for number in sorted(numbers, reverse=True):
        try:
            return _parse(number, json.loads((directory / f"manifest.{number}.json").read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return Manifest()


def _parse(number: int, content: dict[str, Any]) -> Manifest:
    if content["format"] != FORMAT:
        message = "a newer format"
        raise ValueError(message)
    positions = {
        writer: Position(record, offset, tuple(layouts))
        for writer, (record, offset, layouts) in content["positions"].items()
    }
    damage = tuple(Damage(*one) for one in content["damage"])
    segments, resumed = tuple(content["segments"]), content["resumed"]
    rest = content["is_edited"], content["checksums"]
    return Manifest(number, segments, positions, content["last_us"], resumed, damage, *rest)


def has_place(run: RunDirectory) -> bool:
    """Tell whether anything may be sealed of a run, at little cost: it is asked of each of thousands."""
    return os.path.isdir(f"{run.path}{os.sep}sealed") or os.path.isdir(_elsewhere(run))  # noqa: PTH112 - see above


def place_to_read(run: RunDirectory) -> Path:
    """Return where a run's sealed files lie: within the run, else in the cache of this machine."""
    own = run.path / "sealed"
    return own if own.is_dir() else Path(_elsewhere(run))


def place_to_write(run: RunDirectory) -> Path:
    """Return where a run's sealed files are to lie: within the run, if it can be written.

    Raises:
        OSError: If nothing can be written.
    """
    own = run.path / "sealed"
    if os.access(own if own.is_dir() else run.path, os.W_OK):
        own.mkdir(mode=0o700, exist_ok=True)
        return own
    elsewhere = Path(_elsewhere(run))
    elsewhere.mkdir(mode=0o700, parents=True, exist_ok=True)
    return elsewhere


def _elsewhere(run: RunDirectory) -> str:
    root = os.path.dirname(os.path.dirname(os.path.dirname(run.path)))  # noqa: PTH120 - as in `has_place`
    return f"{cache_of(root)}{os.sep}sealed{os.sep}{run.ulid}"


def unnamed(place: Path, manifest: Manifest) -> list[Path]:
    """Return files that a killed or beaten sealer left behind, and manifests that a later one stands for.

    What is young may be another sealer's that is still at work.
    """
    named = {*manifest.checksums, f"manifest.{manifest.number}.json"}
    old = time.time() - _ABANDONED_S
    found: list[Path] = []
    for path in place.iterdir() if place.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            if path.name not in named and _OURS.match(path.name) and path.stat().st_mtime < old:
                found.append(path)
    return found
