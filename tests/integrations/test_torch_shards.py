"""`watch()` in several processes, on gloo: averaged gradients, and shards that meet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from runhaven import Api, log_histogram

SCRIPT = Path(__file__).with_name("sharded_training.py")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Train in all ways on two processes, once; return the folder with the store, and what was printed."""
    folder = tmp_path_factory.mktemp("sharded")
    environment = {**os.environ, "RUNHAVEN_DIR": str(folder / "store"), "OMP_NUM_THREADS": "1"}
    environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1", "WORLD_SIZE": "2"}
    children = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder)],
            env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    printed = [child.communicate()[1] for child in children]
    assert [child.returncode for child in children] == [0, 0], printed
    return folder, printed


@pytest.fixture
def rows_of(trained, monkeypatch):
    """Return what one way of training logged, by key."""
    monkeypatch.setenv("RUNHAVEN_DIR", str(trained[0] / "store"))

    def read(how: str) -> dict[str, list[Any]]:
        (run,) = Api().runs(how)
        rows: dict[str, list[Any]] = {}
        for row in run.scan_history():
            for key, value in row.items():
                rows.setdefault(key, []).append(value)
        return rows

    return read


@pytest.fixture
def expected(trained) -> dict[str, torch.Tensor]:
    """Return the gradients that one process makes of all the data."""
    return torch.load(trained[0] / "exact.pt")


def check(rows: dict[str, list[Any]], expected: dict[str, torch.Tensor]) -> None:
    squares = 0.0
    for name, gradient in expected.items():
        (cell,) = rows[f"gradients/{name}"]
        found = log_histogram.decode(cell)
        codes = (gradient.flatten().view(torch.int32) >> 20) & 4095
        counts = torch.bincount(codes, minlength=4096)

        assert "is_partial" not in cell
        assert found.counts == {code: int(counts[code]) for code in counts.nonzero().flatten().tolist() if code % 2048}
        assert found.zeros == int((gradient == 0).sum())
        assert rows[f"gradients_norm/{name}"] == [pytest.approx(gradient.norm().item(), rel=1e-4)]
        squares += gradient.norm().item() ** 2
    assert rows["gradients_norm/global"] == [pytest.approx(squares**0.5, rel=1e-4)]
    assert rows["update_ratio/global"][0] > 0


def test_ddp_shows_the_average_once(rows_of, expected):
    """Two processes with half of the data each log the gradient of the whole, under the model's own names."""
    check(rows_of("ddp"), expected)


def test_shards_of_fsdp2_make_one_histogram(rows_of, expected):
    """Shards of two processes, one of them empty for a bias of one number, make the histogram of the whole."""
    check(rows_of("fsdp2"), expected)


def test_shards_are_sampled_together(rows_of, trained):
    """Each process counts its share of one sample, whose quantiles are off by less than 0.05 in rank; the norm is exact."""
    gradient = torch.load(trained[0] / "sampled.pt")["0.weight"].flatten()
    rows, ordered = rows_of("sampled"), gradient.sort().values
    (cell,) = rows["gradients/0.weight"]
    found = log_histogram.decode(cell)

    assert (cell["is_sampled"], cell["size"], cell["count"]) == (True, 1 << 19, 1 << 16)
    assert "is_partial" not in cell
    assert rows["gradients_norm/0.weight"] == [pytest.approx(gradient.norm().item(), rel=1e-4)]
    for part in (0.05, 0.25, 0.75, 0.95):
        rank = torch.searchsorted(ordered, log_histogram.quantile(found, part)).item() / len(ordered)
        assert abs(rank - part) < 0.05


def test_replicated_shards_count_once(rows_of, expected):
    """Of shards that several processes hold, one counts."""
    check(rows_of("replicated"), expected)


def test_a_rank_that_does_not_watch_is_missed_and_not_waited_for(rows_of, trained):
    """What one process holds is marked as partial, without norms of the whole, and the user is told what to do."""
    rows = rows_of("alone")

    assert rows["gradients/0.weight"][0]["is_partial"]
    assert rows["gradients/0.weight"][0]["count"] == 4 * 8
    assert "gradients_norm/0.weight" not in rows
    assert "call run.watch(model) on every rank" in trained[1][0]
