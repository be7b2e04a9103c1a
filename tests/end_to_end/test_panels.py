"""Every kind of media on the page of a run and in the workspace, in a real browser, under the page's strict policy."""

from __future__ import annotations

import io

import pytest
from playwright.sync_api import expect
from waiting import until

import runhaven
from runhaven import plot

np = pytest.importorskip("numpy")
pytest.importorskip("PIL")

OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n"
PDB = "\n".join(
    f"HETATM{at + 1:5d} {name:<4s} MOL A   1    {x:8.3f}{y:8.3f}{0:8.3f}  1.00  0.00          {name:>2s}"
    for at, (name, x, y) in enumerate([("C", 0, 0), ("C", 1.5, 0), ("O", 2.1, 1.2)])
)


def show(page, run, tab="media"):
    """Go to a tab of a run's page."""
    ulid = runhaven.Api().run(run.path).ulid
    page.evaluate(f"location.hash = '#/r/{ulid}/{tab}'")
    page.wait_for_selector("nav[aria-label='Parts of the run']")


def panel(page, key):
    found = page.locator(f"section[aria-label^='{key}:']")
    found.scroll_into_view_if_needed()
    return found


def colors(locator) -> set[tuple[int, ...]]:
    """Return the colours of a canvas that has no context but a drawing one."""
    return {
        tuple(color)
        for color in locator.evaluate(
            "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; const s = new Set();"
            " for (let i = 0; i < d.length; i += 4) if (d[i + 3]) s.add([d[i], d[i + 1], d[i + 2]].join());"
            " return [...s].map(x => x.split(',').map(Number)); }"
        )
    }


def test_pictures_follow_the_step(page):
    """A list is a grid; the slider, its keys and play move all panels to a step; a click shows the whole picture."""
    with runhaven.init(project="p") as run:
        for step in range(4):
            shade = np.full((8, 8, 3), 60 * step, np.uint8)
            run.log({"val/grid": [runhaven.Image(shade, caption=f"{step} {at}") for at in range(3)]}, step=step * 10)
            run.log({"val/one": runhaven.Image(shade)}, step=step * 10)
    show(page, run)
    grid, one = panel(page, "val/grid"), panel(page, "val/one")
    one.locator("text=step 30").wait_for()
    grid.locator("figcaption:has-text('3 0')").wait_for()
    grid.locator("input[type=range]").press("ArrowLeft")
    one.locator("text=step 20").wait_for()
    grid.locator("figcaption:has-text('2 1')").wait_for()
    one.locator("button:has-text('sync')").click()
    one.locator("input[type=range]").press("Home")
    one.locator("text=step 0").wait_for()
    expect(grid.locator("header small")).to_have_text("step 20")
    grid.locator("button[aria-label^='Play']").click()
    grid.locator("text=step 30").wait_for()
    assert grid.locator("img").first.evaluate("img => getComputedStyle(img).imageRendering") == "pixelated"
    grid.locator("figure button").nth(1).click()
    dialog = page.locator("dialog[open]")
    dialog.locator("text=2 of 3").wait_for()
    before = dialog.locator("small").inner_text()
    page.keyboard.press("+")
    page.wait_for_function("before => document.querySelector('dialog small').innerText !== before", arg=before)
    page.keyboard.press("ArrowRight")
    dialog.locator("text=3 of 3").wait_for()
    page.keyboard.press("Escape")

    dialog.wait_for(state="detached")

    assert page.complaints == []


