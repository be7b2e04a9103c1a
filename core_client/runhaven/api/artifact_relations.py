"""What a stored run has to do with artifacts: those that it logged and used, also afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven._artifacts import event_of
from runhaven.api.artifacts import of_run
from runhaven.api.readable import Readable
from runhaven.artifacts.resolving import Home
from runhaven.errors import UsageError
from runhaven.store.editing import edit

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from runhaven.api.artifacts import Artifacts
    from runhaven.api.lineage import Check, Direction, Lineage
    from runhaven.artifacts import Artifact


class ArtifactRelations(Readable):
    """The part of `Run` that is about artifacts."""

    @property
    def _store_path(self) -> Path:
        return self.directory.path.parents[2]

    def logged_artifacts(self, per_page: int = 100) -> Artifacts:  # noqa: ARG002 - W&B's argument
        """Return the artifacts that it logged, in the order of time."""
        return of_run(self._store_path, self._facts.artifacts, "output")

    def used_artifacts(self, per_page: int = 100) -> Artifacts:  # noqa: ARG002 - W&B's argument
        """Return the artifacts that it used, in the order of time."""
        return of_run(self._store_path, self._facts.artifacts, "input")

    def lineage(self, direction: Direction = "both", depth: int | None = None, *, check: Check = "local") -> Lineage:
        """Return the versions and runs that it was made from, and those that were made from it; see `Artifact.lineage`.

        Raises:
            UsageError: If an argument is not known.
        """
        from runhaven.api.lineage import of_run as lineage_of_run

        return lineage_of_run(self._store_path, self.ulid, direction, depth, check)

    def log_artifact(
        self, artifact: Artifact, aliases: Collection[str] | None = None, tags: Collection[str] | None = None
    ) -> Artifact:
        """Keep an artifact as an output of this run, though it may be over.

        Args:
            artifact: A draft, or a version that is in the store already.
            aliases: Names of the version, besides `latest` and `v<n>`.
            tags: Labels of the version.

        Returns:
            The artifact.

        Raises:
            UsageError: If a name cannot be one, or belongs to another type.
            StoreError: If its bytes could not be kept, or the run cannot be edited.
            OSError: If the store cannot be written.
        """
        entity, project, _ = self.path
        artifact.commit(Home(self._store_path, entity, project), aliases=aliases, tags=tags, run=self._named())
        self._note(event_of(artifact, "output", aliases=list(aliases or ())))
        return artifact

    def use_artifact(self, artifact: Artifact, use_as: str | None = None) -> Artifact:
        """Note that this run used a version, and return the version.

        Raises:
            UsageError: If it was not logged.
            StoreError: If the run cannot be edited.
            OSError: If the store cannot be written.
        """
        if artifact.is_draft():
            message = f"artifact {artifact.name!r} was not logged yet, so that no run can have used it. Call log_artifact() first."
            raise UsageError(message)
        said = {"use_as": use_as} if use_as else {}
        artifact.used_as(use_as)
        artifact.note_use(self._named() | said)
        self._note(event_of(artifact, "input", **said))
        return artifact

    def _named(self) -> dict[str, Any]:
        entity, project, own = self.path
        name = self._facts.meta.get("name") or own
        return {
            "ulid": self.ulid,
            "entity": entity,
            "project": project,
            "id": own,
            "name": name,
            "step": self.last_step,
        }

    def _note(self, event: dict[str, Any]) -> None:
        edit(self.directory, [event], after_us=self._facts.updated_us or 0)
        self.refresh()
