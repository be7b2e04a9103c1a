"""Which parameters `watch()` finds in a model that changes, and which layer its alerts name."""

from __future__ import annotations

import inspect
import weakref
from typing import Any

import pytest
import torch
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import CheckpointWrapper

import runhaven
from runhaven.testing import record
from runhaven_integrations.torch import unwatch, watch
from runhaven_integrations.torch.names import NamedParameters


def linear(width: int = 2) -> Any:
    return torch.nn.Linear(width, width)


def build() -> Any:
    return torch.nn.ModuleDict({"a": linear(), "b": CheckpointWrapper(linear()), "c": torch.nn.Sequential(linear())})


def replace_parameter(model: Any) -> None:
    # Twice, so that the second one may lie where the first one did.
    for _ in range(2):
        model["a"].weight = torch.nn.Parameter(torch.zeros(3, 3))


def replace_module(model: Any) -> None:
    for _ in range(2):
        model["a"] = linear()


def replace_wrapped(model: Any) -> None:
    model["b"]._checkpoint_wrapped_module = linear()


def add_parameter(model: Any) -> None:
    model["a"].scale = torch.nn.Parameter(torch.zeros(1))


def add_module(model: Any) -> None:
    model["c"].append(linear())


def insert_module(model: Any) -> None:
    model["c"].insert(0, linear())


def remove_parameter(model: Any) -> None:
    model["a"].bias = None


def remove_module(model: Any) -> None:
    del model["a"]


def rename_module(model: Any) -> None:
    model["z"] = model.pop("c")


def rename_parameter(model: Any) -> None:
    parameters = model["c"][0]._parameters
    parameters["other"] = parameters.pop("bias")


def tie_modules(model: Any) -> None:
    model["b"] = model["a"]


def tie_parameters(model: Any) -> None:
    model["c"][0].weight = model["a"].weight


def do_nothing(model: Any) -> None:
    pass


@pytest.mark.parametrize(
    "change",
    [
        replace_parameter,
        replace_module,
        replace_wrapped,
        add_parameter,
        add_module,
        insert_module,
        remove_parameter,
        remove_module,
        rename_module,
        rename_parameter,
        tie_modules,
        tie_parameters,
        do_nothing,
    ],
)
def test_parameters_are_those_that_the_model_has_now(change):
    """Whatever was added, replaced, removed, renamed or tied since the last look, names and parameters are PyTorch's own."""
    model, parameters = build(), NamedParameters()
    before = [name for name, _, _ in parameters.of(model)]
    change(model)
    found = [(name, id(parameter)) for name, parameter, _ in parameters.of(model)]
    expected = [(name.replace("_checkpoint_wrapped_module.", ""), id(each)) for name, each in model.named_parameters()]

    assert before == ["a.weight", "a.bias", "b.weight", "b.bias", "c.0.weight", "c.0.bias"]
    assert found == expected


def test_what_a_model_no_longer_has_is_let_go():
    """Between two looks, a module that was replaced is freed with its parameters."""
    model, parameters = build(), NamedParameters()
    parameters.of(model)
    gone = weakref.ref(model["a"]), weakref.ref(model["a"].weight)
    model["a"] = linear()

    assert [each() for each in gone] == [None, None]


class Spoil(torch.autograd.Function):
    """Passes numbers forwards, and NaN backwards."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return torch.full_like(gradients[0], float("nan"))


class Spoiled(torch.nn.Module):
    """Four layers, defined in another order than they are called in: one, two, three, four."""

    def __init__(self, after: str):
        super().__init__()
        self.three, self.one, self.four, self.two = (linear() for _ in range(4))
        self.after = after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name in ("one", "two", "three", "four"):
            x = self.get_submodule(name)(x)
            if name == self.after:
                x = Spoil.apply(x)
        return x


@pytest.mark.parametrize(("after", "tensors"), [("one", 2), ("two", 4), ("three", 6), ("four", 8)])
@pytest.mark.parametrize("log_graph", [False, True])
def test_watching_backward_names_the_layer_where_numbers_went_wrong(after, tensors, log_graph):
    """NaN that arises behind a layer in the backward pass makes that layer the first one of the alert, in whatever order it was defined."""
    model = Spoiled(after)
    with record() as run:
        watch(run, model, when="backward", log_graph=log_graph)
        model(torch.ones(2, 2)).sum().backward()
        unwatch(run)
        run.recorder.settle(wait=True)

    (alert,) = run.events("alert")
    first, _, rest = alert["text"].partition(" is the first that has, in the order of the backward pass: ")
    assert first.rpartition(".")[0] == after
    assert rest.endswith(f"the last of {tensors} tensors")
    assert "so has one." in rest


def test_arguments_stand_once():
    """`runhaven.watch`, `Run.watch` and the adapter's have the same arguments, in `help()` too."""
    run, *arguments = inspect.signature(runhaven.Run.watch).parameters.values()

    assert run.name == "self"
    assert list(inspect.signature(runhaven.watch).parameters.values()) == arguments
    assert watch is runhaven.Run.watch