def test_boxes_and_masks_are_toggled_by_class(page):
    """The legend names the classes of both; each can be hidden, alone or as a group, also those beyond 255."""
    classes = {1: "boat", 300: "gull"}
    mask = np.zeros((20, 20), np.uint16)
    mask[:5], mask[15:] = 1, 300
    boxes = [
        {"position": {"minX": 0.1, "maxX": 0.4, "minY": 0.1, "maxY": 0.4}, "class_id": 1, "scores": {"p": 0.9}},
        {"position": {"middle": [10, 10], "width": 4, "height": 4}, "domain": "pixel", "class_id": 300},
    ]
    image = runhaven.Image(
        np.zeros((20, 20, 3), np.uint8),
        boxes={"found": {"box_data": boxes, "class_labels": classes}},
        masks={"truth": {"mask_data": mask, "class_labels": classes}},
    )
    with runhaven.init(project="p") as run:
        run.log({"image": image})
    show(page, run)
    found = panel(page, "image")
    found.locator("rect").nth(1).wait_for()
    found.locator("button:has-text('gull')").wait_for()
    canvas = found.locator("canvas")
    until(lambda: len(colors(canvas)) == 2)
    assert found.locator("rect").nth(1).evaluate("r => [r.x.baseVal.value, r.width.baseVal.value]") == [8, 4]
    found.locator("button:has-text('gull')").click()
    page.wait_for_function("() => document.querySelectorAll('figure rect').length === 1")
    until(lambda: len(colors(canvas)) == 1)
    found.locator("button:has-text('truth')").click()
    until(lambda: not colors(canvas))
    found.locator("figure button").click()
    page.locator("dialog .label:has-text('boat 0.9')").wait_for()

    assert "class 0" not in found.inner_text()
    assert page.complaints == []


def test_a_table_is_searched_sorted_and_scrolled(page):
    """Only the rows on the screen are there; the server sorts and searches; pictures stand in cells."""
    rows = [[at, at * at, f"word {at % 7}"] for at in range(3000)]
    pictures = [[name, runhaven.Image(np.zeros((4, 4), np.uint8))] for name in "ab"]
    with runhaven.init(project="p") as run:
        run.log({"numbers": runhaven.Table(["n", "square", "word"], rows)})
        run.log({"pictures": runhaven.Table(["name", "picture"], pictures)})
    show(page, run)
    found = panel(page, "numbers")
    found.locator("text=3,000 rows").wait_for()
    assert found.locator("[role=row]").count() < 60
    found.locator("[role=columnheader]:has-text('square')").click()
    found.locator("[role=columnheader]:has-text('square')").click()
    found.locator("[role=cell]:has-text('8,994,001')").wait_for()
    found.locator("[role=table]").evaluate("table => table.scrollTo(0, 28 * 1500)")
    found.locator("[role=cell][title='1499']").wait_for()
    found.locator("input[type=search]").fill('n < 20 word = "word 3"')
    found.locator("text=3 of 3,000 rows").wait_for()
    cells = found.locator("[role=row] [role=cell]:nth-child(2)")
    page.wait_for_function("() => document.querySelectorAll('[aria-label^=\"numbers\"] .rows [role=row]').length === 3")
    expect(cells).to_have_text(["17", "10", "3"])
    found.locator("input[type=search]").fill("nowhere")
    found.locator("text=No row matches.").wait_for()
    panel(page, "pictures").locator("[role=cell] img").nth(1).wait_for()

    assert page.complaints == []


def test_charts_of_plot_are_drawn_without_eval(page):
    """Vega-Lite draws under a policy that forbids eval; colours follow the theme; the table is one click away."""
    truth, guess = [0, 1, 1, 0, 2], [0, 1, 0, 0, 2]
    with runhaven.init(project="p") as run:
        run.log(
            {
                "matrix": plot.confusion_matrix(
                    y_true=truth, preds=guess, class_names=["a", "b", "c"], title="Mixed up"
                ),
                "roc": plot.roc_curve(
                    [0, 1, 1, 0], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], labels=["no", "yes"]
                ),
                "bar": plot.bar(runhaven.Table(["l", "v"], [["x", 1], ["y", 2]]), "l", "v", title="Bars"),
                "dots": plot.scatter(runhaven.Table(["x.1", "y"], [[1, 2], [3, 4]]), "x.1", "y"),
            }
        )
    show(page, run)
    panel(page, "matrix").locator("svg text:has-text('Mixed up')").wait_for()
    panel(page, "matrix").locator("svg text:has-text('Predicted')").wait_for()
    panel(page, "roc").locator("svg path.mark-line, svg .mark-line path").first.wait_for(state="attached")
    panel(page, "dots").locator("svg .mark-symbol path").nth(1).wait_for(state="attached")
    bars = panel(page, "bar").locator("svg .mark-rect path")
    bars.nth(1).wait_for(state="attached")
    light = bars.first.get_attribute("fill")
    page.click("button[aria-label='Use dark colours']")
    page.wait_for_function(
        "light => { const bar = document.querySelector('[aria-label^=\"bar\"] svg .mark-rect path'); return bar && bar.getAttribute('fill') !== light; }",
        arg=light,
    )
    panel(page, "bar").hover()
    panel(page, "bar").locator("text=Show as table").click()
    panel(page, "bar").locator("[role=cell]:has-text('y')").wait_for()

    assert page.locator("section[aria-label^='bar_table']").count() == 0
    assert page.complaints == []


