"""The pages of the integrations name every option that the code takes, with its default, and show what its run looks like."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ADAPTERS = ROOT / "integrations/runhaven_integrations"
PAGES = ROOT / "docs/integrations"
GIVEN = object()
"""Stands for the default of an argument that has to be given."""

# Page, class or function, method.
OPTIONS = [
    ("lightning", "RunhavenLogger", "__init__"),
    ("transformers", "RunhavenCallback", "__init__"),
    ("accelerate", "RunhavenTracker", "__init__"),
    ("keras", "RunhavenCallback", "__init__"),
    ("keras", "RunhavenMetricsLogger", "__init__"),
    ("keras", "RunhavenModelCheckpoint", "__init__"),
    ("keras", "RunhavenEvalCallback", "__init__"),
    ("sklearn", "autolog", ""),
    ("ultralytics", "RunhavenCallbacks", "__init__"),
    ("ultralytics", "add_wandb_callback", ""),
    ("torch", "WatchCalls", "watch"),
]
NAMES = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["runhaven.integrations"]


def definitions(page: str) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """Yield what the adapter of a page defines, read off the source: no environment has all the frameworks."""
    files = [*ADAPTERS.glob(f"{page}.py"), *(ADAPTERS / page).rglob("*.py")]
    if page == "torch":
        files.append(ROOT / "core_client/runhaven/_watch_calls.py")
    for path in files:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                yield node


def function(page: str, name: str, method: str) -> ast.FunctionDef:
    found = next(node for node in definitions(page) if node.name == name)
    if isinstance(found, ast.FunctionDef):
        return found
    return next(node for node in found.body if isinstance(node, ast.FunctionDef) and node.name == method)


def options(of: ast.FunctionDef) -> Iterator[tuple[str, Any]]:
    """Yield names and defaults of the arguments, those that stand for the object itself left out."""
    places = [*of.args.posonlyargs, *of.args.args]
    defaults = [None] * (len(places) - len(of.args.defaults)) + [*of.args.defaults]
    for argument, default in [*zip(places, defaults, strict=True), *zip(of.args.kwonlyargs, of.args.kw_defaults, strict=True)]:  # fmt: skip
        if argument.arg not in ("self", "model"):
            yield argument.arg, GIVEN if default is None else ast.literal_eval(default)


def section(page: str, name: str) -> str:
    """Return what stands below the heading "Options of `name`"."""
    text = (PAGES / f"{page}.md").read_text("utf-8")
    found = re.search(rf"^(#+) Options of `{name}`\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page}.md has no heading 'Options of `{name}`'"
    return found[2]


def as_written(value: Any) -> str:
    """Return how a page writes a default: as in code, but words for nothing at all."""
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


@pytest.mark.parametrize(("page", "name", "method"), OPTIONS)
def test_a_page_names_every_option_and_its_default(page, name, method):
    """Each argument has a row in the page's table, with the default that the code has, or words where that is nothing."""
    text = section(page, method if method != "__init__" and method else name)
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    told = {option: row[1] for row in rows for option in re.findall(r"`(\w+)`", row[0])}

    for option, default in options(function(page, name, method)):
        assert option in told, f"{page}.md does not tell of `{option}` of {name}"
        if default is GIVEN or default in (None, "", ()):
            assert told[option].strip(), f"{page}.md does not say what `{option}` of {name} is by default"
        else:
            assert as_written(default) in told[option], f"{page}.md: `{option}` of {name} is {default!r} by default"


def test_the_page_of_sklearn_names_every_argument_of_every_plot():
    """Each `plot_*` stands on the page with all its arguments and their defaults, `run` apart."""
    text = (PAGES / "sklearn.md").read_text("utf-8")
    plots = {
        node.name: node
        for node in definitions("sklearn")
        if isinstance(node, ast.FunctionDef) and node.name.startswith("plot_")
    }

    assert len(plots) == 20
    for name, node in plots.items():
        call = re.search(rf"`{name}\((.*?)\)`", text)
        assert call, f"sklearn.md does not tell of {name}"
        for option in [*node.args.args, *node.args.kwonlyargs]:
            assert option.arg == "run" or re.search(rf"\b{option.arg}\b", call[1]), f"{name}: {option.arg}"


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_one_shape(name):
    """Each page has a line of code first, a picture of its own, and the same parts; an example's README says how to run it."""
    text = (PAGES / f"{name}.md").read_text("utf-8")
    headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)

    assert re.match(r"# .*\n\n```python\n", text)
    assert f"../images/{name}-light.png" in text
    assert (ROOT / f"docs/images/{name}-light.png").stat().st_size < 180_000
    for part in ("What is logged", "Options of", "Resuming", "If something is missing"):
        assert any(heading.startswith(part) for heading in headings), f"{name}.md: {part}"
    assert "python train.py" in (ROOT / f"examples/{name}/README.md").read_text("utf-8")
