"""The pages of artifacts in a real browser: what a person sees, opens, compares and takes away."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect
from waiting import until

import runhaven

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf500f0003040180"
    "6d6f31ab0000000049454e44ae426082"
)


def log(name, kind, files, *, uses=(), run="maker", aliases=(), **facts):
    with runhaven.init(project="voyage", entity="me", name=run) as live:
        for used in uses:
            live.use_artifact(used)
        artifact = runhaven.Artifact(name, kind, **facts)
        for path, data in files.items():
            with artifact.new_file(path, mode="wb") as file:
                file.write(data)
        return live.log_artifact(artifact, aliases=list(aliases))


def go(page, path):
    page.evaluate("path => { location.hash = path }", f"#/p/me/voyage/artifacts{path}")


@pytest.fixture
def fleet(page):
    log("digits", "dataset", {"a.txt": b"one\n", "img/dot.png": PNG, "old.bin": b"\0\1"}, description="Ten digits.")
    log(
        "digits",
        "dataset",
        {
            "a.txt": b"one\ntwo\n",
            "img/dot.png": PNG,
            "img/pages/hello.html": b"<h1>hello</h1><script>document.body.append(typeof top.document)</script>",
            "table.csv": b"name,score\nanna,3\nben,4\n",
            "<img src=x onerror=alert(1)>.json": b'{"a": [1, 2]}',
            "big.bin": random.Random(1).randbytes(300_000),
        },
        aliases=["clean"],
        metadata={"rows": 10, "source": {"license": "free"}},
    )
    log("net", "model", {"weights.bin": b"w" * 1000}, uses=["digits:clean"], run="trainer", aliases=["production"])
    return page


def test_an_empty_project_says_how_to_begin_and_the_first_artifact_appears(page):
    """Without artifacts the page shows the three lines that log one; once one is logged, it is listed by itself."""
    with runhaven.init(project="voyage", entity="me") as run:
        run.log({"loss": 1})
    page.click("a:has-text('voyage')")
    page.click("nav[aria-label='Parts of the project'] a:has-text('Artifacts')")
    page.wait_for_selector(".empty pre:has-text('run.log_artifact(artifact)')")
    text = page.inner_text(".empty pre")
    log("digits", "dataset", {"a.txt": b"one"})
    page.wait_for_selector("td a:has-text('digits')")

    assert len(text.splitlines()) == 3
    assert page.complaints == []


def test_the_list_is_searched_and_leads_to_a_version(fleet):
    """Types group the artifacts; a search keeps those that match; a click opens the newest version with all its facts."""
    page = fleet
    go(page, "")
    page.wait_for_selector("tr.type:has-text('dataset')")
    page.keyboard.press("/")
    page.keyboard.type("production")
    page.wait_for_selector("td a:has-text('digits')", state="detached")
    page.keyboard.press("Control+A")
    page.keyboard.type("digits")
    page.click("td a:has-text('digits')")
    page.wait_for_selector("h1:has-text('digits v1')")
    for text in ("latest", "clean", "maker", "trainer", "6 files", 'run.use_artifact("me/voyage/digits:v1")'):
        expect(page.locator("aside[aria-label='This version']")).to_contain_text(text, use_inner_text=True)
    for text in ("rows", "10", "license", "free", "trainer"):
        expect(page.locator("main")).to_contain_text(text, use_inner_text=True)
    page.click("li:has-text('v0') a >> nth=0")
    page.wait_for_selector("text=Ten digits.")
    assert page.complaints == []


def test_a_digest_says_what_it_is_of(page):
    """Beside a digest stands whether it is that of the file's bytes or of its chunks, which no other program prints."""
    log("weights", "model", {"small.txt": b"hello", "large.bin": random.Random(1).randbytes(9 << 20)})
    go(page, "/weights/v0/files")
    header = page.locator("section.preview header")
    page.click("a.line:has-text('small.txt')")
    expect(header).to_contain_text("SHA-256 2cf24dba", use_inner_text=True)
    page.click("a.line:has-text('large.bin')")
    expect(header).to_contain_text("chunks", use_inner_text=True)
    assert page.complaints == []


def test_files_are_looked_into(fleet):
    """A tree opens folder by folder; text, JSON, picture, table and page are shown, other bytes are said to be none."""
    page = fleet
    go(page, "/digits/v1/files")
    page.click("a.line:has-text('a.txt')")
    page.wait_for_selector("pre:has-text('two')")
    page.click("button.line:has-text('img/')")
    page.click("a.line:has-text('dot.png')")
    page.wait_for_function("() => document.querySelector('.stage img')?.naturalWidth === 1")
    page.click("a.line:has-text('table.csv')")
    page.wait_for_selector("td:has-text('anna')")
    page.click("a.line:has-text('onerror')")
    page.wait_for_selector("pre:has-text('\"a\"')")
    page.click("a.line:has-text('big.bin')")
    page.wait_for_selector("text=the file holds no text")
    page.click("button.line:has-text('pages/')")
    with page.expect_event("pageerror"):
        page.click("a.line:has-text('hello.html')")
        page.frame_locator("iframe").locator("h1:has-text('hello')").wait_for()
    page.reload()
    page.frame_locator("iframe").locator("h1:has-text('hello')").wait_for()
    page.wait_for_selector("a.line:has-text('hello.html')")
    page.fill("input[aria-label='Search files']", "DOT")
    page.wait_for_selector("a.line:has-text('img/dot.png')")

    # The page in the frame asked for the document around it, which the browser refused: that is the only complaint.
    assert all("Blocked a frame" in text or "cross-origin" in text for text in page.complaints)
    assert page.complaints


