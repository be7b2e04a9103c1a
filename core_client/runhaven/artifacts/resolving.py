"""What the name of an artifact means."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

from runhaven.artifacts.collection import Collection, Place, collections
from runhaven.capture.environment import user_name
from runhaven.errors import NotFoundError, UsageError
from runhaven.settings import resolve

if TYPE_CHECKING:
    from pathlib import Path

_PREFIXES = ("runhaven-artifact://", "wandb-artifact://")
_MOST_PARTS = 3


class Home(NamedTuple):
    """Where a name without a project or an entity is looked for.

    Attributes:
        store: The store's directory.
        entity: User or team.
        project: The project.
    """

    store: Path
    entity: str
    project: str

    def place(self, name: str) -> Place:
        """Return the place of an artifact of this project."""
        return Place(self.entity, self.project, name)


def home_of(store: Path, entity: str | None = None, project: str | None = None) -> Home:
    """Return a home, as `init()` would choose it where nothing is given."""
    settings = resolve()
    return Home(store, entity or settings.entity or user_name(), project or settings.project)


def split(name: str, home: Home) -> tuple[Place, str | None]:
    """Return the place that a name means, and the word behind its colon.

    Raises:
        UsageError: If it is no name.
    """
    text = str(name)
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    path, colon, word = text.partition(":")
    parts = path.split("/")
    if not all(parts) or len(parts) > _MOST_PARTS or (colon and not word):
        message = f"{name!r} names no artifact; write 'name:alias', 'project/name:alias' or 'entity/project/name:v3'."
        raise UsageError(message)
    given = [home.entity, home.project, parts[-1]]
    given[-len(parts) :] = parts
    return Place(*given), word or None


def find_collection(name: str, home: Home) -> tuple[Collection, str]:
    """Return the collection that a name means, and the word for the version, `latest` by default.

    A name without an entity is looked for with every entity of the project, should the home's own have none of it.

    Raises:
        UsageError: If it is no name.
        NotFoundError: If there is none.
    """
    place, word = split(name, home)
    found = Collection(home.store, place)
    if found.exists:
        return found, word or "latest"
    known = list(collections(home.store))
    parts = name.partition(":")[0].count("/")
    near = [one for one in known if one.place.name == place.name and (parts == 0 or one.place.project == place.project)]
    if parts < _MOST_PARTS - 1 and len(near) == 1 and near[0].place.project == place.project:
        return near[0], word or "latest"
    raise NotFoundError(_unknown(place, near, known))


def _unknown(place: Place, near: list[Collection], known: list[Collection]) -> str:
    names = [str(one.place) for one in near]
    if not names:
        words = {one.place.name: one for one in known}
        names = [str(words[word].place) for word in difflib.get_close_matches(place.name, words, n=3)]
    hint = f"Did you mean {', '.join(names)}?" if names else "List what is there with `runhaven artifact ls`."
    return f"there is no artifact {str(place)!r}. {hint}"
