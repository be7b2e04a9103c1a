"""A run's summary, whose keys can be read flat or level by level."""

from __future__ import annotations

import difflib
from typing import Any

from runhaven.api.drafts import Draft


class Summary(Draft):
    """A dict of flat keys in which `summary["loss"]["min"]` finds `summary["loss.min"]` too."""

    def __missing__(self, key: str) -> Summary:
        """Return what lies below a key.

        Raises:
            KeyError: If nothing does; the message names keys that are near.
        """
        found = {name[len(key) + 1 :]: value for name, value in self.items() if name.startswith(f"{key}.")}
        if found:
            return Summary(found, self._changes, self._write, f"{self._prefix}{key}.")
        near = difflib.get_close_matches(key, self, n=3)
        hint = f"; did you mean {', '.join(map(repr, near))}?" if near else f"; it has {', '.join(map(repr, self))}"
        message = f"the summary has no {key!r}{hint}"
        raise KeyError(message)

    def update(self, *others: Any, **values: Any) -> None:
        """Note many values, and write all changes of the run down, as W&B does."""
        super().update(*others, **values)
        self._write()
