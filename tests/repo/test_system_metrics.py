"""What the page about the machine's readings says is all that is read, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from runhaven_gpu_monitor.host import HostSource
from runhaven_gpu_monitor.nvml.metric import ACTIVITY, ENGINES, OFTEN, SELDOM

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/system-metrics.md").read_text("utf-8")
KEYS = {
    word
    for line in PAGE.splitlines()
    if line.startswith("| `")
    for word in re.findall(r"`([\w/<>]+)`", line.split("|")[1])
}


def test_every_metric_of_a_gpu_is_on_the_page():
    """Each row of the table in the code has its row on the page, and no row of the page is made up."""
    names = {metric.name for metric in (*OFTEN, *ACTIVITY, *SELDOM, *ENGINES)}
    section = PAGE[PAGE.index("## Readings of GPUs") : PAGE.index("AMD GPUs are read")]
    told = {
        name
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([\w/<>]+)`", line.split("|")[1])
    }

    assert told - {"lost"} - {name for name in told if name.startswith("mig/")} == names


def test_every_reading_of_the_host_is_on_the_page():
    """What this machine gives here is on the page."""
    source = HostSource()
    source.open(lambda _: None)
    read = source.sample().keys()
    source.close()

    assert set(read) <= KEYS
