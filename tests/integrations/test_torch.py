"""`watch()` on the real PyTorch."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
import torch.optim.optimizer as hooks

from runhaven import log_histogram
from runhaven.testing import record
from runhaven_integrations.torch import unwatch, watch


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(2, 4)).square().sum().backward()
    optimizer.step()


def histogram_of(values: torch.Tensor) -> log_histogram.LogHistogram:
    """Return what is kept of a gradient."""
    model = torch.nn.ParameterDict({"w": torch.nn.Parameter(torch.zeros_like(values))})
    model["w"].grad = values.clone()
    with record() as run:
        watch(run, model)
        torch.optim.SGD(model.parameters(), lr=0.0).step()
        unwatch(run)
        run.recorder.settle(wait=True)
        return log_histogram.decode(run.series("gradients/w")[0])


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_quantiles_are_those_of_the_numbers(kind):
    """Quantiles of any type are exact to 4.5 per cent, and nothing is lost."""
    torch.manual_seed(0)
    values = torch.randn(300_001).to(kind)
    found = histogram_of(values)
    exact = values.double().numpy()

    assert found.finite == 300_001
    for part in (0.01, 0.1, 0.25, 0.75, 0.9, 0.99):
        assert log_histogram.quantile(found, part) == pytest.approx(np.quantile(exact, part), rel=0.045)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_what_is_not_finite_is_counted_exactly(kind):
    """NaN, infinities and zeros have counts of their own."""
    nan, inf = float("nan"), float("inf")
    found = histogram_of(torch.tensor([0.0, -0.0, 1.0, nan, inf, inf, -inf, -2.0], dtype=kind))

    assert (found.zeros, found.nan, found.inf, found.neg_inf, found.finite) == (2, 1, 2, 1, 4)


def test_it_sees_the_accumulated_clipped_gradient():
    """The norm is that of the gradient that the optimizer gets."""
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with record() as run:
        watch(run, model, log="all")
        for _ in range(2):
            model(torch.ones(2, 4)).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        unwatch(run)
        run.recorder.settle(wait=True)

        assert run.series("gradients_norm/global") == [pytest.approx(0.5, rel=1e-4)]
        assert run.series("parameters/weight")[0]["count"] == 4
        assert run.step == 0


def test_it_looks_at_the_first_and_every_nth_step_and_unwatch_leaves_nothing():
    """Steps 1, 3 and 6 of six are kept for `log_freq=3`; then no hook is left and the model copies as ever."""
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    before = dict(hooks._global_optimizer_pre_hooks), dict(hooks._global_optimizer_post_hooks), set(vars(model))
    with record() as run:
        for _ in range(2):
            watch(run, model, log_freq=3)
        for _ in range(6):
            step(model, optimizer)
            run.log({"loss": 0.0})
        pickle.loads(pickle.dumps(copy.deepcopy(model)))
        unwatch(run)
        run.recorder.settle(wait=True)

        assert run.steps("gradients/weight") == [0, 2, 5]
    assert before == (hooks._global_optimizer_pre_hooks, hooks._global_optimizer_post_hooks, set(vars(model)))


def test_an_optimizer_with_a_closure_shows_its_last_gradient():
    """LBFGS makes its gradients during the step, and they are seen."""
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=2)

    def closure():
        optimizer.zero_grad()
        loss = model(torch.ones(2, 4)).square().sum()
        loss.backward()
        return loss

    with record() as run:
        watch(run, model)
        optimizer.step(closure)
        unwatch(run)
        run.recorder.settle(wait=True)

        assert len(run.series("gradients/weight")) == 1


def test_sparse_gradients_count_their_zeros():
    """A sparse embedding's histogram is that of the whole gradient."""
    model = torch.nn.Embedding(100, 4, sparse=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with record() as run:
        watch(run, model)
        model(torch.tensor([1, 1, 7])).sum().backward()
        optimizer.step()
        unwatch(run)
        run.recorder.settle(wait=True)
        (cell,) = run.series("gradients/weight")

        assert (cell["count"], cell["zeros"]) == (400, 392)


def test_nothing_waits_for_a_number_on_the_training_thread():
    """A capture reads no scalar."""
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model(torch.ones(2, 4)).sum().backward()
    with record() as run, torch.profiler.profile() as profile:
        watch(run, model)
        optimizer.step()
        unwatch(run)

    assert not [event for event in profile.events() or [] if event.name == "aten::_local_scalar_dense"]


def test_a_gradient_that_is_not_finite_raises_an_alert():
    """The alert names the first layer that has one."""
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record() as run:
        watch(run, model)
        (model(torch.ones(2, 4)).sum() * float("nan")).backward()
        optimizer.step()
        unwatch(run)
        run.recorder.settle(wait=True)
        (alert,) = run.events("alert")

        assert "weight" in alert["text"]
        assert run.series("gradients_nonfinite/weight") == [4]
