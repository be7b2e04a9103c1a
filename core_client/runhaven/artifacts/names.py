"""Names: of artifacts, of aliases, and of the files within; none of the latter leads out of a download folder."""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from runhaven.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

VERSION = re.compile(r"v(0|[1-9][0-9]{0,17})")
_ARTIFACT = re.compile(r"[a-zA-Z0-9_\-. ]+")
_LONGEST_NAME = 128
_LONGEST_PART = 255
_LONGEST_PATH = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"^[a-zA-Z]:")
# Windows takes these for devices, in any directory and with any suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])( *[.:].*)?", re.IGNORECASE)
_WINDOWS_ONLY = re.compile(r'[<>:"|?*]|[. ]$')


def check_path(name: str | os.PathLike[str]) -> str:
    """Return the path of a file within an artifact, with "/" between its parts.

    Raises:
        UsageError: If it could lead out of a folder, or cannot be a name on some system.
    """
    text = name.as_posix() if isinstance(name, PurePath) else os.fspath(name)
    parts = [part for part in text.split("/") if part not in {"", "."}]
    reason = _fault(text, parts)
    if reason:
        message = (
            f"the name {text[:200]!r} cannot be used in an artifact: it {reason}. Give one such as 'model/weights.bin'."
        )
        raise UsageError(message)
    return "/".join(parts)


def _fault(text: str, parts: list[str]) -> str | None:
    """Return what is wrong with a path; None if nothing is."""
    for is_wrong, reason in _checks(text, parts):
        if is_wrong:
            return reason
    return None


def _checks(text: str, parts: list[str]) -> Iterator[tuple[object, str]]:
    yield not parts, "names no file"
    yield text.startswith("/") or _DRIVE.match(parts[0]), "is an absolute path"
    yield not _is_encodable(text), "cannot be written in UTF-8"
    yield ".." in parts, "leads upwards by '..'"
    yield "\\" in text, "holds a backslash"
    yield _CONTROL.search(text), "holds a control character"
    yield any(_length(part) > _LONGEST_PART for part in parts), f"has a part above {_LONGEST_PART} bytes"
    yield _length(text) > _LONGEST_PATH, f"has more than {_LONGEST_PATH} bytes"
    yield any(_DEVICES.fullmatch(part) for part in parts), "is the name of a device on Windows"
    yield os.name == "nt" and any(_WINDOWS_ONLY.search(part) for part in parts), "cannot be a file on Windows"


def _is_encodable(text: str) -> bool:
    """Tell whether a system can have such a name; bytes that are no UTF-8 stand as Python puts them into a text."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def target_in(folder: Path, name: str, *, safe: set[Path]) -> Path:
    """Return where a file of an artifact goes, its directory made; nothing on the way there leads out of the folder.

    Args:
        folder: The folder.
        name: The path of the file in the artifact.
        safe: The directories that were looked at; a new one is added.

    Raises:
        UsageError: If the name, or a link in the folder, would lead out of it.
        OSError: If the directory cannot be made.
    """
    target = folder / check_path(name)
    if target.parent in safe:
        return target
    if target.parent != folder:
        target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        message = f"{target.parent} is a link out of {folder}; nothing is written through it. Remove it, or choose another folder."
        raise UsageError(message)
    safe.add(target.parent)
    return target


def check_name(name: str, *, kind: str = "artifact name") -> str:
    """Return the name of an artifact or a type.

    Raises:
        UsageError: If it cannot be one.
    """
    if not _ARTIFACT.fullmatch(name) or len(name) > _LONGEST_NAME or not name.strip(". "):
        message = (
            f"the {kind} {name[:_LONGEST_NAME]!r} cannot be used; take up to {_LONGEST_NAME} letters, digits, "
            "dashes, underscores, dots and spaces."
        )
        raise UsageError(message)
    return name


def check_aliases(aliases: Iterable[str], *, kind: str = "alias") -> list[str]:
    """Return aliases or tags, each once.

    Raises:
        UsageError: If one of them cannot be one, or looks like a version.
    """
    if isinstance(aliases, str):
        message = f"{aliases!r} is one text; give a list of them."
        raise UsageError(message)
    found = list(dict.fromkeys(str(alias) for alias in aliases))
    for alias in found:
        if not alias.strip() or len(alias) > _LONGEST_NAME or any(letter in "/:\\" or letter < " " for letter in alias):
            message = f"the {kind} {alias[:_LONGEST_NAME]!r} cannot be used; take a word without '/', ':' and '\\'."
            raise UsageError(message)
        if kind == "alias" and VERSION.fullmatch(alias):
            message = f"the alias {alias!r} looks like a version; versions count up by themselves. Choose another word."
            raise UsageError(message)
    return found
