"""The readings of a machine as a screen of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NO_GPU = (
    "No GPU is read here: no NVIDIA driver answers (or nvidia-ml-py is not installed), and the kernel shows no AMD GPU."
)
_GIB, _MB = 1 << 30, 1e6
_BAR = 12
_INDENT = " " * 5
_COLOURS = {"green": 32, "yellow": 33, "red": 31, "cyan": 36, "dim": 2, "bold": 1}
_HIGH, _VERY_HIGH = 80.0, 95.0
_HOT_CELSIUS, _VERY_HOT_CELSIUS = 80.0, 90.0


class Style(NamedTuple):
    """What the terminal can show.

    Attributes:
        width: Its columns.
        has_colour: Whether it shows colours.
        has_blocks: Whether it shows more than ASCII.
    """

    width: int
    has_colour: bool
    has_blocks: bool

    def paint(self, text: str, colour: str) -> str:
        """Return text in a colour."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self.has_colour else text

    def bar(self, percent: float, colour: str) -> str:
        """Return a bar that is full at 100."""
        eighths = round(min(100.0, max(0.0, percent)) / 100 * _BAR * 8)
        if not self.has_blocks:
            full = eighths // 8
            return "[" + self.paint("#" * full, colour) + "." * (_BAR - full) + "]"
        full, rest = divmod(eighths, 8)
        blocks = "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
        return self.paint(blocks, colour) + self.paint("░" * (_BAR - len(blocks)), "dim")

    def level(self, percent: float) -> str:
        """Return a bar in the colour of something that should not be full, with its number."""
        return f"{self.bar(percent, _worse(percent, _HIGH, _VERY_HIGH))} {percent:3.0f} %"


def render(
    device: Mapping[str, Any], values: Mapping[str, float], style: Style, *, rates: Mapping[str, float], clock: str
) -> str:
    """Return the screen.

    Args:
        device: The facts about the machine.
        values: The readings by metric key.
        style: What the terminal can show.
        rates: How much the counters of disk and network grow in a second.
        clock: The time of day.
    """
    lines = [_title(device, style, clock), *_host(device, values, rates, style), ""]
    gpus: Sequence[Mapping[str, Any]] = device["gpus"]
    lines += _gpus(gpus, values, style) if gpus else [style.paint(NO_GPU, "yellow")]
    return "\n".join(line.rstrip() for line in lines)


def _title(device: Mapping[str, Any], style: Style, clock: str) -> str:
    gpus: Sequence[Mapping[str, Any]] = device["gpus"] or [{}]
    first = gpus[0]
    facts = [
        f"driver {first['driver']}" if first.get("driver") else "",
        f"CUDA {first['cuda']}" if first.get("cuda") else "",
    ]
    text = "  ".join(fact for fact in facts if fact)
    return f"{style.paint(device.get('host', ''), 'bold')}  {style.paint(text, 'dim')}  {style.paint(clock, 'dim')}"


def _host(
    device: Mapping[str, Any], values: Mapping[str, float], rates: Mapping[str, float], style: Style
) -> list[str]:
    lines: list[str] = []
    if "cpu/utilization_percent" in values:
        count = device.get("cpu_limit") or device.get("cpu_count") or 0
        lines.append(f"cpu     {style.level(values['cpu/utilization_percent'])}  of {count:g} processors")
    if "memory/used_bytes" in values:
        total = device.get("memory_limit_bytes") or device["memory_bytes"]
        used = f"{values['memory/used_bytes'] / _GIB:.1f} of {total / _GIB:.1f} GiB"
        lines.append(f"memory  {style.level(values['memory/used_percent'])}  {used}")
    if "shared_memory/used_percent" in values:
        used = f"{values['shared_memory/used_bytes'] / _GIB:.1f} GiB in /dev/shm"
        lines.append(f"shared  {style.level(values['shared_memory/used_percent'])}  {used}")
    names = {
        "disk/read_bytes": "read",
        "disk/written_bytes": "written",
        "network/sent_bytes": "sent",
        "network/received_bytes": "received",
    }
    flows = [f"{name} {rates[key] / _MB:.1f} MB/s" for key, name in names.items() if key in rates]
    waits = [
        f"{name} {values[key]:.0f} %"
        for name in ("cpu", "memory", "io")
        if (key := f"pressure/{name}_some_percent") in values
    ]
    if flows:
        lines.append(style.paint(f"flows   {', '.join(flows)}", "dim"))
    if waits:
        lines.append(style.paint(f"waits   {', '.join(waits)} of the time", "dim"))
    return lines