def test_sounds_films_and_texts(page):
    """A sound has its wave, its spectrogram and a player; a GIF is a picture; a text stands as it was logged."""
    rate = 8000
    wave = np.sin(np.arange(rate) * 0.3).astype(np.float32) * np.linspace(1, 0, rate)
    with runhaven.init(project="p") as run:
        run.log(
            {"sound": runhaven.Audio(wave, sample_rate=rate, caption="falling", spectrogram=True), "said": "two\nlines"}
        )
        run.log({"film": runhaven.Video(np.zeros((4, 3, 16, 16), np.uint8), format="gif")})
    show(page, run)
    sound = panel(page, "sound")
    sound.locator("img").wait_for()
    sound.locator("button[aria-label='Play falling']").click()
    page.wait_for_function("() => document.querySelector('audio').currentTime > 0")
    until(lambda: colors(sound.locator("canvas")))
    until(lambda: panel(page, "said").locator("pre").inner_text() == "two\nlines")
    panel(page, "film").locator("img").wait_for()

    assert page.complaints == []


def test_html_is_kept_in_a_sandbox(page):
    """A page of the user's runs its scripts without our origin: it cannot read the dashboard."""
    html = "<script>try { document.title = parent.document.title } catch (e) { document.write('<b>kept out</b>') }</script>"
    with runhaven.init(project="p") as run:
        run.log({"page": runhaven.Html(html)})
    show(page, run)
    frame = panel(page, "page").locator("iframe")
    assert frame.get_attribute("sandbox") == "allow-scripts allow-popups"
    page.frame_locator("iframe").locator("b:has-text('kept out')").wait_for()


def test_objects_and_molecules_are_drawn_in_space(page):
    """Points, a model and a molecule are drawn and turned; SMILES is a drawing; a format without viewer says so."""
    points = np.random.default_rng(0).normal(size=(500, 4))
    points[:, 3] = 1
    with runhaven.init(project="p") as run:
        run.log(
            {
                "cloud": runhaven.Object3D(points),
                "mesh": runhaven.Object3D(io.StringIO(OBJ), file_type="obj"),
                "odd": runhaven.Object3D(io.StringIO("{}"), file_type="babylon"),
                "molecule": runhaven.Molecule(io.StringIO(PDB), file_type="pdb"),
                "smiles": runhaven.Molecule(io.StringIO("CCO"), file_type="smi"),
                "bad": runhaven.Molecule(io.StringIO("C(("), file_type="smi"),
            }
        )
    show(page, run)
    cloud = panel(page, "cloud")
    cloud.locator("text=500 points").wait_for()
    canvas = cloud.locator("canvas")
    until(lambda: len(colors(canvas)) > 1)
    before = canvas.evaluate("c => c.toDataURL()")

    def turned():
        canvas.hover(position={"x": 50, "y": 50})
        page.mouse.down()
        canvas.hover(position={"x": 150, "y": 90})
        page.mouse.up()
        return canvas.evaluate("c => c.toDataURL()") != before

    until(turned)
    panel(page, "mesh").locator("text=4 triangles").wait_for()
    panel(page, "molecule").locator("canvas").wait_for()
    panel(page, "smiles").locator(".molecule svg").wait_for()
    panel(page, "odd").locator("text=There is no viewer for the format babylon.").wait_for()
    panel(page, "bad").locator("text=is no SMILES").wait_for()

    assert page.complaints == []


