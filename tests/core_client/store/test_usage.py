"""What a run used of its machines, as it is read: while it runs, once it was killed, resumed, sealed."""

from __future__ import annotations

from typing import Any

import pytest

import runhaven
from runhaven.api import Api
from runhaven.capture.gpus import held_gpus
from runhaven.store.view import read_journals


def usage(seconds: float, *, uuid: str = "GPU-a", percent: float = 50.0) -> dict[str, Any]:
    gpu = {
        "index": 0, "uuid": uuid, "name": "A", "is_visible": True, "sums": {"seconds": seconds, "energy_joules": 3.6e6},
        "tallies": {"utilization_percent": [percent * seconds, seconds, 99.0]},
    }  # fmt: skip
    return {"stream": "node=h", "seconds": seconds, "host": {}, "gpus": [gpu]}


@pytest.mark.parametrize("role", ["main", "follower"])
def test_the_newest_sums_of_a_session_count(written, role):
    """Each event says all that its session saw so far, whichever process was elected; the run may still go on."""
    written.session(role=role)
    written.event("usage", **usage(1800))
    written.event("usage", **usage(3600))
    run = written.close()

    assert run.usage["gpu_hours"] == pytest.approx(1.0)
    assert run.summary["system/gpu_hours"] == pytest.approx(1.0)
    assert run.summary["system/gpu_energy_kwh"] == pytest.approx(1.0)
    assert run.summary["system/gpu_utilization_percent"]["mean"] == pytest.approx(50.0)


def test_a_resumed_run_has_the_hours_of_all_its_sessions(written):
    """A killed session's sums stand beside those of the session that went on, and no step hides them."""
    written.session()
    written.log({"loss": 1.0}, 0)
    written.event("usage", **usage(3600))
    written.session(resumed=True)
    written.log({"loss": 1.0}, 0)
    written.event("usage", **usage(1800))
    run = written.close()

    assert run.usage["gpu_hours"] == pytest.approx(1.5)
    assert run.usage["gpu_count"] == 1


def test_sealing_keeps_the_sums(written):
    """Sealed, the same facts are read from the newest event of each writer."""
    writer = written.session()
    for seconds in (60, 120, 3600):
        written.event("usage", **usage(seconds))
    written.event("finish", exit_code=0)
    run = written.close()
    before = run.usage
    assert run.seal()
    again = written.read()

    assert again.usage == before
    assert again.summary["system/gpu_hours"] == pytest.approx(1.0)
    assert writer.name in read_journals(written.directory).sessions


def test_what_the_user_wrote_wins(written):
    """A key of the user's own stands over ours, and one that the user removed stays away."""
    written.session()
    written.event("usage", **usage(3600))
    written.event("summary", set={"system/gpu_hours": 7}, delete=["system/gpu_energy_kwh"])
    run = written.close()

    assert run.summary["system/gpu_hours"] == 7
    assert "system/gpu_energy_kwh" not in run.summary


def test_runs_are_found_by_what_they_used(written):
    """Filters and orders take what was used as any other part of the summary."""
    written.session()
    written.event("usage", **usage(3600))
    written.close()
    api = Api(written.store.root)

    assert len(api.runs(filters={"summary.system/gpu_hours": {"$gt": 0.5}})) == 1
    assert len(api.runs(filters={"summary.system/gpu_hours": {"$gt": 1.5}})) == 0


def test_a_fork_does_not_pay_for_its_parent(store):
    """What the run used that this one is a fork of was used there."""
    with runhaven.init(project="p", id="parent") as parent:
        parent.log({"loss": 1.0})
        parent.emit({"event": "usage", **usage(3600)})
    with runhaven.init(project="p", id="fork", fork_from="parent?_step=0") as fork:
        fork.emit({"event": "usage", **usage(1800)})
    api = Api(store)

    assert api.run("p/parent").usage["gpu_hours"] == pytest.approx(1.0)
    assert api.run("p/fork").usage["gpu_hours"] == pytest.approx(0.5)


def test_each_rank_says_which_gpu_is_its_own(written):
    """Devices name the ranks that compute on them; a GPU that only another rank sees counts, one that nobody uses does not."""
    written.event("device", stream="node=h", attributes={"gpus": [{"index": i, "uuid": f"GPU-{i}"} for i in range(3)]})
    record = usage(3600, uuid="GPU-0")
    record["gpus"] = [record["gpus"][0] | {"index": i, "uuid": f"GPU-{i}", "is_visible": i == 0} for i in range(3)]
    written.event("usage", **record)
    written.event("gpus", stream="node=h", gpus=[{"uuid": "GPU-0", "cuda_index": 0}])
    written.session(role="follower", rank=1)
    written.event("gpus", stream="node=h", gpus=[{"uuid": "GPU-2", "cuda_index": 0}])
    written.event("gpus", stream="node=h", gpus=[])
    run = written.close()

    assert [gpu["ranks"] for gpu in run.metadata["devices"]["node=h"]["gpus"]] == [[0], [], [1]]
    assert [gpu["uuid"] for gpu in run.usage["gpus"]] == ["GPU-0", "GPU-2"]
    assert run.usage["gpu_hours"] == pytest.approx(2.0)
    assert run.seal()
    assert written.read().usage == run.usage


def test_a_process_without_a_gpu_says_nothing_of_one():
    """PyTorch that was not asked to use a GPU is not made to; without PyTorch nothing is imported."""
    import torch

    assert held_gpus() == []
    assert not torch.cuda.is_initialized()
