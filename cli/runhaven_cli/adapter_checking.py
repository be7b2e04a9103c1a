"""Checks the adapters that are installed, for `runhaven doctor`."""

from __future__ import annotations

from collections import defaultdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

import runhaven_autoload
from runhaven.finder import GROUP
from runhaven.launch.framework import GROUP as LAUNCH_GROUP
from runhaven_cli.finding import Finding
from runhaven_cli.requirement import lacking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.metadata import EntryPoint


def check_adapters() -> Iterator[Finding]:
    """Check each adapter, what it needs, and whether it is found without a word in the script."""
    packages = metadata.packages_distributions()
    declared: dict[str, set[EntryPoint]] = defaultdict(set)
    for entry in metadata.entry_points(group=GROUP):
        declared[entry.name].add(entry)
    for name, entries in sorted(declared.items()):
        yield from (_check(entry, packages) for entry in sorted(entries, key=lambda entry: entry.value))
        if len(entries) > 1:
            names = " and ".join(sorted(_origin(entry) for entry in entries))
            yield Finding("problem", f"Adapter {name} is declared by {names}; which one works is chance. Remove one.")
    for entry in sorted(set(metadata.entry_points(group=LAUNCH_GROUP))):
        yield from _check_launch(entry)
    yield Finding("ok", f"Autoload is {runhaven_autoload.state()}.", {"autoload": runhaven_autoload.state()})


def _check(entry: EntryPoint, packages: Mapping[str, list[str]]) -> Finding:
    versions = {package: metadata.version(package) for package in dict.fromkeys(packages.get(entry.name, ()))}
    about: dict[str, Any] = {
        "adapter": entry.name,
        "module": entry.value,
        "distribution": entry.dist.name if entry.dist else None,
        "version": entry.dist.version if entry.dist else None,
        "framework": versions,
    }
    gaps = list(lacking(entry.name)) if _is_ours(entry) else []
    try:
        # To import a framework takes seconds. Ours are known to load where their packages are there.
        if gaps or not _is_ours(entry):
            entry.load()
    except ImportError as error:
        return Finding("note", f"Adapter {entry.name} of {_origin(entry)} waits: {error}", about)
    except Exception as error:  # noqa: BLE001 - a third party's module may fail in any way
        text = f"Adapter {entry.name} of {_origin(entry)} fails to load: {error!r}. Update or remove {_package(entry)}."
        return Finding("problem", text, about)
    if any("older" in gap for gap in gaps):
        text = f"Adapter {entry.name} of {_origin(entry)} may not work: {', '.join(gaps)}. Run: pip install 'runhaven[{entry.name}]'"
        return Finding("note", text, about)
    works_with = ", ".join(f"{package} {version}" for package, version in versions.items())
    return Finding(
        "ok", f"Adapter {entry.name} of {_origin(entry)} is ready{works_with and f', for {works_with}'}.", about
    )


def _check_launch(entry: EntryPoint) -> Iterator[Finding]:
    """Say if the function that `runhaven run` would call cannot be had; that its framework is missing was said."""
    if _is_ours(entry):
        return
    try:
        entry.load()
    except ImportError:
        return
    except Exception as error:  # noqa: BLE001 - a third party's module may fail in any way
        text = (
            f"`runhaven run` cannot call {entry.value} for {entry.name}: {error!r}. Update or remove {_package(entry)}."
        )
        yield Finding("problem", text, {"launch": entry.name, "function": entry.value})


def _is_ours(entry: EntryPoint) -> bool:
    return entry.dist is not None and entry.dist.name == "runhaven"


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
