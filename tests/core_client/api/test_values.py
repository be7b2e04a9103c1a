"""Values that are no numbers, read back by key: from journals, sealed files, and after edits."""

from __future__ import annotations

import pytest

import runhaven


def read(path, key="text", **more):
    return [(one.step, one.value) for one in runhaven.Api().run(path).values(key, **more)]


@pytest.mark.parametrize("is_sealed", [False, True])
def test_what_was_logged_comes_back_by_step(store, is_sealed):
    """Texts and objects, mixed with numbers and out of order, sealed or not; a step's last value counts."""
    with runhaven.init(project="p") as run:
        run.log({"text": "b", "loss": 1.0}, step=4)
        run.log({"text": "a"}, step=2)
        run.log({"text": {"x": float("inf")}}, step=6)
        run.log({"text": "c"}, step=6)
        run.log({"text": "d"}, step=8)
        run.log({"text": [1, 2]}, step=8)
        run.log({"text": 3}, step=7)
    if is_sealed:
        runhaven.Api().run(run.path).seal()

    assert read(run.path) == [(2, "a"), (4, "b"), (6, "c"), (8, [1, 2])]
    assert read(run.path, "loss") == []
    assert read(run.path, "nothing") == []


@pytest.mark.parametrize("is_sealed", [False, True])
def test_what_a_rewind_hides_is_left_out(store, is_sealed):
    """After a rewind only the steps before it and those logged since are there; keep="all" has both."""
    with runhaven.init(project="p", id="one") as run:
        for step in range(4):
            run.log({"text": f"first {step}"}, step=step)
    with runhaven.init(project="p", resume_from="one?_step=1") as again:
        again.log({"text": "second 2"}, step=2)
    if is_sealed:
        runhaven.Api().run(run.path).seal()

    assert read(run.path) == [(0, "first 0"), (1, "first 1"), (2, "second 2")]
    assert len(read(run.path, keep="all")) == 5


@pytest.mark.parametrize("is_sealed", [False, True])
def test_names_and_corrections_count(store, is_sealed):
    """A renamed series is found under its new name, and a corrected value stands."""
    with runhaven.init(project="p") as run:
        for step in range(3):
            run.log({"old": f"value {step}"}, step=step)
    stored = runhaven.Api().run(run.path)
    if is_sealed:
        stored.seal()
    stored.rename_metric("old", "text")
    stored.correct("text", step=1, value=None)

    assert read(run.path) == [(0, "value 0"), (2, "value 2")]
    assert read(run.path, "old") == []