def _gpus(gpus: Sequence[Mapping[str, Any]], values: Mapping[str, float], style: Style) -> list[str]:
    head = ["GPU", "NAME", "UTILISATION", "MEMORY", "POWER", "TEMP", "CLOCK", "SLOWED BY"]
    rows = [_gpu(gpu, _Readings(f"gpu/{gpu['index']}/", values), style) for gpu in gpus]
    details = [_detail(_Readings(f"gpu/{gpu['index']}/", values), style.width - len(_INDENT)) for gpu in gpus]
    shown = [column for column in range(len(head)) if any(row[column].text for row in rows)]
    widths = {column: max(len(head[column]), *(len(row[column].text) for row in rows)) for column in shown}
    # A narrow terminal loses the last columns, not the end of each line.
    while sum(widths[column] + 2 for column in shown) > style.width and len(shown) > 1:
        shown.pop()
    lines = [style.paint("  ".join(head[column].ljust(widths[column]) for column in shown), "dim")]
    for row, detail in zip(rows, details, strict=True):
        lines.append("  ".join(row[column].padded(widths[column]) for column in shown))
        if detail:
            lines.append(style.paint(_INDENT + detail, "dim"))
    return lines


class _Cell(NamedTuple):
    """A text, and how it is shown."""

    text: str
    shown: str

    def padded(self, width: int) -> str:
        return self.shown + " " * (width - len(self.text))


class _Readings:
    def __init__(self, prefix: str, values: Mapping[str, float]) -> None:
        self._prefix, self._values = prefix, values

    def get(self, name: str) -> float | None:
        return self._values.get(self._prefix + name)

    def named(self, start: str) -> dict[str, float]:
        whole = self._prefix + start
        return {key[len(whole) :]: value for key, value in self._values.items() if key.startswith(whole)}


def _gpu(gpu: Mapping[str, Any], readings: _Readings, style: Style) -> list[_Cell]:
    mark = "" if gpu.get("is_visible") is not False else " hidden"
    who = [_plain(f"{gpu['index']:>3}"), _plain(f"{gpu['name'] or ''}{mark}")]
    if readings.get("lost"):
        return [*who, _Cell("lost", style.paint("lost", "red")), *[_plain("")] * 5]
    return [
        *who,
        _load(readings, style),
        _memory(gpu, readings, style),
        *_sensors(gpu, readings, style),
        _slowed(readings, style),
    ]


def _plain(text: str) -> _Cell:
    return _Cell(text, text)


def _load(readings: _Readings, style: Style) -> _Cell:
    percent = readings.get("utilization_percent")
    if percent is None:
        return _plain("")
    text = f" {percent:3.0f} %"
    return _Cell(_bar_text(style) + text, style.bar(percent, "green") + text)


def _memory(gpu: Mapping[str, Any], readings: _Readings, style: Style) -> _Cell:
    used, percent = readings.get("memory_used_bytes"), readings.get("memory_used_percent")
    if used is None or percent is None:
        return _plain("")
    text = f" {used / _GIB:.1f}/{(gpu['memory_bytes'] or 0) / _GIB:.1f} GiB"
    return _Cell(_bar_text(style) + text, style.bar(percent, _worse(percent, _HIGH, _VERY_HIGH)) + text)


def _sensors(gpu: Mapping[str, Any], readings: _Readings, style: Style) -> list[_Cell]:
    power, limit = readings.get("power_watts"), gpu.get("power_limit_watts")
    celsius, clock = readings.get("temperature_celsius"), readings.get("sm_clock_mhz")
    degrees = " °C" if style.has_blocks else " C"
    heat = "" if celsius is None else f"{celsius:.0f}{degrees}"
    return [
        _plain("" if power is None else f"{power:.0f}{f'/{limit:.0f}' if limit else ''} W"),
        _Cell(heat, style.paint(heat, _worse(celsius or 0, _HOT_CELSIUS, _VERY_HOT_CELSIUS)) if heat else ""),
        _plain("" if clock is None else f"{clock:.0f} MHz"),
    ]


def _slowed(readings: _Readings, style: Style) -> _Cell:
    reasons = {
        name.removesuffix("_percent").replace("_", " "): part
        for name, part in readings.named("throttled_").items()
        if part >= 1
    }
    text = ", ".join(f"{name} {part:.0f} %" for name, part in sorted(reasons.items(), key=lambda item: -item[1]))
    return _Cell(text, style.paint(text, "yellow") if text else "")


def _detail(readings: _Readings, width: int) -> str:
    """Return what the parts of the chip did, and what went in and out, as far as there is room."""
    parts = {"sm": "sm_active", "occupancy": "sm_occupancy", "tensor": "tensor_active", "memory bus": "dram_active"}
    told = [
        f"{word} {part:.0f} %" for word, name in parts.items() if (part := readings.get(f"{name}_percent")) is not None
    ]
    for link in ("pcie", "nvlink"):
        sent, received = (readings.get(f"{link}_{way}_bytes_per_second") for way in ("sent", "received"))
        if sent is not None and received is not None:
            told.append(f"{link} out {sent / _MB:.0f}, in {received / _MB:.0f} MB/s")
    own = readings.get("process_memory_bytes")
    if own:
        told.append(f"own processes {own / _GIB:.1f} GiB")
    while len("   ".join(told)) > width:
        told.pop()
    return "   ".join(told)


def _bar_text(style: Style) -> str:
    return "#" * (_BAR if style.has_blocks else _BAR + 2)


def _worse(value: float, high: float, very_high: float) -> str:
    return "red" if value >= very_high else "yellow" if value >= high else "green"
