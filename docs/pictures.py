"""Take the pictures of the documentation: run the examples, open the dashboard on their runs in Chromium, and look.

    python docs/pictures.py [example ...]

Needs what the examples need, a built dashboard, Chromium and gcc. Each example has a home directory of its own, so that the
dashboard shows no other runs.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

import runhaven

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[1]
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking"]
# On a machine that is not busy, what the dashboard draws last, such as points in space, is there by then.
SETTLE_MS = 5000
BOTH = ("light", "dark")
# Colours of the surfaces that a picture keeps as they are; all others are the nearest of a palette.
EXACT, COLORS = 128, 256

# Eight GPUs of the stand-in for the driver that the tests use; half of them are idle for a while.
BESIDE_GPUS = f"""
import runpy, sys, tempfile, threading, time
from itertools import count
from pathlib import Path
from random import Random
sys.path.insert(0, {str(ROOT / "tests/gpu_monitor")!r})
from fake_gpu import FakeDriver, build
fake, chance = FakeDriver(build(Path(tempfile.mkdtemp())), gpus=8), Random(0)
fake.be_h100()
fake.set("gpm", 0)
energy_mj, throttled_ns = [0.0] * 8, [0.0] * 8
def play():
    for beat in count():
        for gpu in range(8):
            busy = 0 if gpu > 3 and beat % 150 > 130 else chance.randint(78, 100)
            watts = 90 + 5.6 * busy + 9 * chance.random()
            energy_mj[gpu] += watts * 100
            throttled_ns[gpu] += chance.choice([0, 0, 0, 5e7])
            fake.set("utilization", busy, gpu=gpu)
            fake.set("temperature", 44 + gpu + 22 * min(1, beat / 80) + chance.random(), gpu=gpu)
            fake.set("used", (52 + gpu + 9 * min(1, beat / 30)) * 2**30, gpu=gpu)
            fake.set("nvmlDeviceGetPowerUsage", watts * 1000, gpu=gpu)
            fake.field(83, energy_mj[gpu], gpu=gpu)
            fake.field(74, throttled_ns[gpu], gpu=gpu)
        time.sleep(0.1)
threading.Thread(target=play, daemon=True).start()
sys.argv = ["train.py", *sys.argv[1:]]
runpy.run_path("train.py", run_name="__main__")
"""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A look at a page of the dashboard.

    Attributes:
        name: Its file is called so, with its theme.
        page: Where the page is; "{run}" stands for the newest run.
        size: Width and height, pixels.
        themes: "light", "dark" or both.
        act: What somebody does on the page before.
    """

    name: str
    page: str
    size: tuple[int, int] = (1440, 900)
    themes: tuple[str, ...] = ("light",)
    act: Callable[[Page], None] = lambda _: None


def hover_a_chart(page: Page) -> None:
    """Ask what the curves are at a step."""
    page.locator("section[aria-label^='val/loss'] .area").first.hover(position={"x": 150, "y": 60})


def show_all(page: Page) -> None:
    """Let the lineage show what else was made from the same, each by itself."""
    page.get_by_role("button", name="Full graph").click()
    page.get_by_role("button", name="Group").click()
    page.get_by_role("button", name="Fit").click()
    page.mouse.move(0, 0)


def choose_module(name: str) -> Callable[[Page], None]:
    """Return what looks at the distributions of a module of the model, as ridges."""

    def act(page: Page) -> None:
        page.get_by_role("treeitem", name=name).click()
        ridge = page.get_by_role("button", name="ridge").first
        if ridge.get_attribute("aria-pressed") != "true":
            ridge.click()

    return act


