"""Which GPUs CUDA leaves visible to a process, from its environment alone: CUDA itself is never touched.

The rules are those of the CUDA programming guide, "CUDA environment variables".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def visible(gpus: Sequence[Mapping[str, Any]], environment: Mapping[str, str]) -> list[int | None] | None:
    """Return for each GPU its number in CUDA, or None if it is hidden; None for all if that cannot be told.

    CUDA stops at the first entry that it does not know, and an entry that comes twice leaves nothing.

    Args:
        gpus: `name`, `uuid` and `mig` (each with its `uuid`) of those that this process may open, in the order of the
            PCI bus.
        environment: `CUDA_VISIBLE_DEVICES`: numbers, `GPU-` and the beginning of a UUID, `MIG-` and a UUID, or
            `MIG-GPU-` with a UUID and the numbers of the instances. `CUDA_DEVICE_ORDER`.
    """
    setting = environment.get("CUDA_VISIBLE_DEVICES")
    # Unless it is told otherwise, CUDA puts the fastest first, and what it finds fast is its own affair.
    is_ordered = environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" or len({gpu.get("name") for gpu in gpus}) <= 1
    if setting is None:
        return list(range(len(gpus))) if is_ordered else None
    entries = [entry.strip() for entry in setting.split(",")]
    if not is_ordered and _leading_number(entries[0]) is not None:
        return None
    chosen = _choose(entries, gpus)
    return [chosen.index(place) if place in chosen else None for place in range(len(gpus))]


def _choose(entries: Sequence[str], gpus: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the places of the GPUs that the entries name, in the order of CUDA."""
    chosen: list[int] = []
    seen: set[object] = set()
    for entry in entries:
        place = _place(entry, gpus)
        if place is None or _kind(entry) != _kind(entries[0]):
            break
        # Two instances of one GPU are two devices; the same instance twice is an error.
        device: object = entry if _kind(entry) == "MIG" else place
        if device in seen:
            return []
        seen.add(device)
        if place not in chosen:
            chosen.append(place)
    return chosen


def _kind(entry: str) -> str:
    return entry[:3] if entry[:4] in ("GPU-", "MIG-") else "number"


def _place(entry: str, gpus: Sequence[Mapping[str, Any]]) -> int | None:
    kind = _kind(entry)
    if kind == "number":
        number = _leading_number(entry)
        return number if number is not None and number < len(gpus) else None
    if kind == "GPU":
        found = [place for place, gpu in enumerate(gpus) if str(gpu["uuid"]).startswith(entry)]
    elif entry.startswith("MIG-GPU-"):
        whole = entry.removeprefix("MIG-").partition("/")[0]
        found = [place for place, gpu in enumerate(gpus) if gpu["uuid"] == whole]
    else:
        found = [
            place
            for place, gpu in enumerate(gpus)
            for instance in gpu.get("mig", ())
            if str(instance["uuid"]).startswith(entry)
        ]
    return found[0] if len(found) == 1 else None


def _leading_number(entry: str) -> int | None:
    """Return the number that an entry begins with, as C's strtoul reads it; None if it begins with none."""
    match = re.match(r"\s*\+?(\d+)", entry)
    return int(match[1]) if match else None