def test_media_in_an_artifact_are_shown_as_media(page):
    """A table that was added is searched and shows its pictures; a picture that was added is drawn."""
    picture = runhaven.Image(np.full((40, 60, 3), 200, np.uint8), caption="grey")
    with runhaven.init(project="voyage", entity="me") as run:
        artifact = runhaven.Artifact("predictions", "table")
        artifact.add(runhaven.Table(columns=["name", "image"], data=[["anna", picture], ["ben", picture]]), "rows")
        artifact.add(picture, "one")
        run.log_artifact(artifact)
    go(page, "/predictions/v0/files")
    page.click("a.line:has-text('rows.table.json')")
    page.wait_for_function("() => document.querySelector('[role=table] img')?.naturalWidth === 60")
    page.fill("input[aria-label='Search the table']", "anna")
    page.wait_for_selector("[role=cell]:has-text('ben')", state="detached")
    page.click("a.line:has-text('one.image-file.json')")
    page.wait_for_function("() => document.querySelector('.media img')?.naturalWidth === 60")

    assert page.complaints == []


def test_media_in_chunks_are_shown_as_well(page):
    """A picture, a sound and a table of more than 8 MiB, alone and in a cell, are drawn, played and searched like small ones."""
    rng = np.random.default_rng(0)
    picture = runhaven.Image(rng.integers(0, 256, (1700, 1700, 3), dtype=np.uint8))
    rows = [[number, "x" * 100] for number in range(90_000)]
    with runhaven.init(project="voyage", entity="me") as run:
        artifact = runhaven.Artifact("large", "dataset")
        artifact.add(picture, "one")
        artifact.add(runhaven.Audio(rng.uniform(-1, 1, 5_000_000), sample_rate=48_000), "noise")
        artifact.add(runhaven.Table(columns=["image"], data=[[picture]]), "cells")
        artifact.add(runhaven.Table(columns=["n", "text"], data=rows), "rows")
        logged = run.log_artifact(artifact)
    assert sum(bool(entry.chunks) for entry in logged.manifest.entries.values()) == 3
    go(page, "/large/v0/files")
    page.click("a.line:has-text('one.image-file.json')")
    page.wait_for_function("() => document.querySelector('.media img')?.naturalWidth === 1700")
    page.click("a.line:has-text('noise.audio-file.json')")
    page.wait_for_function("() => Math.round(document.querySelector('.media audio')?.duration) === 104")
    page.click("a.line:has-text('cells.table.json')")
    page.wait_for_function("() => document.querySelector('[role=table] img')?.naturalWidth === 1700")
    page.click("a.line:has-text('rows.table.json')")
    page.wait_for_selector("text=/^90,000 rows/")
    page.fill("input[aria-label='Search the table']", "n = 89999")
    page.wait_for_selector("text=1 of 90,000 rows")

    assert page.complaints == []


def test_files_are_taken_away_one_by_one_or_all_together(fleet):
    """A download has the file's name and bytes; the zip has all files."""
    page = fleet
    go(page, "/digits/v1/files")
    with page.expect_download() as one:
        page.locator("li.file:has-text('table.csv')").hover()
        page.click("a[aria-label='Download table.csv']")
    with page.expect_download() as all_of_them:
        page.click("a:has-text('Download all')")
    with zipfile.ZipFile(io.BytesIO(Path(all_of_them.value.path()).read_bytes())) as archive:
        names = archive.namelist()

    assert (one.value.suggested_filename, Path(one.value.path()).read_bytes()[:4]) == ("table.csv", b"name")
    assert (all_of_them.value.suggested_filename, len(names)) == ("digits-v1.zip", 6)
    assert page.complaints == []


def test_versions_are_compared(fleet):
    """Files that were added, removed and changed, and metadata; another version can be chosen."""
    page = fleet
    go(page, "/digits/v1")
    page.click("a:has-text('Compare v0 ↔ v1')")
    page.wait_for_selector("text=2 changed")
    expect(page.locator(".counts")).to_have_text("+4 \N{MINUS SIGN}1 ~1 1 unchanged · 293 kB more in the store")
    for text in ("a.txt", "+4 B", "old.bin", "<img src=x onerror=alert(1)>.json"):
        expect(page.locator("section[aria-label='Files that changed']")).to_contain_text(text, use_inner_text=True)
    go(page, "/digits/v0/compare/v1")
    page.wait_for_selector("tr:has-text('table.csv') >> text=removed")
    go(page, "/net/v0/compare")
    page.wait_for_selector("text=nothing to compare it with")

    assert page.complaints == []