LIGHTNING = [
    ["--lr", "0.001", "--channels", "8", "--epochs", "8"],
    ["--lr", "0.02", "--epochs", "10"],
    ["--lr", "0.01", "--epochs", "12"],
    ["--lr", "0.005", "--channels", "8"],
    [],
]
OVERVIEW = "#/r/{run}/overview"
# For each example the command lines of its runs, and the pictures of them.
EXAMPLES: dict[str, tuple[list[list[str]], list[Picture]]] = {
    "lightning": (LIGHTNING, [
        Picture(name="workspace", page="#/p/harbour-lab/digits", size=(1680, 1040), themes=BOTH, act=hover_a_chart),
        Picture(name="lightning", page=OVERVIEW, size=(1440, 790)),
    ]),
    "media": ([[]], [
        Picture(name="run-overview", page=OVERVIEW, size=(1500, 1000), themes=BOTH),
        Picture(name="run-media", page="#/r/{run}/media", size=(1500, 1150)),
    ]),
    "artifacts": ([[]], [
        Picture(name="lineage", page="#/p/harbour-lab/lineage/artifacts/classifier/best/lineage", size=(1680, 1040), themes=BOTH, act=show_all),
    ]),
    "torch": ([[]], [
        Picture(name="torch", page="#/r/{run}/model", act=choose_module("2 Conv2d")),
        Picture(name="run-model", page="#/r/{run}/model", size=(1500, 1000), act=choose_module("6 Linear")),
    ]),
    "torch beside GPUs": ([["--epochs", "60"]], [Picture(name="run-system", page="#/r/{run}/system", size=(1500, 950))]),
    "accelerate": ([[]], [Picture(name="accelerate", page=OVERVIEW, size=(1440, 560))]),
    "keras": ([[]], [Picture(name="keras", page=OVERVIEW, size=(1440, 880))]),
    "sklearn": ([[]], [Picture(name="sklearn", page=OVERVIEW, size=(1440, 960))]),
    "transformers": ([[]], [Picture(name="transformers", page=OVERVIEW)]),
    "ultralytics": ([[]], [Picture(name="ultralytics", page=OVERVIEW, size=(1440, 880))]),
}  # fmt: skip


def main() -> None:
    """Take all pictures, or those of the examples that the command line names."""
    for example in sys.argv[1:] or EXAMPLES:
        with tempfile.TemporaryDirectory() as home:
            take(example, Path(home))


def take(example: str, home: Path) -> None:
    """Run an example and take its pictures.

    Args:
        example: Its name.
        home: Where its store goes.
    """
    runs, pictures = EXAMPLES[example]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNHAVEN")}
    environment |= {"HOME": str(home), "RUNHAVEN_ENTITY": "harbour-lab", "RUNHAVEN_DISABLE_GIT": "1"}
    folder, _, beside = example.partition(" ")
    program = ["-c", BESIDE_GPUS] if beside else ["train.py"]
    quick = {"RUNHAVEN_X_STATS_SAMPLING_INTERVAL": "0.25"} if beside else {}
    # A copy, beside which the checkpoints go.
    place = shutil.copytree(ROOT / "examples" / folder, home / folder)
    for arguments in runs:
        subprocess.run([sys.executable, *program, *arguments], cwd=place, env=environment | quick, check=True)
    newest = next(iter(runhaven.Api(home / ".runhaven").runs()))
    with dashboard(environment) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for picture in pictures:
            for theme in picture.themes:
                png = look(browser, address, picture, picture.page.format(run=newest.ulid), theme)
                shrink(png, ROOT / f"docs/images/{picture.name}-{theme}.png")
        browser.close()


@contextlib.contextmanager
def dashboard(environment: dict[str, str]) -> Generator[str]:
    """Serve the dashboard; yields an address that signs a browser in again and again."""
    command = [sys.executable, "-u", "-m", "runhaven_cli.app", "ui", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        yield next(line.strip() for line in server.stdout if "?code=" in line)
        server.terminate()


def look(browser: Browser, address: str, picture: Picture, page_of_it: str, theme: str) -> bytes:
    """Return what a picture shows, as PNG."""
    width, height = picture.size
    context = browser.contexts[0] if browser.contexts else browser.new_context()
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.goto(address if not context.cookies() else address.partition("?")[0])
    page.evaluate("theme => localStorage.setItem('runhaven.theme', theme)", theme)
    page.evaluate("place => { location.hash = place }", page_of_it)
    page.reload()
    page.wait_for_timeout(SETTLE_MS)
    picture.act(page)
    page.wait_for_timeout(SETTLE_MS)
    return page.screenshot()


def shrink(png: bytes, path: Path) -> None:
    """Write a picture with a palette: the colours that most pixels have, exactly, and for each other one the nearest."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    pixels = np.asarray(image).reshape(-1, 3)
    colors, places, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    exact = colors[np.argsort(-counts)[:EXACT]]
    others = image.quantize(COLORS - len(exact), method=Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = np.concatenate([exact, np.array(others, np.uint8).reshape(-1, 3)])[:COLORS]
    nearest = np.array([((palette.astype(int) - color) ** 2).sum(axis=1).argmin() for color in colors], np.uint8)
    found = Image.fromarray(nearest[places].reshape(image.height, image.width), "P")
    found.putpalette(palette.tobytes())
    found.save(path, optimize=True)


if __name__ == "__main__":
    main()
