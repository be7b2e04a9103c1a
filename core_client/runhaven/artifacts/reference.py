"""References: files that stay where they are, and what is known of them."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from runhaven.artifacts.hashing import digest_of
from runhaven.artifacts.manifest import Entry
from runhaven.artifacts.names import check_path
from runhaven.artifacts.parallel import for_each
from runhaven.artifacts.progress import Progress
from runhaven.artifacts.revision import Revisions
from runhaven.errors import NotFoundError, UsageError
from runhaven.platform.files import copy_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO

_SCHEMES = ("file", "http", "https", "s3", "gs")
_MOST_OBJECTS = 10_000_000


class Known(NamedTuple):
    """What is known of a remote file without reading it.

    Attributes:
        etag: What its host calls its content by.
        size: Its bytes.
    """

    etag: str | None = None
    size: int | None = None


def is_local(entry: Entry) -> bool:
    """Tell whether a reference leads to a file of this machine, or of one that is mounted here."""
    return entry.ref is not None and urlsplit(entry.ref).scheme == "file"


def ask(uri: str) -> Known:
    """Return what the host of a remote file says of it.

    Raises:
        NotFoundError: If it cannot be asked, or there is no such file.
        ImportError: If the package that asks it is missing.
    """
    from runhaven.artifacts import remote

    return remote.ask(uri)


def is_checksum(entry: Entry) -> bool:
    """Tell whether a reference's digest is the SHA-256 of its bytes."""
    return entry.extra.get("digest") == "sha256"


def make(
    uri: str, *, name: str | None, checksum: bool, max_objects: int | None = None, known: Known | None = None
) -> Iterator[Entry]:
    """Go through the entries for a URI: one for a file, many for a directory.

    Args:
        uri: A file://, http://, https://, s3:// or gs:// URI.
        name: Path in the artifact; by default the last part of the URI.
        checksum: Read local files; ask remote hosts for size and etag, unless those are given.
        max_objects: The most files of a directory.
        known: What the caller knows of a remote file.

    Raises:
        UsageError: If the scheme is not known, a file is missing, or there are too many.
        NotFoundError: If a remote file cannot be asked for.
        ImportError: If the package that asks for it is missing.
    """
    parts = urlsplit(uri)
    if parts.scheme not in _SCHEMES:
        message = (
            f"add_reference({uri!r}): the scheme is not known; use one of {', '.join(f'{one}://' for one in _SCHEMES)}."
        )
        raise UsageError(message)
    if any(ord(letter) < ord(" ") for letter in uri):
        message = f"add_reference({uri!r}): a URI holds no control characters; quote them as %0A."
        raise UsageError(message)
    if parts.scheme == "file":
        yield from _local(uri, name, checksum=checksum, max_objects=max_objects or _MOST_OBJECTS)
        return
    path = check_path(name or PurePosixPath(unquote(parts.path)).name or parts.netloc)
    if known is None or not any(known):
        known = ask(uri) if checksum else Known()
    extra = {"etag": known.etag} if known.etag else {}
    yield Entry(path=path, digest=known.etag or uri, size=known.size, ref=uri, extra=extra)


def path_of(uri: str) -> Path:
    """Return the path that a file:// URI names."""
    path = urlsplit(uri).path
    if os.name == "nt":
        from urllib.request import url2pathname

        return Path(url2pathname(path))
    return Path(unquote(path))


def _local(uri: str, name: str | None, *, checksum: bool, max_objects: int) -> list[Entry]:
    source = path_of(uri)
    if source.is_file():
        files = [(check_path(name or source.name), source)]
    elif source.is_dir():
        within = islice(_below(source), max_objects + 1)
        files = [(check_path(f"{name}/{path}" if name else path), found) for path, found in within]
    else:
        message = f"add_reference({uri!r}): there is no file {source}."
        raise UsageError(message)
    if len(files) > max_objects:
        message = f"add_reference({uri!r}): {source} holds more than max_objects={max_objects} files; allow more."
        raise UsageError(message)
    revisions = Revisions(source)
    entries = [_local_entry(path, found, revisions) for path, found in files]
    if checksum:
        with Progress(f"reading {source}", sum(entry.size or 0 for entry in entries)) as progress:
            for_each(entries, lambda entry: _add_checksum(entry, progress))
    return entries


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for path in (Path(place) / one for one in sorted(names)):
            if path.is_file():
                yield path.relative_to(folder).as_posix(), path


def _local_entry(path: str, source: Path, revisions: Revisions) -> Entry:
    uri = source.absolute().as_uri()
    return Entry(path=path, digest=uri, size=source.stat().st_size, ref=uri, extra=revisions.of(source))


def _add_checksum(entry: Entry, progress: Progress) -> None:
    source = path_of(entry.ref_target())
    status = source.stat()
    entry.digest, entry.size = digest_of(source, progress.add), status.st_size
    entry.extra |= {"digest": "sha256", "mtime_ns": status.st_mtime_ns}


def local(entry: Entry) -> Path:
    """Return the local file that a reference leads to.

    Raises:
        NotFoundError: If it is not there any more.
    """
    source = path_of(entry.ref_target())
    if not source.is_file():
        raise gone(entry, "there is no such file")
    return source


class BrokenOffError(NotFoundError):
    """A remote file that came in part; what came can be gone on with."""


def is_resumable(entry: Entry) -> bool:
    """Tell whether a reference leads to a host that can be asked for the rest of a file, if that is still the same."""
    etag = str(entry.extra.get("etag", ""))
    is_header = bool(etag) and etag.isascii() and etag.isprintable()
    return is_header and urlsplit(entry.ref or "").scheme in {"http", "https"}


def go_on(entry: Entry, file: FileIO, count: Callable[[int], None]) -> None:
    """Append to a file what it lacks of that which a reference names; from the beginning where the host cannot go on.

    Args:
        entry: The reference, which is resumable.
        file: What came before; it is believed, since nobody but the host knows the bytes.
        count: Is told how many bytes are done.

    Raises:
        BrokenOffError: If the host broke off again and again.
        NotFoundError: If it cannot be reached, or has no such file any more.
        OSError: If the file cannot be written.
    """
    from runhaven.artifacts import remote

    remote.go_on(entry.ref_target(), file, Known(entry.extra["etag"], entry.size), count)


def fetch(entry: Entry, target: Path) -> None:
    """Copy what a reference names.

    Raises:
        NotFoundError: If it is not there any more.
        ImportError: If the package that gets it is missing.
        OSError: If the target cannot be written.
    """
    uri = entry.ref_target()
    scheme = urlsplit(uri).scheme
    if scheme == "file":
        copy_file(local(entry), target)
    elif scheme in _SCHEMES:
        from runhaven.artifacts import remote

        remote.bring(uri, target)
    else:
        raise gone(entry, f"the scheme {scheme!r} is not known")


def check(entry: Entry, target: Path) -> None:
    """Compare a copy of what a reference names with what is known of it.

    Raises:
        NotFoundError: If it has changed.
    """
    if entry.size is not None and target.stat().st_size != entry.size:
        raise gone(entry, f"it has {target.stat().st_size} bytes now, not {entry.size}")
    etag = entry.extra.get("etag")
    if etag and (now := ask(entry.ref_target()).etag) != etag:
        raise gone(entry, f"its etag is {now!r} now, not {etag!r}")


def gone(entry: Entry, reason: str) -> NotFoundError:
    """Return the error for a reference that does not hold any more."""
    message = f"the reference {entry.path!r} leads to {entry.ref}, but {reason}. Pass allow_missing_references=True to go on without it."
    return NotFoundError(message)
