"""Notes beside checkpoints, and the artifacts that are made of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import runhaven
from runhaven.adapter import Adapter, Checkpoints, note_run, noted_run


@pytest.fixture
def adapter() -> Adapter:
    return Adapter("A", project="p")


def versions() -> list[runhaven.Artifact]:
    (run,) = runhaven.Api().runs("p")
    return sorted(run.logged_artifacts(), key=lambda artifact: int(artifact.version[1:]))


def test_two_runs_may_save_into_one_folder(tmp_path):
    """Each file has its own run; what was deleted is forgotten."""
    for name in ("a.pt", "b.pt"):
        (tmp_path / name).write_text(name)
        with runhaven.init(project="p", id=name[0]) as run:
            note_run(tmp_path / name, run)
            last = run.identity.ulid
    (tmp_path / "a.pt").unlink()
    (tmp_path / "c.pt").touch()
    with runhaven.init(project="p", id="c") as run:
        note_run(tmp_path / "c.pt", run)
    known = json.loads((tmp_path / "runhaven_run.json").read_text("utf-8"))

    assert known["format"] == 1
    assert known["checkpoints"].keys() == {"b.pt", "c.pt"}
    assert noted_run(tmp_path / "b.pt") == last
    assert known["checkpoints"]["c.pt"]["path"].endswith("/p/c")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "checkpoints": []}', '{"format": 2}', "\0"])
def test_a_damaged_note_says_nothing_and_is_replaced(tmp_path, adapter, text):
    """Whatever stands in the file, reading it is no error, and the next checkpoint writes it anew."""
    (tmp_path / "runhaven_run.json").write_text(text)
    (tmp_path / "a.pt").touch()
    assert noted_run(tmp_path / "a.pt") is None
    note_run(tmp_path / "a.pt", adapter.run)

    assert noted_run(tmp_path / "a.pt") == adapter.run.identity.ulid


def test_all_logs_at_once_and_the_same_content_once(tmp_path, adapter):
    """With "all" a version stands before the training goes on; the same bytes under another name are that version."""
    checkpoints = Checkpoints(adapter, log_model="all", name="net")
    for epoch in range(3):
        (tmp_path / f"{epoch}.ckpt").write_text(f"weights {epoch}")
        checkpoints.saved(tmp_path / f"{epoch}.ckpt", step=10 * epoch, epoch=epoch, is_best=epoch != 2, score=epoch / 2)
        (tmp_path / "last.ckpt").write_text(f"weights {epoch}")
        checkpoints.saved(tmp_path / "last.ckpt", step=10 * epoch, epoch=epoch)
        assert len(versions()) == epoch + 1
    found = versions()

    assert [artifact.metadata["epoch"] for artifact in found] == [0, 1, 2]
    assert found[1].metadata == {"step": 10, "epoch": 1, "score": 0.5, "original_filename": "1.ckpt"}
    assert [set(artifact.aliases) for artifact in found] == [set(), {"best"}, {"latest"}]
    assert found[0].name == "net:v0"


def test_end_logs_what_is_left_the_newest_last(tmp_path, adapter):
    """With "end" nothing is logged before the end, and then only what was not deleted."""
    checkpoints = Checkpoints(adapter, log_model="end")
    for epoch in range(4):
        (tmp_path / f"{epoch}.ckpt").write_text(f"weights {epoch}")
        checkpoints.saved(tmp_path / f"{epoch}.ckpt", step=epoch, is_best=epoch == 1)
    (tmp_path / "0.ckpt").unlink()
    assert versions() == []
    checkpoints.end()
    checkpoints.end()

    assert [artifact.metadata["step"] for artifact in versions()] == [1, 2, 3]
    assert [set(artifact.aliases) for artifact in versions()] == [{"best"}, set(), {"latest"}]


def test_a_directory_is_a_checkpoint_too(tmp_path, adapter):
    """Its files are the version; the note lies inside and travels with the artifact."""
    checkpoints = Checkpoints(adapter, log_model=True)
    folder = tmp_path / "checkpoint-5"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "weights").write_text("w")
    checkpoints.saved(folder, step=5)
    checkpoints.end()
    (artifact,) = versions()
    brought = Path(artifact.download(str(tmp_path / "down")))

    assert noted_run(folder) == noted_run(brought) == adapter.run.identity.ulid
    assert (brought / "deep" / "weights").read_text() == "w"


def test_a_link_to_a_checkpoint_makes_no_second_version(tmp_path, adapter):
    """`last.ckpt` as a symbolic link is the file that it leads to."""
    checkpoints = Checkpoints(adapter, log_model="all")
    (tmp_path / "a.ckpt").write_text("w")
    (tmp_path / "last.ckpt").symlink_to(tmp_path / "a.ckpt")
    checkpoints.saved(tmp_path / "a.ckpt", is_best=True)
    checkpoints.saved(tmp_path / "last.ckpt")

    assert len(versions()) == 1
    assert noted_run(tmp_path / "last.ckpt") == adapter.run.identity.ulid


def test_what_is_not_there_and_what_is_far_away_is_passed_over(tmp_path, adapter):
    """A file that is gone, and a path on a remote file system, make no artifact and no error."""
    checkpoints = Checkpoints(adapter, log_model="all")
    checkpoints.saved(tmp_path / "none.ckpt")
    checkpoints.saved("s3://bucket/a.ckpt")

    assert versions() == []
