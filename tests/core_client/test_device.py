"""Scalars on a device are read without making the calling thread wait, proved by recording every operation on them."""

from __future__ import annotations

import threading

import pytest
import torch
from torch.utils._pytree import tree_map

import runhaven


class OnDevice(torch.Tensor):
    """A tensor that says it lies on a CUDA device, keeps its data on the host, and records what is done with it."""

    data_on_host: torch.Tensor
    operations: list[tuple[str, str]] = []  # noqa: RUF012 - shared on purpose

    @staticmethod
    def __new__(cls, data: torch.Tensor):
        made = torch.Tensor._make_wrapper_subclass(cls, data.size(), dtype=data.dtype, device=torch.device("cuda"))
        made.data_on_host = data
        return made

    def __init__(self, data: torch.Tensor) -> None:
        pass

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        OnDevice.operations.append((str(func), threading.current_thread().name))
        plain = tree_map(lambda value: value.data_on_host if isinstance(value, OnDevice) else value, args)
        options = dict(kwargs or {})
        to_host = str(options.pop("device", "")) == "cpu"
        result = func(*plain, **{name: value for name, value in options.items() if name != "device"})
        return result if to_host or not isinstance(result, torch.Tensor) else OnDevice(result)


@pytest.fixture
def run():
    OnDevice.operations.clear()
    return runhaven.init(project="p")


def test_device_scalars_are_stacked_and_copied_not_read(run):
    """On the calling thread one stack and one copy happen, whatever the number of scalars, and nothing is read."""
    values = {f"d{index}": OnDevice(torch.tensor(index / 2)) for index in range(10)}
    run.log({"host": 1, **values}, step=3)
    names = {name for name, _ in OnDevice.operations}
    run.finish()
    (row,) = runhaven.Api().run(run.path).scan_history()

    assert row["_step"] == 3
    assert row["host"] == 1
    assert [row[f"d{index}"] for index in range(10)] == [index / 2 for index in range(10)]
    assert not any("_local_scalar_dense" in name or "item" in name for name in names)
    assert sum("_to_copy" in name for name, _ in OnDevice.operations) == 1
    assert sum("stack" in name or "cat" in name for name, _ in OnDevice.operations) == 1


def test_a_change_in_place_does_not_reach_what_was_logged(run):
    """The snapshot is taken when `log()` is called."""
    value = OnDevice(torch.tensor(1.0))
    run.log({"a": value})
    value.data_on_host.fill_(9.0)
    run.finish()

    assert [row["a"] for row in runhaven.Api().run(run.path).scan_history()] == [1.0]


def test_dtypes_are_kept_apart(run):
    """bfloat16, integers and bools come back as what they are."""
    run.log(
        {
            "b": OnDevice(torch.tensor(0.5, dtype=torch.bfloat16)),
            "i": OnDevice(torch.tensor(7)),
            "t": OnDevice(torch.tensor(True)),
        }
    )
    run.finish()
    (row,) = runhaven.Api().run(run.path).scan_history()

    assert (row["b"], row["i"], row["t"]) == (0.5, 7, True)
    assert type(row["i"]) is int
    assert type(row["t"]) is bool


def test_a_device_that_fails_loses_its_values_only(run, monkeypatch):
    """When a copy never arrives, the rest of the row is there and the run says that it is incomplete."""
    monkeypatch.setattr("runhaven.device._TorchCopy.read", lambda _: (_ for _ in ()).throw(RuntimeError("device lost")))
    run.log({"host": 1, "device": OnDevice(torch.tensor(1.0))})
    run.finish()
    found = runhaven.Api().run(run.path)

    assert [row.get("host") for row in found.scan_history()] == [1]
    assert found.incomplete == {"reason": "a device failed", "lost_rows": 1}
