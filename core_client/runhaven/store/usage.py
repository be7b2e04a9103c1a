"""What a run used of its machines, from what its sessions summed up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from runhaven.store.session import Session

_NODE = "node="
_NUMBERS = frozenset({"gpu_hours", "gpu_energy_kwh", "gpu_idle_percent", "gpu_idle_while_loading_percent"})
_TABLES = frozenset({"gpu_utilization_percent", "gpu_memory_used_percent", "gpu_throttled_percent"})


def usage_of(sessions: Collection[Session]) -> dict[str, Any]:
    """Return what the sessions of a run used, as `runhaven_gpu_monitor.usage.summarise` says it."""
    records = {
        (stream.removeprefix(_NODE), session.writer): record
        for session in sessions
        for stream, record in session.usage.items()
    }
    if not records:
        return {}
    # A run that samples nothing is read without the monitor.
    from runhaven_gpu_monitor.usage import summarise

    held: dict[str, set[str]] = {}
    for session in sessions:
        for stream, gpus in session.gpus.items():
            held.setdefault(stream.removeprefix(_NODE), set()).update(gpu["uuid"] for gpu in gpus)
    return summarise(records, held=held)


def with_ranks(devices: Mapping[str, Any], sessions: Collection[Session]) -> dict[str, Any]:
    """Return the facts about each node's devices, each GPU with the `ranks` that compute on it."""
    ranks: dict[tuple[str, str], set[int]] = {}
    for session in sessions:
        for stream, gpus in session.gpus.items():
            for gpu in gpus:
                ranks.setdefault((stream, gpu["uuid"]), set()).add(int(session.start.get("rank", 0)))
    ranked = {
        stream: [gpu | {"ranks": sorted(ranks.get((stream, gpu["uuid"]), ()))} for gpu in facts["gpus"]]
        for stream, facts in devices.items()
        if "gpus" in facts
    }
    return {stream: facts | ({"gpus": ranked[stream]} if stream in ranked else {}) for stream, facts in devices.items()}


def to_summary(usage: Mapping[str, Any]) -> dict[str, float]:
    """Return what the summary of a run with GPUs says of them, under `system/`."""
    found: dict[str, float] = {}
    for name, value in usage.items():
        if name in _NUMBERS:
            found[f"system/{name}"] = value
        elif name in _TABLES:
            found |= {f"system/{name}.{word}": amount for word, amount in value.items() if amount}
    return found
