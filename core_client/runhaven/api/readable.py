"""What the parts that make up `Run` know of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runhaven.api.series import Series
    from runhaven.store.console import LogLine
    from runhaven.store.layout import RunDirectory
    from runhaven.store.liveness import State
    from runhaven.store.view import RunView


class Readable(ABC):
    """A run that can be read."""

    @classmethod
    @abstractmethod
    def _open(cls, directory: RunDirectory) -> Self:
        """Name another run."""

    @property
    @abstractmethod
    def directory(self) -> RunDirectory:
        """Where the run lies."""

    @property
    @abstractmethod
    def _facts(self) -> RunView:
        """The folded journals."""

    @property
    @abstractmethod
    def ulid(self) -> str:
        """Unique in the world."""

    @property
    @abstractmethod
    def id(self) -> str:
        """Unique in the project."""

    @property
    @abstractmethod
    def path(self) -> list[str]:
        """Entity, project and id."""

    @property
    @abstractmethod
    def state(self) -> State:
        """How it goes."""

    @property
    @abstractmethod
    def user(self) -> str:
        """Who started it."""

    @property
    @abstractmethod
    def last_step(self) -> int | None:
        """The greatest step that was logged."""

    @abstractmethod
    def refresh(self) -> bool:
        """Take in what was written since."""

    @abstractmethod
    def series(self, stream: str | None = None) -> list[Series]:
        """List the series."""

    @abstractmethod
    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        stream: str = "default",
    ) -> Iterator[dict[str, Any]]:
        """Go through the rows."""

    @abstractmethod
    def _check_keys(self, keys: Sequence[str], stream: str) -> None:
        """Raise `NotFoundError` for a key that was never logged."""

    @abstractmethod
    def logs(self, after: int = 0, limit: int | None = None) -> list[LogLine]:
        """Return what was printed."""
