"""A run in a Jupyter notebook: a real kernel executes the cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import runhaven
from runhaven.sealed.view import read_view

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

manager = pytest.importorskip("jupyter_client.manager")
pytest.importorskip("ipykernel")


@pytest.fixture
def cell() -> Generator[Callable[[str], list[dict[str, Any]]]]:
    """Return a function that executes a cell and returns the messages that it printed, showed or raised."""
    kernel, client = manager.start_new_kernel(kernel_name="python3")

    def execute(code: str) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        client.execute_interactive(code, output_hook=messages.append)
        return messages

    try:
        yield execute
    finally:
        client.stop_channels()
        kernel.shutdown_kernel()


def of_kind(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [message["content"] for message in messages if message["msg_type"] == kind]


def test_a_run_shows_itself(cell):
    """A run at the end of a cell is drawn as HTML that names it, and `display()` does the same."""
    cell("import runhaven\nrun = runhaven.init(project='book', id='a', name='calm <b>')")
    (drawn,) = of_kind(cell("run"), "execute_result")
    (shown,) = of_kind(cell("run.display()"), "display_data")

    for content in (drawn, shown):
        assert "calm &lt;b&gt;" in content["data"]["text/html"]
        assert "book" in content["data"]["text/html"]


def test_a_cell_that_is_executed_again_starts_a_new_run(cell):
    """In a notebook the next `init()` finishes the run before it: nobody calls `finish()` there."""
    cell("import runhaven\nfirst = runhaven.init(project='book', id='a')\nrunhaven.log({'x': 1})")
    cell("second = runhaven.init(project='book', id='b')\nrunhaven.log({'x': 2})")
    cell("runhaven.finish()")

    found = {run.id: run for run in runhaven.Api().runs("book")}
    assert {name: run.state for name, run in found.items()} == {"a": "finished", "b": "finished"}
    assert [run.summary["x"] for _, run in sorted(found.items())] == [1, 2]


def test_an_exception_in_a_cell_is_kept_and_the_run_goes_on(cell):
    """A cell that raises leaves its traceback in the run, which is still live for the next cell."""
    cell("import runhaven\nrun = runhaven.init(project='book', id='a')")
    (raised,) = of_kind(cell("def train():\n    raise ValueError('a bad batch')\ntrain()"), "error")
    cell("run.log({'x': 1})\nrun.finish()")

    found = runhaven.Api().run("book/a")
    assert raised["ename"] == "ValueError"
    assert found.state == "finished"
    assert found.summary["x"] == 1
    assert found.exception is None
    (kept,) = read_view(found.directory).exceptions
    assert kept["type"] == "ValueError"
    assert "a bad batch" in kept["message"]
    assert "in train" in kept["traceback"]
    assert kept["fatal"] is False


def test_what_a_cell_prints_is_kept(cell):
    """Output of cells is shown in the notebook and kept in the run."""
    cell("import runhaven\nrun = runhaven.init(project='book', id='a', settings={'console': 'wrap'})")
    (printed,) = of_kind(cell("print('epoch one')"), "stream")
    cell("run.finish()")

    assert printed["text"] == "epoch one\n"
    assert "epoch one" in [line.text for line in runhaven.Api().run("book/a").logs()]
