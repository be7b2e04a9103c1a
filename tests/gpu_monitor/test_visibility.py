"""Which GPUs CUDA would show to a process, for every form of its variables, and as PyTorch reads them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from runhaven_gpu_monitor.visibility import visible


def machine(count: int = 4, *, models: str = "AAAA") -> list[dict[str, Any]]:
    return [
        {"name": models[i], "uuid": f"GPU-{'abcd'[i]}{i}00-1111", "mig": [{"uuid": f"MIG-{i}f00"}, {"uuid": f"MIG-{i}e00"}]}
        for i in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        pytest.param(None, [0, 1, 2, 3], id="not set"),
        pytest.param("2,0", [1, None, 0, None], id="numbers, in CUDA's order"),
        pytest.param(" 1 , 3 ", [None, 0, None, 1], id="spaces"),
        pytest.param("", [None] * 4, id="empty"),
        pytest.param("-1", [None] * 4, id="minus one"),
        pytest.param("1,-1,2", [None, 0, None, None], id="ends at the first that is none"),
        pytest.param("0,9,1", [0, None, None, None], id="ends at the first that is not there"),
        pytest.param("1,1", [None] * 4, id="twice the same leaves nothing"),
        pytest.param("1x,2", [None, 0, 1, None], id="a number with something behind it"),
        pytest.param("NoDevFiles", [None] * 4, id="a word"),
        pytest.param("GPU-c200-1111", [None, None, 0, None], id="UUID"),
        pytest.param("GPU-d,GPU-a", [1, None, None, 0], id="beginnings of UUIDs"),
        pytest.param("GPU-", [None] * 4, id="a beginning that several have"),
        pytest.param("GPU-a,1", [0, None, None, None], id="no mixture"),
        pytest.param("GPU-a,GPU-a000", [None] * 4, id="twice the same by UUID"),
        pytest.param("MIG-2f", [None, None, 0, None], id="instance"),
        pytest.param("MIG-2f,MIG-2e00,MIG-0f00", [1, None, 0, None], id="two instances of one GPU"),
        pytest.param("MIG-GPU-b100-1111/7/0", [None, 0, None, None], id="instance by its GPU"),
    ],
)
def test_every_form_of_the_variable(setting, expected):
    """A GPU has its number in CUDA, or is hidden."""
    environment = {} if setting is None else {"CUDA_VISIBLE_DEVICES": setting}

    assert visible(machine(), environment) == expected


@pytest.mark.parametrize("setting", ["0,2", "2,1,0", "1,1", "-1", "", "3,-1,0", "1x,2", "+1", "abc"])
def test_numbers_are_read_as_pytorch_reads_them(setting, monkeypatch):
    """The numbers that PyTorch finds in the variable are the GPUs that we call visible, in its order."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    theirs = torch.cuda._parse_visible_devices()
    numbers = visible(machine(), {"CUDA_VISIBLE_DEVICES": setting}) or []
    ours = sorted((number, place) for place, number in enumerate(numbers) if number is not None)

    assert [place for _, place in ours] == theirs


def test_different_gpus_have_numbers_only_in_the_order_of_the_bus():
    """CUDA puts the fastest first unless told otherwise, so numbers then say nothing; UUIDs and the bus do."""
    mixed = machine(models="ABAA")

    assert visible(mixed, {"CUDA_VISIBLE_DEVICES": "1"}) is None
    assert visible(mixed, {}) is None
    assert visible(mixed, {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}) == [None, 0, None, None]
    assert visible(mixed, {"CUDA_VISIBLE_DEVICES": "GPU-b"}) == [None, 0, None, None]