@pytest.fixture
def web(fleet):
    """Beside the fleet: six runs alike, a version and a run that are gone, and one that used both net and what is gone."""
    for number in range(6):
        log("probe", "table", {"n.txt": str(number).encode()}, uses=["digits:clean"], run=f"probe-{number}")
    gone = log("masks", "dataset", {"m": b"m"}, uses=["digits:clean"], run="masker")
    log("final", "model", {"f": b"f"}, uses=["net:v0", "masks:v0"], run="finisher")
    maker = gone.logged_by()
    assert maker is not None
    gone.delete()
    maker.delete()
    return fleet


def node(name):
    return f".plane .place:has(b:text-is('{name}'))"


def test_lineage_is_drawn_from_left_to_right(web):
    """Inputs stand left of what was made from them; siblings stand as one until they are opened; what is gone is marked."""
    page = web
    go(page, "/digits/v1/lineage")
    page.wait_for_selector(node("final"))
    order = ["maker", "digits", "trainer", "net", "finisher", "final"]
    places = page.locator(".plane .place")
    # Of one moment: the paper may still be moved to where it fits.
    drawn = dict(
        places.evaluate_all("all => all.map(one => [one.querySelector('b').innerText, one.getBoundingClientRect().x])")
    )
    lefts = [drawn[name] for name in order]
    before = places.count()
    deleted = page.locator(".node.gone b").all_inner_texts()
    page.click("button.node:has-text('6 runs')")
    expect(places).to_have_count(before + 5)
    page.wait_for_selector(node("probe-3"))
    page.click("text=Group again")
    page.wait_for_selector(node("probe-3"), state="detached")

    assert lefts == sorted(lefts)
    assert len(set(lefts)) == len(order)
    assert sorted(deleted) == ["masker", "masks"]
    assert page.complaints == []


def test_lineage_is_walked(web):
    """A click goes to the version, a drag only moves the paper, keys zoom and fit, and a run leads to its page."""
    page = web
    go(page, "/net/v0/lineage")
    page.wait_for_selector(node("final"))
    assert page.locator(node("masks")).count() == 0
    page.click("text=Full graph")
    page.wait_for_selector(node("masks"))
    digits = page.locator(node("digits"))
    # A node is hovered once it stands still.
    digits.hover(position={"x": 40, "y": 30})
    box = digits.bounding_box()
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 90, steps=4)
    page.mouse.up()
    until(lambda: [round(digits.bounding_box()[axis] - box[axis]) for axis in "xy"] == [100, 60])
    page.mouse.wheel(0, -300)
    until(lambda: digits.bounding_box()["width"] > box["width"])
    page.keyboard.press("f")
    until(lambda: digits.bounding_box()["width"] <= box["width"])

    assert page.locator("h1:has-text('net v0')").count() == 1
    page.click(f"{node('digits')} a")
    page.wait_for_selector("h1:has-text('digits v1')")
    page.click(f"{node('trainer')} a")
    page.wait_for_selector(".head h1:has-text('trainer')")
    assert page.complaints == []


def test_lineage_is_a_list_too(web):
    """The list says how far each run and version is away, through what, and what of it is gone."""
    page = web
    go(page, "/final/v0/lineage")
    page.click("button:has-text('List')")
    page.wait_for_selector("section[aria-label='Made from'] tr:has-text('digits:v1')")
    rows = page.locator("section[aria-label='Made from'] tbody tr").all_inner_texts()
    found = {row.split("\t")[1].strip().split()[0]: row.split("\t") for row in rows}

    assert {name: int(row[0]) for name, row in found.items()} == {
        "finisher": 1, "net:v0": 2, "masks:v0": 2, "trainer": 3, "masker": 3, "digits:v1": 4, "maker": 5
    }  # fmt: skip
    assert "deleted" in found["masks:v0"][4]
    assert "finisher" in found["masks:v0"][3]
    assert page.inner_text("section[aria-label='Went into']").endswith("Nothing that is known.")
    assert page.complaints == []


def test_a_run_shows_its_inputs_and_outputs(fleet):
    """The tab of a run lists what it used and what it logged; each leads to its page."""
    page = fleet
    (run,) = [one for one in runhaven.Api().runs("me/voyage") if one.name == "trainer"]
    page.evaluate("path => { location.hash = path }", f"#/r/{run.ulid}/artifacts")
    page.wait_for_selector("section[aria-label='Inputs'] a:has-text('digits:v1')")
    page.click("section[aria-label='Outputs'] a:has-text('net:v0')")
    page.wait_for_selector("h1:has-text('net v0')")

    assert page.complaints == []


def test_what_is_not_there_is_said(fleet):
    """A version that nobody logged, and an artifact that is not there, are explained where they would be."""
    page = fleet
    go(page, "/digits/v9")
    page.wait_for_selector("text=there is no version v9")
    go(page, "/nothing/v0")
    page.wait_for_selector("text=there is no artifact")
    page.click("main a:has-text('All artifacts')")
    page.wait_for_selector("tr.type:has-text('model')")

    assert [text for text in page.complaints if "404" not in text and "/artifacts/" not in text] == []
