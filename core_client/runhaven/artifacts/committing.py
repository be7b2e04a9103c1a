"""Makes a draft a version: bytes first, then the manifest, then the claim, so that nobody ever sees half of one."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runhaven.artifacts import note
from runhaven.artifacts.checked import read_blob, read_manifest
from runhaven.artifacts.collection import Place, Version
from runhaven.artifacts.manifest import Manifest
from runhaven.capture.environment import user_name
from runhaven.errors import NotFoundError
from runhaven.platform.files import create_exclusive
from runhaven.store.blobs import Blobs
from runhaven.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from runhaven.artifacts.collection import Collection
    from runhaven.artifacts.events import State


def commit(
    collection: Collection, kind: str, manifest: Manifest, said: Mapping[str, Any], run: dict[str, Any] | None
) -> tuple[Version, bool]:
    """Keep a manifest whose bytes are in the store as a version; of content that there is already, that version.

    Args:
        collection: Where it goes.
        kind: Its type.
        manifest: Its entries.
        said: Description, metadata, ttl_s.
        run: The run that logs it.

    Returns:
        The version, and whether it is new.

    Raises:
        UsageError: If the collection has another type.
        OSError: If the store cannot be written.
    """
    Store(collection.store).create()
    collection.create(kind)
    wanted = Version(
        digest=manifest.digest,
        manifest=keep(manifest, collection.store),
        size=manifest.size,
        file_count=len(manifest.entries),
        description=said["description"],
        metadata=said["metadata"],
        ttl_s=said["ttl_s"],
        run=run,
        user=user_name(),
    )
    version, is_new = collection.claim(wanted)
    if run is not None and not is_new and (version.run or {}).get("ulid") != run["ulid"]:
        collection.repeats.add(version.number, run)
    return version, is_new


def keep(manifest: Manifest, store: Path) -> str:
    """Keep a manifest, wait until it and all that it names is on the disk, and return the SHA-256 of it.

    Raises:
        OSError: If the store cannot be written.
        StoreError: If bytes that it names are missing.
    """
    blobs = Blobs(store)
    wanted = dict.fromkeys(manifest.blobs())
    for blob in wanted:
        # It may have been waste when it was added, and gone since.
        if not blobs.touch(blob):
            read_blob(blobs, blob)
    kept = blobs.put(manifest.to_bytes(), waits=False).sha256
    blobs.settle([*(blob.sha256 for blob in wanted), kept])
    return kept


def bring(manifest: Manifest, source: Path, target: Path) -> None:
    """Copy the bytes of a manifest's files from one store to another, where they are not there already.

    Raises:
        OSError: If they cannot be read or written.
    """
    if source == target:
        return
    read, written = Blobs(source), Blobs(target)
    for blob in dict.fromkeys(manifest.blobs()):
        if not written.touch(blob):
            written.put_file(read.path(blob.sha256))


def base_of(collection: Collection) -> Manifest:
    """Return the manifest of the newest version; an empty one without."""
    if not collection.exists:
        return Manifest()
    newest = collection.newest(collection.events.read())
    if newest is None:
        return Manifest()
    return read_manifest(collection.store, newest.manifest)


def alias_events(
    collection: Collection, version: Version, *, aliases: Iterable[str], tags: Iterable[str], state: State
) -> list[dict[str, Any]]:
    """Return what is to be said so that a version has aliases and tags, `latest` among them."""
    events: list[dict[str, Any]] = []
    moved = {word: version.number for word in aliases if word != "latest"}
    newest = collection.newest(state)
    if newest is None or newest.number != version.number:
        moved["latest"] = version.number
    known = state.aliases.values()
    moved = {word: number for word, number in moved.items() if known.get(word) != number or word == "latest"}
    given = {tag: True for tag in tags if not state.tags_of(version.number).get(tag)}
    if moved:
        events.append({"event": "aliases", "aliases": moved})
    if given:
        events.append({"event": "tags", "version": version.number, "tags": given})
    return events


def append(collection: Collection, events: list[dict[str, Any]], state: State) -> None:
    """Say something about a collection, later than all that was said and claimed."""
    if events:
        collection.events.append(events, state, after_us=collection.newest_us())


# Parts that several processes make


def put_part(collection: Collection, kind: str, distributed_id: str, manifest: Manifest) -> None:
    """Keep one process's part of a version that many make together.

    Raises:
        OSError: If the store cannot be written.
    """
    Store(collection.store).create()
    collection.create(kind)
    directory = _parts(collection, distributed_id)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    sha256 = keep(manifest, collection.store)
    create_exclusive(directory / f"{secrets.token_hex(8)}.json", note.to_bytes({"manifest": sha256}))


def take_parts(collection: Collection, distributed_id: str) -> tuple[Manifest, list[Path]]:
    """Return what all parts come to, and the files that name them.

    Raises:
        NotFoundError: If nobody made a part.
        UsageError: If two parts hold different files of one name.
        StoreError: If a part is damaged.
    """
    whole = Manifest()
    paths = sorted(_parts(collection, distributed_id).glob("[!.]*.json"))
    if not paths:
        message = f"there is no part of {str(collection.place)!r} with distributed_id={distributed_id!r}. Call upsert_artifact() first."
        raise NotFoundError(message)
    for path in paths:
        for entry in read_manifest(collection.store, str(note.read(path)["manifest"])).entries.values():
            whole.add(entry)
    return whole, paths


def _parts(collection: Collection, distributed_id: str) -> Path:
    return collection.path / "parts" / Place("", "", distributed_id).directory


def merged(base: Manifest, manifest: Manifest) -> Manifest:
    """Return a base with other entries over it."""
    whole = Manifest(dict(base.entries))
    for entry in manifest.entries.values():
        whole.add(replace(entry), replaces=True)
    return whole
