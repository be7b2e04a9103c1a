"""What `docs/integrations/writing-your-own.md` shows works."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import runhaven
from runhaven import adapter

PAGE = (Path(__file__).parents[2] / "docs/integrations/writing-your-own.md").read_text("utf-8")


def my_callback() -> Any:
    (text,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(text, "docs/integrations/writing-your-own.md", "exec"), names)
    return names["MyCallback"]


def train(callback: Any, folder: Path, steps: range, resumed_from: Path | None = None) -> None:
    trainer = SimpleNamespace(resumed_from=resumed_from, settings={"lr": 0.1}, step=0, epoch=0)
    callback.on_train_begin(trainer)
    for trainer.step in steps:
        callback.on_step_end(trainer, {"val_loss": 1 / (trainer.step + 1)})
        (folder / "model.pt").write_text(str(trainer.step))
        callback.on_save(trainer, folder / "model.pt", is_best=True)
    callback.on_train_end(trainer, error=None)


def test_the_pages_adapter_works(tmp_path):
    """It logs, keeps the best value and the last checkpoint, and a resumed training goes on with the run."""
    kind = my_callback()
    train(kind(project="p", log_model=True), tmp_path, range(3))
    runhaven.finish()
    train(kind(project="p", log_model=True), tmp_path, range(3, 5), resumed_from=tmp_path / "model.pt")
    runhaven.finish()
    (run,) = runhaven.Api().runs("p")

    assert [row["_step"] for row in run.scan_history(["val_loss"])] == [0, 1, 2, 3, 4]
    assert run.summary["val_loss.min"] == 0.2
    assert run.config["lr"] == 0.1
    assert [artifact.version for artifact in run.logged_artifacts()] == ["v0", "v1"]


def test_the_page_names_every_part():
    """Each public name of `runhaven.adapter`, and each public member of `Adapter`, stands on the page."""
    for name in adapter.__all__:
        assert name in PAGE
    for name in vars(adapter.Adapter):
        assert name.startswith("_") or name == "on_error" or f"`{name}" in PAGE, name
