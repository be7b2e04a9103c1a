"""The manifest: which files a version has, and under what content each is kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from runhaven.artifacts import checksum
from runhaven.artifacts.hashing import digest_of_chunks
from runhaven.artifacts.names import check_path
from runhaven.errors import NotFoundError, StoreError, UsageError
from runhaven.store.blobs import Blob

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from runhaven.artifacts.artifact import Artifact

FORMAT = 1


@dataclass(eq=False, kw_only=True)
class Entry:
    """A file of an artifact, or a reference to one elsewhere.

    Attributes:
        path: Its path within the artifact.
        digest: SHA-256 of its bytes; of a file in chunks, of their list; of a remote file what its host calls it by, or its URI.
        size: Its bytes; None where nobody knows.
        chunks: The blobs that it consists of, two or more; a file without is one blob, named by its digest.
        checksums: The quick checksum of each of its blobs; none where nobody computed them. They are no part of any digest: who
            cannot compute them makes the same version.
        ref: The URI of a file that lies elsewhere.
        extra: More about it, such as what kind of object it stands for.
        local_path: Where it came from, while the artifact is a draft.
        owner: The artifact that it belongs to.
    """

    path: str
    digest: str
    size: int | None = None
    chunks: tuple[Blob, ...] = ()
    checksums: tuple[str, ...] = ()
    ref: str | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any])
    local_path: str | None = None
    owner: Artifact | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Its path; W&B's other word for it."""
        return self.path

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """The blobs that its bytes consist of, in order; none for a reference."""
        if self.ref is not None:
            return ()
        return self.chunks or (Blob(self.digest, self.size or 0),)

    @property
    def content(self) -> str:
        """Its digest, and what kind of one that is where it is not the SHA-256 of the bytes: equal content, equal text.

        Somebody could write a small file of the very bytes that the digest of a file in chunks is made from.
        """
        return f"chunks {self.digest}" if self.chunks else self.digest

    def to_json(self) -> dict[str, Any]:
        """Return it as the manifest holds it."""
        data: dict[str, Any] = {}
        if self.ref is not None:
            data |= {"ref": self.ref, "digest": self.digest}
        elif self.chunks:
            data["chunks"] = [list(chunk) for chunk in self.chunks]
        else:
            data["sha256"] = self.digest
        if self.size is not None:
            data["size"] = self.size
        if self.checksums:
            data[checksum.NAME] = list(self.checksums)
        if self.extra:
            data["extra"] = self.extra
        return data

    def _owned(self) -> Artifact:
        if self.owner is None:
            message = f"the entry {self.path!r} belongs to no artifact; take it from artifact.get_entry()."
            raise UsageError(message)
        return self.owner

    def parent_artifact(self) -> Artifact:
        """Return the artifact that it belongs to."""
        return self._owned()

    def ref_target(self) -> str:
        """Return the URI of a reference.

        Raises:
            UsageError: If it is none.
        """
        if self.ref is None:
            message = f"{self.path!r} is a file of the artifact, no reference; use download() or open()."
            raise UsageError(message)
        return self.ref

    def ref_url(self) -> str:
        """Return a URI that names this very entry."""
        artifact = self._owned()
        return f"runhaven-artifact://{artifact.qualified_name}/{self.path}"

    def open(self) -> Any:
        """Open the file for reading where it lies: seekable, and only the parts that are read are touched.

        Raises:
            StoreError: If its bytes are not there.
        """
        return self._owned().open_entry(self)

    def download(self, root: str | os.PathLike[str] | None = None, skip_cache: bool | None = None, **_: Any) -> str:  # noqa: ARG002 - W&B's argument
        """Copy the file below a folder, and return where the copy lies."""
        return self._owned().download_entry(self, root)


