"""What the sums over a run's readings say to a person who pays for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven_gpu_monitor.usage.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

_JOULES_PER_KWH = 3.6e6
_SECONDS_PER_HOUR = 3600.0


class _Gpu:
    """The sums of one GPU, or of many."""

    def __init__(self, who: Mapping[str, Any]) -> None:
        self.who = who
        self.sums: dict[str, float] = {}
        self.tallies: dict[str, Tally] = {}
        self.is_visible = False

    def take(self, record: Mapping[str, Any]) -> None:
        """Take in the record of a session."""
        self.is_visible |= record["is_visible"] is not False
        self._merge(record["sums"], {name: Tally(*found) for name, found in record["tallies"].items()})

    def join(self, other: _Gpu) -> None:
        """Take in another GPU."""
        self._merge(other.sums, other.tallies)

    def _merge(self, sums: Mapping[str, float], tallies: Mapping[str, Tally]) -> None:
        for name, amount in sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + amount
        for name, found in tallies.items():
            self.tallies.setdefault(name, Tally()).merge(found)

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "hours": self.sums.get("seconds", 0.0) / _SECONDS_PER_HOUR,
            "energy_kwh": self.sums.get("energy_joules", 0.0) / _JOULES_PER_KWH,
        }
        facts |= {name: found.facts() for name, found in self.tallies.items()}
        if "utilization_percent" in self.tallies:
            seconds = self.tallies["utilization_percent"].seconds
            for name in ("idle", "idle_while_loading", "idle_while_busy"):
                facts[f"{name}_percent"] = _percent(self.sums.get(f"{name}_s", 0.0), seconds)
        facts["throttled_percent"] = {
            name.removeprefix("throttled_").removesuffix("_s"): _percent(amount, self.sums["seconds"])
            for name, amount in self.sums.items()
            if name.startswith("throttled_")
        }
        return facts


def summarise(
    records: Mapping[tuple[str, str], Mapping[str, Any]], *, held: Mapping[str, Collection[str]] | None = None
) -> dict[str, Any]:
    """Return what the sums of a run come to.

    A GPU counts if a process of the run held memory on it, as the driver or the process itself says. Where nobody says
    so on a node, every GPU that is visible to the process that sampled there counts.

    Args:
        records: What `Usage.record` returned last, by node and by the session that sampled there.
        held: The UUIDs of the GPUs on which processes of the run said that they held memory, by node.

    Returns:
        Empty without records; else `seconds` and `nodes`, and `cpu_utilization_percent`, `memory_used_percent` and
        `process_memory_bytes`, each with its `mean` over time and its `max`. With GPUs also `gpu_count`, the facts over
        all of them, and under `gpus` those of each beside its `node`, `index`, `uuid` and `name`:

        - `gpu_hours`, `gpu_energy_kwh`
        - `gpu_utilization_percent`, `gpu_memory_used_percent`, `gpu_memory_used_bytes`: `mean` and `max`
        - `gpu_idle_percent`: the part of the time without a kernel. Of it, `gpu_idle_while_loading_percent`: the
          training process slept while its children used half a processor or more, as data loaders do;
          `gpu_idle_while_busy_percent`: the training process itself was computing
        - `gpu_throttled_percent`: by reason, the part of the time in which clocks were held down

        In `gpus` the names stand without `gpu_`.
    """
    if not records:
        return {}
    host: dict[str, Tally] = {}
    nodes: dict[str, dict[Any, _Gpu]] = {}
    for (node, _), record in records.items():
        for name, found in record["host"].items():
            host.setdefault(name, Tally()).merge(Tally(*found))
        gpus = nodes.setdefault(node, {})
        for gpu in record["gpus"]:
            who = {"node": node} | {name: gpu[name] for name in ("index", "uuid", "name")}
            gpus.setdefault(gpu["uuid"] or gpu["index"], _Gpu(who)).take(gpu)
    facts: dict[str, Any] = {"seconds": sum(record["seconds"] for record in records.values()), "nodes": len(nodes)}
    facts |= {name: found.facts() for name, found in host.items()}
    return facts | _gpu_facts(
        [gpu for node, gpus in nodes.items() for gpu in _counted(gpus.values(), (held or {}).get(node, ()))]
    )


def _counted(gpus: Iterable[_Gpu], held: Collection[str]) -> list[_Gpu]:
    seen = [gpu for gpu in gpus if gpu.sums.get("seconds")]
    used = [gpu for gpu in seen if gpu.sums.get("process_memory_bytes") or gpu.who["uuid"] in held]
    return used or [gpu for gpu in seen if gpu.is_visible]


def _gpu_facts(gpus: Sequence[_Gpu]) -> dict[str, Any]:
    if not gpus:
        return {}
    whole = _Gpu({})
    for gpu in gpus:
        whole.join(gpu)
    facts = {f"gpu_{name}": value for name, value in whole.facts().items()}
    return {"gpu_count": len(gpus)} | facts | {"gpus": [{**gpu.who, **gpu.facts()} for gpu in gpus]}


def _percent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else 0.0
