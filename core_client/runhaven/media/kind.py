"""What every kind of media is: a value that is taken where it is logged, and kept on a thread of its own."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Protocol, cast

from runhaven.media import filing
from runhaven.rich import Rich

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Self

_Arguments = ParamSpec("_Arguments")

Reference = dict[str, Any]
"""What stands for a value in a row; "_type" says of which kind it is."""


class Sink(Protocol):
    """Where bytes go."""

    def put(self, data: bytes, format: str) -> Reference:  # noqa: A002 - the word of the reference
        """Keep some bytes; returns "sha256", "size" and "format"."""
        ...

    def put_file(self, path: Path, format: str) -> Reference:  # noqa: A002 - the word of the reference
        """Keep the bytes of a file; returns "sha256", "size" and "format"."""
        ...

    @property
    def scrubs(self) -> bool:
        """Whether pictures have to pass `scrub` before their bytes are kept."""
        ...

    def scrub(self, picture: Any) -> Any:
        """Return a picture without what the project does not want kept.

        Raises:
            UsageError: If it must not be kept.
        """
        ...


class Media(Rich):
    """A value with bytes.

    Attributes:
        type_name: The reference's "_type".
        list_type: That of a list of such values.
        file_suffix: What stands behind its name in an artifact, before ".json"; by default the reference's "_type".
        told_fields: Fields of the reference that the bytes do not tell by themselves.
        caption: A line of text about it.
        told: Those fields, of a value that came from an artifact; `keep` adds them where it keeps a file.
        problem: What was wrong with what it was made of.
    """

    type_name: ClassVar[str] = ""
    list_type: ClassVar[str] = "media/separated"
    file_suffix: ClassVar[str] = ""
    told_fields: ClassVar[tuple[str, ...]] = ()
    caption: str | None = None
    told: Reference = {}  # noqa: RUF012 - replaced, never changed
    problem: Exception | None = None

    def verify(self) -> None:
        """Say what can be seen to be wrong without encoding anything; asked of a snapshot.

        Raises:
            Exception: What was wrong with what it was made of.
            UsageError: If the value cannot be kept.
            ImportError: If a package is missing.
        """
        if self.problem is not None:
            raise self.problem
        self.check()

    def check(self) -> None:
        """Look for what is wrong with the value; for the subclass."""

    def doubts(self) -> list[str]:
        """Return what looks wrong and is kept all the same."""
        return []

    def snapshot(self) -> Media:
        """Return a value that the caller cannot change any more; the value itself if it has taken a copy before."""
        return self

    def weight(self) -> int:
        """Return about how many bytes it holds."""
        return 0

    def keep(self, sink: Sink) -> Reference:
        """Encode the value, keep its bytes, and return its reference; never on the calling thread.

        Raises:
            Exception: Whatever an encoder raises.
        """
        raise NotImplementedError

    def keep_as(self, key: str, sink: Sink) -> dict[str, Reference]:
        """Keep the value that was logged under a key; returns the cells that stand for it."""
        return {key: self.keep(sink)}

    # As files of an artifact

    def file(self, sink: Sink) -> dict[str, Any]:
        """Keep the value, and return the JSON that stands for it in a file of its own."""
        return self.snapshot().keep(sink)

    def to_artifact(self, name: str) -> dict[str, bytes | os.PathLike[str]]:
        """Return the files that it consists of in an artifact, by path; `Artifact.add` calls it.

        Raises:
            UsageError: If it cannot be kept.
        """
        return filing.files_of(self, name)

    @classmethod
    def from_artifact(cls, name: str, artifact: filing.Artifact) -> Self:
        """Make the value that lies in an artifact; `Artifact.get` calls it."""
        return cls.from_reference(filing.read_json(artifact, {"path": name}), artifact)

    @classmethod
    def from_reference(cls, reference: Reference, artifact: filing.Artifact) -> Self:
        """Make a value of what stands for it, whose bytes are a file of an artifact."""
        value = cls(filing.StoredFile(artifact, reference["path"]), caption=reference.get("caption"))  # pyright: ignore[reportCallIssue]
        return value.knowing(reference)

    def knowing(self, reference: Reference) -> Self:
        """Return the value itself, which from now on knows what a reference tells and its bytes do not."""
        self.told = {name: reference[name] for name in self.told_fields if name in reference}
        return self

    def described(self, reference: Reference) -> Reference:
        """Return a reference with type and caption."""
        caption = {} if self.caption is None else {"caption": str(self.caption)}
        return {"_type": self.type_name, **reference, **caption}


def lenient(init: Callable[_Arguments, None]) -> Callable[_Arguments, None]:
    """Let a value that cannot be made tell so where it is logged: what makes it may stand in a training loop."""

    @wraps(init)
    def attempt(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> None:
        try:
            init(*arguments, **named)
        except Exception as error:  # noqa: BLE001 - whatever it was, `verify` raises it
            cast("Media", arguments[0]).problem = error

    return attempt


class MediaList(Media):
    """Several values that were logged as one."""

    def __init__(self, items: Sequence[Media]) -> None:
        """Hold some values."""
        self._items = list(items)
        self.problem = next((item.problem for item in self._items if item.problem is not None), None)

    def check(self) -> None:
        """Check each."""
        for item in self._items:
            item.verify()

    def doubts(self) -> list[str]:
        """Ask each."""
        return list(dict.fromkeys(doubt for item in self._items for doubt in item.doubts()))

    def snapshot(self) -> Media:
        """Take each as it is."""
        return MediaList([item.snapshot() for item in self._items])

    def weight(self) -> int:
        """Add them up."""
        return sum(item.weight() for item in self._items)

    def keep(self, sink: Sink) -> Reference:
        """Keep each."""
        kinds = {item.list_type for item in self._items}
        name = kinds.pop() if len(kinds) == 1 else Media.list_type
        return {"_type": name, "count": len(self._items), "items": [item.keep(sink) for item in self._items]}
