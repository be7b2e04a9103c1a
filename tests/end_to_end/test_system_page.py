"""The page of the machine's load in a real browser, for a run whose GPUs are answered for by the stand-in of the driver."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import runhaven

STAND_IN = Path(__file__).parents[1] / "gpu_monitor"
TRAINING = """
import sys, time
from pathlib import Path
sys.path.insert(0, {stand_in!r})
from fake_gpu import FakeDriver, build
fake = FakeDriver(build(Path({directory!r})))
fake.be_h100()
fake.set("gpm", 0)
fake.set("utilization", 90, gpu=0)
fake.set("utilization", 20, gpu=1)
import runhaven
run = runhaven.init(project="p", name="trained", settings=runhaven.Settings(x_stats_sampling_interval=0.1))
for beat in range(12):
    fake.field(74, beat * 5e7)
    fake.field(83, beat * 40_000)
    time.sleep(0.1)
run.finish()
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="the stand-in for the driver is built with gcc")
def test_gpus_and_host_are_grouped_below_what_the_run_used(page, tmp_path):
    """Facts come first, what costs time stands out; GPUs are the rows of a strip and the lines of shared charts; a search finds more."""
    code = TRAINING.format(stand_in=str(STAND_IN), directory=str(tmp_path))
    clean = {name: value for name, value in os.environ.items() if name != "RUNHAVEN_X_DISABLE_STATS"}
    subprocess.run([sys.executable, "-c", code], check=True, env=clean, timeout=60)
    run = runhaven.Api().run("trained")
    page.evaluate(f"location.hash = '#/r/{run.ulid}/system'")
    facts = page.locator("dl[aria-label='What the run used']")
    facts.wait_for()
    told = facts.inner_text()
    assert "GPU-hours" in told
    assert "2 GPUs" in told
    assert "55 %" in told
    assert facts.locator(".warning").all_inner_texts()[-1].startswith("Throttled")
    strip = page.locator("section[aria-label='GPU utilisation: 2 rows']")
    strip.locator("canvas").hover()
    strip.locator(".tip:has-text('gpu')").wait_for()
    power = page.locator("section[aria-label='Power: 2 series']")
    power.locator(".area").hover()
    power.locator(".tip:has-text('gpu 0')").wait_for()
    assert power.locator(".tip .line").count() == 2
    page.locator("section[aria-label^='Memory of the run']").locator("canvas").wait_for()
    assert page.locator("section[aria-label^='PCIe replays']").count() == 0
    page.fill("input[aria-label='Search panels']", "replays")
    page.locator("section[aria-label='PCIe replays: 2 series']").wait_for()
    page.evaluate(f"location.hash = '#/r/{run.ulid}/overview'")
    page.locator("text=Fake GPU A").wait_for()
    page.locator("section[aria-label='GPU utilisation: 2 rows']").wait_for()

    assert page.complaints == []
