"""The double that users test with."""

from __future__ import annotations

import runhaven
from runhaven.testing import (
    record,
    recorded_run,  # noqa: F401 # pyright: ignore[reportUnusedImport] - a fixture
)


def train() -> None:
    with runhaven.init(project="user", config={"lr": 0.1}) as run:
        run.define_metric("loss", summary="min")
        for step, loss in enumerate((3.0, 1.0, 2.0)):
            run.log({"loss": loss, "note": "x"}, step=10 * step)
        run.alert("done")


def test_the_fixture_records_a_training(recorded_run, store):  # noqa: F811
    """Rows, steps, summary, configuration and events of a training are there, and no file is."""
    train()

    assert recorded_run.series("loss") == [3.0, 1.0, 2.0]
    assert recorded_run.steps("loss") == [0, 10, 20]
    assert dict(recorded_run.summary.items()) == {"loss.min": 1.0, "note": "x"}
    assert recorded_run.config.lr == 0.1
    assert [event["title"] for event in recorded_run.events("alert")] == ["done"]
    assert not store.exists()


def test_it_works_without_pytest():
    """`record()` is a context manager; afterwards there is no current run."""
    with record() as run:
        runhaven.log({"a": 1})
        assert runhaven.run is run

    assert run.rows[0]["a"] == 1
    assert runhaven.run is None