def test_plotly_figures_are_drawn_without_eval(page):
    """A figure of plotly's has its traces, under the page's policy; a heat map too."""
    go = pytest.importorskip("plotly.graph_objects")
    with runhaven.init(project="p") as run:
        run.log({"line": go.Figure(go.Scatter(y=[1, 3, 2])), "heat": go.Figure(go.Heatmap(z=[[1, 2], [3, 4]]))})
    show(page, run)
    panel(page, "line").locator(".scatterlayer path.js-line").wait_for(state="attached")
    panel(page, "heat").locator(".heatmaplayer image").wait_for(state="attached")

    assert page.complaints == []


def test_runs_stand_side_by_side_in_the_workspace(page):
    """A panel shows the same step of several runs; a run that is hidden leaves; what was not kept says why."""
    for name, last in (("one", 20), ("two", 10)):
        with runhaven.init(project="p", name=name) as run:
            for step in range(0, last + 1, 10):
                run.log({"image": runhaven.Image(np.zeros((4, 4), np.uint8), caption=f"{name} {step}")}, step=step)
            run.log({"gone": runhaven.Image("/nowhere.png")})
    page.click("a:has-text('p')")
    found = panel(page, "image")
    found.locator("figcaption:has-text('one 20')").wait_for()
    found.locator("figcaption:has-text('two 10')").wait_for()
    expect(found.locator(".run p")).to_have_text(["two step 10", "one"], use_inner_text=True)
    found.locator("input[type=range]").press("Home")
    found.locator("figcaption:has-text('one 0')").wait_for()
    found.locator("figcaption:has-text('two 0')").wait_for()
    page.locator("button[aria-label='Hide two']").click()
    page.wait_for_function("() => document.querySelectorAll('[aria-label^=\"image\"] figcaption').length === 1")
    panel(page, "gone").locator("text=the first is at 20").wait_for()
    found.locator("input[type=range]").press("End")
    panel(page, "gone").locator("text=could not be kept: Image: there is no file").first.wait_for()

    assert page.complaints == []


def test_a_watched_model_is_a_tree_with_its_gradients(page):
    """The tree leads to the norms and distributions of a module; a NaN is marked; ridges and a linear axis are one click away."""
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with runhaven.init(project="p") as run:
        run.watch(model, log="all", log_freq=1, log_graph=True)
        for step in range(12):
            optimizer.zero_grad()
            model(torch.randn(16, 4)).square().mean().backward()
            if step == 6:
                model[0].weight.grad[0, 0] = float("nan")
            optimizer.step()
            with torch.no_grad():
                model[0].weight.nan_to_num_()
            run.log({"loss": 1.0, "weights": runhaven.Histogram(model[2].weight.detach())})
        run.unwatch()
    show(page, run, "model")
    tree = page.locator("[role=tree]")
    tree.locator("[role=treeitem]").nth(3).wait_for()
    expect(tree).to_contain_text("Linear")
    expect(tree.locator("[role=treeitem]").nth(1)).to_contain_text("40")
    tree.locator("[role=treeitem]").nth(1).click()
    page.wait_for_function("() => document.querySelectorAll('section.histogram').length === 4")
    found = panel(page, "gradients/0.weight")
    found.locator("small:has-text('1 NaN')").wait_for()
    found.locator("i.mark").wait_for()
    until(lambda: colors(found.locator("canvas")))
    found.locator(".area").hover()
    found.locator(".tip:has-text('32 numbers')").wait_for()
    found.locator("button:has-text('ridge')").click()
    found.locator("path.ridge").nth(8).wait_for(state="attached")
    found.locator("text=▲").wait_for()
    found.locator("button:has-text('log')").click()
    expect(found.locator("button:has-text('log')")).to_have_attribute("aria-pressed", "false")
    page.locator("section[aria-label^='Gradient norms']").locator("canvas").wait_for()
    tree.focus()
    page.keyboard.press("ArrowUp")
    page.locator("h2:has-text('The whole model')").wait_for()
    page.locator("section[aria-label^='Gradient norms by layer']").wait_for()
    show(page, run, "charts")
    panel(page, "weights").locator("path.ridge").first.wait_for(state="attached")
    entity, project, _ = run.path.split("/")
    page.evaluate(f"location.hash = '#/p/{entity}/{project}'")
    section = page.locator("h2 button:has-text('gradients_norm')")
    expect(section).to_have_attribute("aria-expanded", "false")

    assert page.complaints == []
