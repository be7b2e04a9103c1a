"""What DVC's own files, which lie beside the data that they track, say of a file."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator


class Tracked(NamedTuple):
    """What DVC knows of a file.

    Attributes:
        file: The `.dvc` file that `dvc add` made, or the `dvc.lock` of the pipeline that makes the file.
        facts: `file` (its name), `md5` of the file or of the directory that is tracked, `stage` of the pipeline.
    """

    file: Path
    facts: dict[str, Any]


class Dvc:
    """Finds what tracks a file; each of DVC's files is read once."""

    def __init__(self, top: Path | None) -> None:
        """Look nowhere above a directory.

        Args:
            top: That of the git repository; None without one: then where DVC keeps its own.
        """
        self._top = top
        self._known: dict[Path, dict[Path, Tracked]] = {}

    def find(self, path: Path) -> Tracked | None:
        """Return what tracks a file, itself or with a directory that it is in; None if nothing does.

        Args:
            path: Where it lies, from the root.
        """
        above = [path, *path.parents]
        for place in above:
            if place in {self._top, place.parent}:
                return None
            for note in (place.with_name(f"{place.name}.dvc"), place.parent / "dvc.lock"):
                outs = self._outs(note)
                found = next((outs[one] for one in above if one in outs), None)
                if found is not None:
                    return found
            if self._top is None and (place / ".dvc").is_dir():
                return None
        return None

    def _outs(self, note: Path) -> dict[Path, Tracked]:
        """Return what one of DVC's files tracks."""
        if note not in self._known:
            read = _locked if note.name == "dvc.lock" else _added
            self._known[note] = dict(read(note)) if note.is_file() else {}
        return self._known[note]


def _added(note: Path) -> Iterator[tuple[Path, Tracked]]:
    """Go through what `dvc add` noted: the file or directory of the note's own name."""
    outs = _read(note).get("outs")
    known = cast("list[Any]", outs)[0] if isinstance(outs, list) and outs else None
    yield note.with_suffix(""), Tracked(note, {"file": note.name, **_hash(known)})


def _locked(note: Path) -> Iterator[tuple[Path, Tracked]]:
    """Go through what the stages of a pipeline made."""
    stages = _read(note.with_name("dvc.yaml")).get("stages")
    for name, stage in _items(_read(note).get("stages")):
        said = dict(_items(dict(_items(stages)).get(name.partition("@")[0])))
        folder = said.get("wdir") or dict(_items(said.get("do"))).get("wdir") or "."
        for out in cast("list[Any]", dict(_items(stage)).get("outs") or []):
            place = dict(_items(out)).get("path")
            if place:
                path = Path(os.path.normpath(note.parent / str(folder) / str(place)))
                yield path, Tracked(note, {"file": note.name, "stage": name, **_hash(out)})


def _hash(out: Any) -> dict[str, Any]:
    md5 = dict(_items(out)).get("md5")
    return {"md5": str(md5)} if md5 else {}


def _items(data: Any) -> list[tuple[str, Any]]:
    """Return the items of a mapping, and nothing of anything else: people edit these files, and merge them badly."""
    return (
        [(str(name), value) for name, value in cast("dict[Any, Any]", data).items()] if isinstance(data, dict) else []
    )


def _read(note: Path) -> dict[str, Any]:
    """Return what a file says; nothing without PyYAML, or if it cannot be read."""
    if find_spec("yaml") is None:
        return {}
    import yaml

    try:
        return dict(_items(yaml.safe_load(note.read_text("utf-8"))))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
