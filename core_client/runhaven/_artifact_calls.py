"""The part of `Run` that is about artifacts; what it does stands in `_artifacts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from runhaven._run import Run
    from runhaven.artifacts import Artifact


class ArtifactCalls:
    """Logs, uses and links artifacts."""

    @property
    def _as_run(self) -> Run:
        return cast("Run", self)

    @property
    def _artifacts(self) -> Any:
        # Loaded at its first use, so that a run that has none starts quickly.
        from runhaven import _artifacts

        return _artifacts

    def log_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - W&B's name
        aliases: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> Artifact:
        """Keep an artifact as a new version, made by this run; of content that it has already, that version.

        A disk that refuses is warned of, and `wait()` of the artifact then raises.

        Args:
            artifact_or_path: The artifact, or the path of a file or a directory.
            name: With a path: the artifact's name.
            type: With a path: the artifact's type.
            aliases: Names of the version, besides `latest` and `v<n>`.
            tags: Labels of the version.

        Returns:
            The artifact.

        Raises:
            UsageError: If a name cannot be one, there is no such file, or the name belongs to another type.
        """
        return self._artifacts.log(self._as_run, artifact_or_path, name=name, kind=type, aliases=aliases, tags=tags)

    def use_artifact(
        self,
        artifact_or_name: Artifact | str,
        type: str | None = None,  # noqa: A002 - W&B's name
        aliases: Sequence[str] | None = None,
        use_as: str | None = None,
    ) -> Artifact:
        """Return a version, and note that this run uses it.

        Args:
            artifact_or_name: `name:alias`, `project/name:alias`, `entity/project/name:v3`, or an artifact.
            type: The type that it must have.
            aliases: Names for an artifact that is logged by this.
            use_as: What it is used as.

        Raises:
            NotFoundError: If there is none.
            UsageError: If its type is another.
        """
        return self._artifacts.use(self._as_run, artifact_or_name, kind=type, aliases=aliases, use_as=use_as)

    def link_artifact(
        self, artifact: Artifact | str, target_path: str, aliases: Sequence[str] | None = None
    ) -> Artifact:
        """Link a version into a collection of links, and return the link; see `Artifact.link`.

        Raises:
            UsageError: If the target holds versions of its own.
        """
        return self._artifacts.link(self._as_run, artifact, target_path, aliases)

    def log_model(
        self, path: str | os.PathLike[str], name: str | None = None, aliases: Sequence[str] | None = None
    ) -> Artifact:
        """Keep a file or a directory as an artifact of the type "model".

        Raises:
            UsageError: If the name cannot be one, or there is no such file.
        """
        return self._artifacts.log_model(self._as_run, path, name, aliases)

    def use_model(self, name: str) -> str:
        """Bring a model and return where it lies: its only file, or its folder.

        Raises:
            NotFoundError: If there is none.
            UsageError: If it is no model.
        """
        return self._artifacts.use_model(self._as_run, name)

    def link_model(
        self,
        path: str | os.PathLike[str],
        registered_model_name: str,
        name: str | None = None,
        aliases: Sequence[str] | None = None,
    ) -> Artifact:
        """Keep a model and link it into a collection of the project "model-registry".

        Raises:
            UsageError: If a name cannot be one, or there is no such file.
        """
        return self._artifacts.link_model(self._as_run, path, registered_model_name, name, aliases)

    def log_code(
        self,
        root: str | None = ".",
        name: str | None = None,
        include_fn: Callable[..., bool] | None = None,
        exclude_fn: Callable[..., bool] | None = None,
    ) -> Artifact | None:
        """Keep the source files below a directory as an artifact of the type "code"; None if there are none.

        Args:
            root: The directory.
            name: The artifact's name; by default that of the project.
            include_fn: Tells of a path (and the root) whether it is kept; by default Python files are.
            exclude_fn: Tells of a path (and the root) whether it is left out.
        """
        return self._artifacts.log_code(self._as_run, root, name, include_fn, exclude_fn)

    def upsert_artifact(
        self,
        artifact: Artifact,
        name: str | None = None,  # noqa: ARG002 - W&B's argument
        type: str | None = None,  # noqa: A002, ARG002 - W&B's argument
        aliases: Sequence[str] | None = None,  # noqa: ARG002 - `finish_artifact` gives them
        distributed_id: str | None = None,
    ) -> Artifact:
        """Keep this process's part of a version that many make; `finish_artifact` in one of them logs the whole.

        Raises:
            UsageError: If neither `distributed_id` nor the run's group says what belongs together.
        """
        return self._artifacts.upsert(self._as_run, artifact, distributed_id)

    def finish_artifact(
        self,
        artifact: Artifact,
        name: str | None = None,  # noqa: ARG002 - W&B's argument
        type: str | None = None,  # noqa: A002, ARG002 - W&B's argument
        aliases: Sequence[str] | None = None,
        distributed_id: str | None = None,
        *,
        tags: Sequence[str] | None = None,
    ) -> Artifact:
        """Log what all processes put in with `upsert_artifact`.

        Raises:
            UsageError: If neither `distributed_id` nor the run's group says what belongs together.
            NotFoundError: If nobody put anything in.
        """
        return self._artifacts.finish(self._as_run, artifact, aliases=aliases, tags=tags, shared=distributed_id)
