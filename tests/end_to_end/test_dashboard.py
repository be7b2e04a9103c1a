"""The dashboard in a real browser, over a real server, beside a run that goes on."""

from __future__ import annotations

import re

from playwright.sync_api import expect

import runhaven


def test_a_run_appears_and_moves_while_it_goes_on(page):
    """From an empty store to a live curve: project, table row, chart, tooltip, run page, logs; no error in the console."""
    page.wait_for_selector("text=Waiting for the first run")
    run = runhaven.init(project="voyage", name="calm-harbour-1", config={"lr": 0.1, "net": {"depth": 3}}, tags=["base"])
    for step in range(50):
        run.log({"train/loss": 1 / (step + 1), "val/accuracy": step / 50})
    page.wait_for_selector("text=voyage")
    page.click("a:has-text('voyage')")
    page.wait_for_selector("a:has-text('calm-harbour-1')")
    page.wait_for_selector("section[aria-label^='train/loss: min']")
    page.wait_for_selector(".state.running")
    page.wait_for_selector("section[aria-label^='val/accuracy: max']")
    before = page.get_attribute("section[aria-label^='val/accuracy']", "aria-label")
    for step in range(50, 100):
        run.log({"train/loss": 1 / (step + 1), "val/accuracy": step / 50})
    expect(page.locator("section[aria-label^='val/accuracy: max']")).not_to_have_attribute("aria-label", before)
    page.locator("section[aria-label^='train/loss'] .area").hover()
    page.wait_for_selector(".tip:has-text('calm-harbour-1')")
    page.wait_for_function(
        "() => { const c = document.querySelector('canvas'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n > 100; }"
    )
    page.click("a:has-text('calm-harbour-1')")
    page.wait_for_selector("text=depth")
    page.wait_for_selector(".head .state.running")
    run.finish()
    page.wait_for_selector(".head .state.finished")
    page.click("nav a:has-text('Logs')")
    page.wait_for_selector("text=The run has printed nothing.")

    assert page.complaints == []


def test_filter_keys_and_theme(page):
    """The table filters by words and comparisons, keys toggle charts, and the theme is remembered."""
    for lr in (0.1, 0.01):
        with runhaven.init(project="many", name=f"run-{lr}", config={"lr": lr}) as run:
            run.log({"loss": lr})
    page.click("a:has-text('many')")
    page.wait_for_selector("a:has-text('run-0.01')")
    page.fill("input[aria-label='Filter runs']", "lr < 0.05")
    page.wait_for_selector("a:has-text('run-0.1')", state="detached")
    page.press("input[aria-label='Filter runs']", "Escape")
    page.keyboard.press("l")
    expect(page.locator("button:has-text('Log y')")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("?")
    page.wait_for_selector("[role=dialog]")
    theme = page.get_attribute("html", "data-theme")
    assert theme is not None
    page.click("button[aria-label^='Use']")
    expect(page.locator("html")).not_to_have_attribute("data-theme", theme)
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", re.compile("dark|light"))
    expect(page.locator("html")).not_to_have_attribute("data-theme", theme)

    assert page.complaints == []
