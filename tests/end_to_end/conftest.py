"""A real server over the test's store, and a real browser that is signed in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runhaven_server.bundle import STATIC

if TYPE_CHECKING:
    from collections.abc import Generator

    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    # WebGL without a GPU.
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def address(store) -> Generator[str]:
    store.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "runhaven_cli.app", "ui", "--port", "0", "--no-browser"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    assert child.stdout is not None
    text = ""
    while "?code=" not in text:
        text = child.stdout.readline()
        assert text, "the server did not start"
    yield text.strip()
    child.terminate()
    child.wait(10)
    child.stdout.close()


@pytest.fixture
def page(address: str) -> Generator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    if not (STATIC / "index.html").is_file():
        pytest.skip("the dashboard is not built")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1500, "height": 950})
        page.complaints = []  # type: ignore[attr-defined]
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda message: page.complaints.append(message.text) if message.type == "error" else None)
        page.on("response", lambda answer: page.complaints.append(answer.url) if answer.status >= 400 else None)
        page.goto(address)
        page.wait_for_selector("text=Projects")
        yield page
        browser.close()
