"""A real server over the test's store, and a real browser that is signed in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from runhaven_server.bundle import STATIC

if TYPE_CHECKING:
    from collections.abc import Generator

    from playwright.sync_api import Page

# What a page shows arrives when a busy machine gets round to it; this only ends a test that waits for what never comes.
PATIENCE_MS = 90_000
expect.set_options(timeout=PATIENCE_MS)

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
    child.wait()
    child.stdout.close()


@pytest.fixture
def page(address: str) -> Generator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    if not (STATIC / "index.html").is_file():
        pytest.skip("the dashboard is not built")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE_MS)
        page = browser.new_page(viewport={"width": 1500, "height": 950})
        complaints: list[str] = []
        page.complaints = complaints  # type: ignore[attr-defined]
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("response", lambda answer: complaints.append(answer.url) if answer.status >= 400 else None)
        page.goto(address)
        page.wait_for_selector("text=Projects")
        yield page
        browser.close()
