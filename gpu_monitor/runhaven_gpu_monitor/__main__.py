"""`python -m runhaven_gpu_monitor`: this machine and its GPUs, live in a terminal."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

from runhaven_gpu_monitor.sampler import default_sources, join_facts, next_deadline
from runhaven_gpu_monitor.screen import NO_GPU, Style, render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runhaven_gpu_monitor.source import Incident, Source

_FIRST_S = 0.5
_SHORTEST_S = 0.2
_COUNTERS = ("disk/read_bytes", "disk/written_bytes", "network/sent_bytes", "network/received_bytes")
_INCIDENTS_SHOWN = 3
_OTHER_SCREEN, _BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_TOP, _CLEAR_LINE, _CLEAR_REST = "\x1b[H", "\x1b[K", "\x1b[J"


class Monitor:
    """Opens all sources and reads them together."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """Open the sources; those that have nothing to read are left out."""
        self.incidents: list[Incident] = []
        self.device: dict[str, Any] = {"gpus": []}
        self._sources: list[Source] = []
        for source in sources:
            facts = source.open(self.incidents.append)
            if facts is not None:
                self._sources.append(source)
                join_facts(self.device, facts)
        self._time_s = time.monotonic()
        self._before: dict[str, float] = {}

    def read(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return the readings, and how much the counters among them grow in a second."""
        values: dict[str, float] = {}
        for source in self._sources:
            values |= source.sample()
        now_s = time.monotonic()
        elapsed_s, self._time_s = now_s - self._time_s, now_s
        rates = {key: (values[key] - self._before.get(key, 0)) / elapsed_s for key in _COUNTERS if key in values}
        self._before = {key: values[key] for key in rates}
        return values, rates

    def close(self) -> None:
        """Let go of the drivers."""
        for source in self._sources:
            source.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the machine until Ctrl-C, or once."""
    options = _parser().parse_args(arguments)
    monitor = Monitor(default_sources(reads_engines=options.all))
    is_live = sys.stdout.isatty() and not (options.once or options.json)
    if not monitor.device["gpus"] and options.json:
        print(NO_GPU, file=sys.stderr)  # noqa: T201 - a command
    try:
        if is_live:
            _write(_OTHER_SCREEN)
        _show(monitor, options, is_live=is_live)
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    finally:
        if is_live:
            _write(_BACK)
        monitor.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runhaven_gpu_monitor",
        description="Show the load of this machine and its GPUs. Ctrl-C ends it; NO_COLOR turns colours off.",
    )
    parser.add_argument(
        "--interval", type=_seconds, default=2.0, metavar="SECONDS", help="time between two readings (2)"
    )
    parser.add_argument("--once", action="store_true", help="show one reading and end")
    parser.add_argument("--json", action="store_true", help="print each reading as a line of JSON")
    parser.add_argument("--all", action="store_true", help="read the engines for video and pictures too")
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds >= _SHORTEST_S:
        message = f"{text!r} is no time of {_SHORTEST_S} seconds or more"
        raise argparse.ArgumentTypeError(message)
    return seconds


def _show(monitor: Monitor, options: argparse.Namespace, *, is_live: bool) -> None:
    # Loads are means since the reading before: the first needs a while to be one.
    deadline = time.monotonic() + min(_FIRST_S, options.interval)
    while True:
        time.sleep(max(0.0, deadline - time.monotonic()))
        values, rates = monitor.read()
        if options.json:
            _write(_json(monitor, values, is_whole=options.once) + "\n")
        else:
            text = _text(monitor, values, rates)
            _write(
                _TOP + text.replace("\n", f"{_CLEAR_LINE}\n") + _CLEAR_LINE + _CLEAR_REST if is_live else text + "\n\n"
            )
        if options.once:
            return
        deadline = next_deadline(deadline, interval_s=options.interval, now=time.monotonic())


def _json(monitor: Monitor, values: Mapping[str, float], *, is_whole: bool) -> str:
    incidents = [incident._asdict() for incident in monitor.incidents]
    monitor.incidents.clear()
    facts = {"device": monitor.device} if is_whole else {}
    return json.dumps({"time": time.time(), **facts, "readings": values, "incidents": incidents})


def _text(monitor: Monitor, values: Mapping[str, float], rates: Mapping[str, float]) -> str:
    terminal = sys.stdout.isatty()
    style = Style(
        width=shutil.get_terminal_size((120, 40)).columns,
        has_colour=terminal and not os.environ.get("NO_COLOR"),
        has_blocks=(sys.stdout.encoding or "").lower().replace("-", "") == "utf8",
    )
    screen = render(monitor.device, values, style, rates=rates, clock=time.strftime("%H:%M:%S"))
    return "\n".join([screen, *_told(monitor.incidents[-_INCIDENTS_SHOWN:], style)])


def _told(incidents: Sequence[Incident], style: Style) -> list[str]:
    lines: list[str] = []
    for incident in incidents:
        colour = "red" if incident.level == "ERROR" else "yellow"
        text = textwrap.wrap(f"{incident.title}: {incident.text}", style.width)
        lines += ["", *(style.paint(line, colour) for line in text)]
    return lines


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