class Manifest:
    """The entries of a version, by path."""

    def __init__(self, entries: dict[str, Entry] | None = None) -> None:
        """Start with some entries, or none."""
        self.entries: dict[str, Entry] = entries or {}
        self._folders: dict[str, int] = {}
        for path in self.entries:
            self._count(path, 1)

    def add(self, entry: Entry, *, replaces: bool = False) -> Entry:
        """Add an entry; the same content once more is no mistake.

        Raises:
            UsageError: If there is another file of that name, or a folder.
        """
        before = self.entries.get(entry.path)
        if before is not None and not replaces and before.content != entry.content:
            message = f"the artifact has another file {entry.path!r} already; pass overwrite=True to put this one in its place."
            raise UsageError(message)
        above = entry.path.split("/")
        inside = next((p for n in range(1, len(above)) if (p := "/".join(above[:n])) in self.entries), None)
        if entry.path in self._folders or inside:
            message = f"{entry.path!r} cannot be added: {inside or entry.path!r} would be a file and a folder."
            raise UsageError(message)
        if before is None:
            self._count(entry.path, 1)
        self.entries[entry.path] = entry
        return entry

    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all that is in it.

        Raises:
            NotFoundError: If there is neither.
        """
        gone = [name for name in self.entries if name == path or name.startswith(f"{path}/")]
        if not gone:
            message = f"the artifact has no file {path!r} to remove; list them with artifact.manifest.entries."
            raise NotFoundError(message)
        for name in gone:
            del self.entries[name]
            self._count(name, -1)

    def _count(self, path: str, by: int) -> None:
        """Keep count of the files in each folder."""
        parts = path.split("/")
        for length in range(1, len(parts)):
            folder = "/".join(parts[:length])
            self._folders[folder] = self._folders.get(folder, 0) + by
            if not self._folders[folder]:
                del self._folders[folder]

    @property
    def digest(self) -> str:
        """SHA-256 over the sorted paths and contents: equal content, equal digest."""
        whole = hashlib.sha256(b"runhaven artifact 1\n")
        for path in sorted(self.entries):
            whole.update(f"{path}\0{self.entries[path].content}\n".encode("utf-8", "surrogatepass"))
        return whole.hexdigest()

    @property
    def size(self) -> int:
        """The bytes of all entries, as far as they are known."""
        return sum(entry.size or 0 for entry in self.entries.values())

    def blobs(self) -> Iterator[Blob]:
        """Go through the blobs of all entries."""
        for entry in self.entries.values():
            yield from entry.blobs

    def to_bytes(self) -> bytes:
        """Return it as it is stored: equal manifests, equal bytes."""
        entries = {path: self.entries[path].to_json() for path in sorted(self.entries)}
        return json.dumps({"format": FORMAT, "entries": entries}, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes, *, owner: Artifact | None = None) -> Manifest:
        """Return the manifest that some bytes hold; what they name is checked as if it came from a stranger.

        Raises:
            StoreError: If they hold none, or names that lead out of a folder.
        """
        try:
            whole = cast("dict[str, Any]", json.loads(data))
            if int(whole["format"]) > FORMAT:
                message = f"the manifest has format {whole['format']}, newer than {FORMAT}. Upgrade runhaven."
                raise StoreError(message)
            found = cls()
            for path, fields in whole["entries"].items():
                found.add(_read_entry(path, fields, owner))
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
            message = f"a manifest cannot be read: {error}"
            raise StoreError(message) from error
        return found


def _read_entry(path: str, fields: dict[str, Any], owner: Artifact | None) -> Entry:
    if check_path(path) != path:
        message = f"the path {path!r} is not in its plain form"
        raise ValueError(message)
    ref = fields.get("ref")
    size = fields["size"] if ref is None else fields.get("size")
    chunks = tuple(_read_chunk(*chunk) for chunk in fields.get("chunks", ()))
    if ref is not None:
        digest = str(fields["digest"])
    elif chunks:
        digest = digest_of_chunks(chunks)
    else:
        digest = _check_sha256(fields["sha256"])
    checksums = tuple(_check_digits(text, checksum.DIGITS, checksum.NAME) for text in fields.get(checksum.NAME, ()))
    if checksums and len(checksums) != (0 if ref is not None else len(chunks) or 1):
        message = f"{path!r} has {len(checksums)} checksums, which is not one for each blob"
        raise ValueError(message)
    if chunks and sum(chunk.size for chunk in chunks) != size:
        message = f"the chunks of {path!r} do not add up to its size"
        raise ValueError(message)
    return Entry(
        path=path,
        digest=digest,
        size=None if size is None else int(size),
        chunks=chunks,
        checksums=checksums,
        ref=None if ref is None else str(ref),
        extra=dict(fields.get("extra", {})),
        owner=owner,
    )


def _read_chunk(sha256: object, size: object) -> Blob:
    if type(size) is not int or not 0 < size < 1 << 63:
        message = f"a chunk cannot have {size!r} bytes"
        raise ValueError(message)
    return Blob(_check_sha256(sha256), size)


def _check_sha256(text: object) -> str:
    return _check_digits(text, 64, "SHA-256")


def _check_digits(text: object, count: int, name: str) -> str:
    if not isinstance(text, str) or len(text) != count or not set(text) <= set("0123456789abcdef"):
        message = f"{text!r} is no {name}"
        raise ValueError(message)
    return text
