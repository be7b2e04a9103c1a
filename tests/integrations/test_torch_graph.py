"""`watch(log_graph=True)`: the tree of modules, as the first forward pass shows it."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from typing import Any

import pytest
import torch

from runhaven.testing import record
from runhaven_integrations.torch import unwatch, watch


def model() -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1),
        torch.nn.Flatten(),
        torch.nn.Linear(8 * 4 * 4, 5),
    )


def hooks_of(net: torch.nn.Module) -> list[dict[str, Any]]:
    return [{key: value for key, value in vars(each).items() if "hook" in key and value} for each in net.modules()]


def test_shapes_counts_and_flops_of_the_first_forward_pass():
    """The graph has each module with its shapes, calls and FLOPs; then no hook is left, before `unwatch` too."""
    net = model()
    net[2].bias.requires_grad_(False)
    with record() as run:
        watch(run, net, log=None, log_graph=True)
        net(torch.randn(2, 3, 4, 4))
        left = hooks_of(net)
        net(torch.randn(7, 3, 4, 4))
        unwatch(run)
        (graph,) = run.events("graph")

    modules = {each["name"]: each for each in graph["modules"]}
    assert not any(left)
    assert (graph["idx"], graph["type"], graph["parameters"], graph["trained"]) == (0, "Sequential", 869, 864)
    assert modules["0"]["inputs"] == [[2, 3, 4, 4]]
    assert modules["0"]["outputs"] == [[2, 8, 4, 4]]
    assert modules["0"]["flops"] == 2 * (2 * 8 * 4 * 4) * (3 * 3 * 3)
    assert modules["2"]["flops"] == 2 * 2 * 128 * 5
    assert graph["flops"] == modules["0"]["flops"] + modules["2"]["flops"]
    assert [modules[name]["order"] for name in ("0", "1", "2", "")] == [0, 1, 2, 3]
    assert modules["2"]["parameters"][1] == {
        "name": "bias",
        "shape": [5],
        "dtype": "torch.float32",
        "is_trained": False,
    }


def test_flops_are_those_that_torch_counts():
    """Our formulas give what PyTorch's own counter of FLOPs measures."""
    from torch.utils.flop_counter import FlopCounterMode

    net = torch.nn.Sequential(
        torch.nn.Conv2d(4, 8, (3, 1), stride=2, groups=2),
        torch.nn.ConvTranspose2d(8, 6, 3, stride=2, groups=2),
        torch.nn.Flatten(2),
        torch.nn.Linear(95, 3, bias=False),
    )
    x = torch.randn(2, 4, 9, 9)
    with FlopCounterMode(display=False) as counter:
        shape = net[:3](x).shape
    net[3] = torch.nn.Linear(shape[-1], 3, bias=False)
    with FlopCounterMode(display=False) as counter:
        net(x)
    with record() as run:
        watch(run, net, log=None, log_graph=True)
        net(x)
        (graph,) = run.events("graph")

    assert graph["flops"] == counter.get_total_flops()


def test_without_a_forward_pass_the_tree_is_kept_without_shapes():
    """`unwatch` and `finish` hand out what is known."""
    with record() as run:
        watch(run, model(), log=None, log_graph=True)
        net = model()
        watch(run, net, log=None, log_graph=True)
        run.finish()
        graph = run.events("graph")[-1]

    assert (graph["idx"], graph["parameters"]) == (1, 869)
    assert "flops" not in graph
    assert "inputs" not in graph["modules"][0]
    assert not any(hooks_of(net))


def test_a_model_whose_parts_are_called_one_by_one():
    """Where nobody calls the whole model, the first step of an optimizer ends its first pass."""
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with record() as run:
        watch(run, net, log=None, log_graph=True)
        net[2](net[1](net[0](torch.randn(2, 3, 4, 4)))).sum().backward()
        optimizer.step()
        (graph,) = run.events("graph")
        unwatch(run)

    assert graph["modules"][1]["outputs"] == [[2, 8, 4, 4]]
    assert not any(hooks_of(net))


def test_copies_of_a_watched_model_know_nothing_of_it():
    """Between `watch` and the first forward pass, a model is copied, pickled and saved as ever."""
    net = model()
    x = torch.randn(2, 3, 4, 4)
    with record() as run:
        watch(run, net, log_graph=True)
        file = io.BytesIO()
        torch.save(net, file)
        copies = [
            copy.deepcopy(net),
            pickle.loads(pickle.dumps(net)),
            torch.load(io.BytesIO(file.getvalue()), weights_only=False),
        ]
        for each in copies:
            each(x)

        assert run.events("graph") == []
        net(x)
        assert len(run.events("graph")) == 1
        unwatch(run)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_compiled_model_is_not_broken(is_first):
    """Whether `watch` or `torch.compile` came first, there is one graph without breaks, no warning, and the tree is kept."""
    net = model()
    with record() as run, warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled: Any = torch.compile(net, fullgraph=True, backend="eager") if is_first else net
        watch(run, compiled, log_graph=True)
        compiled = compiled if is_first else torch.compile(net, fullgraph=True, backend="eager")
        compiled(torch.randn(2, 3, 4, 4)).sum().backward()
        torch.optim.SGD(net.parameters()).step()
        unwatch(run)
        (graph,) = run.events("graph")

    assert [each["name"] for each in graph["modules"]] == ["", "0", "1", "2"]
    assert not any(hooks_of(net))
