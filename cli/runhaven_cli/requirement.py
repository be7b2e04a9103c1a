"""What an extra of Runhaven needs, and whether it is there, by what pip wrote down; nothing is imported."""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

from runhaven_cli.versions import installed

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEEDED = re.compile(
    r"(?P<package>[\w.-]+)(?:\[[^]]*\])?(?:>=(?P<least>[\d.]+))?[^;]*;\s*extra == ['\"](?P<extra>[\w-]+)['\"]"
)


def lacking(extra: str) -> Iterator[str]:
    """Yield what of an extra's packages is missing or too old, in words; ours name least versions alone."""
    for line in metadata.requires("runhaven") or ():
        needed = _NEEDED.fullmatch(line)
        if needed is None or needed["extra"] != extra:
            continue
        package, least, version = needed["package"], needed["least"], installed(needed["package"])
        if version is None:
            yield f"{package} is not installed"
        elif least is not None and _numbers(version) < _numbers(least):
            yield f"{package} {version} is older than {least}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3])
