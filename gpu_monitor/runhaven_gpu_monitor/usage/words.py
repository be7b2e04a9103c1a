"""The facts of `summarise` in words, for a terminal or a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_MIB, _GIB = 1 << 20, 1 << 30
_SMALL = 0.1
_WORTH_A_WORD_PERCENT = 1.0
_REASONS = {
    "power": "by power",
    "thermal": "by heat",
    "software_thermal": "by the driver against heat",
    "hardware_thermal": "by the hardware against heat",
    "power_brake": "by a power brake from outside",
    "sync_boost": "to keep step with other GPUs",
    "board_limit": "by the limit of the board",
    "reliability": "by the limit of its voltage",
}


def describe(facts: Mapping[str, Any]) -> list[str]:
    """Return sentences of few words each; none of what was not read."""
    lines = _of_host(facts)
    if "gpu_count" in facts:
        lines += [_cost(facts), *_load(facts), *_waste(facts)]
    return lines


def _of_host(facts: Mapping[str, Any]) -> list[str]:
    parts: list[str] = []
    if load := facts.get("cpu_utilization_percent"):
        parts.append(f"processors {load['mean']:.0f} % busy")
    if memory := facts.get("process_memory_bytes"):
        parts.append(f"processes up to {_size(memory['max'])} of memory")
    return [", ".join(parts)] if parts else []


def _cost(facts: Mapping[str, Any]) -> str:
    count, names = facts["gpu_count"], {gpu["name"] for gpu in facts["gpus"]}
    what = f"{count} x {names.pop()}" if len(names) == 1 and None not in names else f"{count} GPU{'s'[: count > 1]}"
    energy = f", {_energy(facts['gpu_energy_kwh'])}" if facts["gpu_energy_kwh"] else ""
    return f"{what} for {_time(facts['gpu_hours'])}{energy}"


def _load(facts: Mapping[str, Any]) -> list[str]:
    parts: list[str] = []
    if load := facts.get("gpu_utilization_percent"):
        parts.append(f"GPU {load['mean']:.0f} % busy, at most {load['max']:.0f} %")
    if memory := facts.get("gpu_memory_used_bytes"):
        percent = facts.get("gpu_memory_used_percent", {}).get("max", 0.0)
        parts.append(f"GPU memory up to {_size(memory['max'])} ({percent:.0f} %)")
    return ["; ".join(parts)] if parts else []


def _waste(facts: Mapping[str, Any]) -> list[str]:
    idle = facts.get("gpu_idle_percent", 0.0)
    lines: list[str] = []
    if idle >= _WORTH_A_WORD_PERCENT:
        whiles = [
            (facts["gpu_idle_while_loading_percent"], "while data-loading processes worked"),
            (facts["gpu_idle_while_busy_percent"], "while the training process computed"),
        ]
        told = [f"{part:.0f} % {word}" for part, word in whiles if part >= _WORTH_A_WORD_PERCENT]
        lines.append(f"GPU idle {idle:.0f} % of the time" + (f", {', '.join(told)}" if told else ""))
    for reason, part in facts["gpu_throttled_percent"].items():
        if part >= _WORTH_A_WORD_PERCENT:
            lines.append(f"throttled {part:.0f} % of the time {_REASONS.get(reason, f'by {reason}')}")
    return lines


def _time(hours: float) -> str:
    if hours >= _SMALL:
        return f"{_number(hours)} GPU-hours"
    return f"{hours * 60:.1f} GPU-minutes"


def _energy(kwh: float) -> str:
    return f"{_number(kwh)} kWh" if kwh >= _SMALL else f"{kwh * 1000:.1f} Wh"


def _size(count: float) -> str:
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count / _MIB:.0f} MiB"


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"  # noqa: PLR2004 - no exponent
