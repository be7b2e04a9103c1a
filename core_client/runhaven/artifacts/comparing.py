"""Whether what references lead to is still what it was when they were made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from runhaven.artifacts import reference, revision
from runhaven.artifacts.hashing import digest_of
from runhaven.artifacts.parallel import THREADS
from runhaven.errors import NotFoundError

if TYPE_CHECKING:
    from runhaven.artifacts.manifest import Entry, Manifest


class Change(NamedTuple):
    """A reference that does not hold any more.

    Attributes:
        path: Its path in the artifact.
        uri: Where it leads.
        reason: What became of it.
        revision: Where git or DVC have what it was; None where they knew nothing of it.
    """

    path: str
    uri: str
    reason: str
    revision: str | None


def changes_of(manifest: Manifest, *, is_remote_too: bool = False) -> list[Change]:
    """Return the references of a version that lead to something else by now, or nowhere.

    A local file with the size and the time that it had counts as unchanged; any other one is read.

    Args:
        manifest: The version's entries.
        is_remote_too: Ask the hosts of remote files too.
    """
    entries = [entry for entry in manifest.entries.values() if entry.ref is not None]
    if not is_remote_too:
        entries = [entry for entry in entries if reference.is_local(entry)]
    with ThreadPoolExecutor(THREADS) as pool:
        reasons = list(pool.map(_reason, entries))
    return [
        Change(entry.path, entry.ref_target(), reason, revision.describe(entry.extra))
        for entry, reason in zip(entries, reasons, strict=True)
        if reason
    ]


def _reason(entry: Entry) -> str | None:
    return _local(entry) if reference.is_local(entry) else _remote(entry)


def _local(entry: Entry) -> str | None:
    path = reference.path_of(entry.ref_target())
    try:
        status = path.stat()
        if entry.size is not None and status.st_size != entry.size:
            return f"has {status.st_size} bytes now, not {entry.size}"
        if not reference.is_checksum(entry) or status.st_mtime_ns == entry.extra.get("mtime_ns"):
            return None
        return None if digest_of(path) == entry.digest else "has changed"
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def _remote(entry: Entry) -> str | None:
    try:
        known = reference.ask(entry.ref_target())
    except (ImportError, NotFoundError) as error:
        return str(error)
    etag = entry.extra.get("etag")
    if etag and known.etag != etag:
        return f"has the etag {known.etag!r} now, not {etag!r}"
    if entry.size is not None and known.size is not None and known.size != entry.size:
        return f"has {known.size} bytes now, not {entry.size}"
    return None
