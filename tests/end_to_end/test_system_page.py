"""The page of the machine's load in a real browser, for a run whose GPUs are answered for by the stand-in of the driver."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

import runhaven

STAND_IN = Path(__file__).parents[1] / "gpu_monitor"
TRAINING = """
import sys, time
from pathlib import Path
sys.path[:0] = [{stand_in!r}, {tests!r}]
from fake_gpu import FakeDriver, build
from waiting import until
fake = FakeDriver(build(Path({directory!r})))
fake.be_h100()
fake.set("gpm", 0)
fake.set("utilization", 90, gpu=0)
fake.set("utilization", 20, gpu=1)
import runhaven
run = runhaven.init(project="p", name="trained", settings=runhaven.Settings(x_stats_sampling_interval=0.1))
def count():
    found = runhaven.Api().run("trained")
    return sum("gpu/0/power_watts" in row for row in found.scan_history(stream="system"))
began = time.monotonic()
for beat in range(12):
    passed_s = time.monotonic() - began
    fake.field(74, passed_s * 5e8)  # throttled half of the time, in ns
    fake.field(83, passed_s * 400_000)
    until(lambda: count() > beat)
run.finish()
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="the stand-in for the driver is built with gcc")
def test_gpus_and_host_are_grouped_below_what_the_run_used(page, tmp_path):
    """Facts come first, what costs time stands out; GPUs are the rows of a strip and the lines of shared charts; a search finds more."""
    code = TRAINING.format(stand_in=str(STAND_IN), tests=str(STAND_IN.parent), directory=str(tmp_path))
    clean = {name: value for name, value in os.environ.items() if name != "RUNHAVEN_X_DISABLE_STATS"}
    subprocess.run([sys.executable, "-c", code], check=True, env=clean)
    run = runhaven.Api().run("trained")
    page.evaluate(f"location.hash = '#/r/{run.ulid}/system'")
    facts = page.locator("dl[aria-label='What the run used']")
    for told in ("GPU-hours", "2 GPUs", "55 %"):
        expect(facts).to_contain_text(told, use_inner_text=True)
    expect(facts.locator(".warning").last).to_contain_text("Throttled", use_inner_text=True)
    strip = page.locator("section[aria-label='GPU utilisation: 2 rows']")
    strip.locator("canvas").hover()
    strip.locator(".tip:has-text('gpu')").wait_for()
    power = page.locator("section[aria-label='Power: 2 series']")
    power.locator(".area").hover()
    power.locator(".tip:has-text('gpu 0')").wait_for()
    expect(power.locator(".tip .line")).to_have_count(2)
    page.locator("section[aria-label^='Memory of the run']").locator("canvas").wait_for()
    assert page.locator("section[aria-label^='PCIe replays']").count() == 0
    page.fill("input[aria-label='Search panels']", "replays")
    page.locator("section[aria-label='PCIe replays: 2 series']").wait_for()
    page.evaluate(f"location.hash = '#/r/{run.ulid}/overview'")
    page.locator("text=Fake GPU A").wait_for()
    page.locator("section[aria-label='GPU utilisation: 2 rows']").wait_for()

    assert page.complaints == []
