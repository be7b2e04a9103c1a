"""`watch()` shows what the optimizer sees, whatever else is done to gradients: one row of a table for each interaction."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch

from runhaven import log_histogram
from runhaven.testing import RecordedRun, record
from runhaven_integrations.torch import unwatch, watch

Gradients = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def mlp() -> torch.nn.Sequential:
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))


def loss_of(model: Any, x: torch.Tensor) -> torch.Tensor:
    return model(x).square().mean()


def gradients_of(model: torch.nn.Module, x: torch.Tensor) -> Gradients:
    """Return the gradients of a copy, by no other means than `torch.autograd.grad`."""
    twin = copy.deepcopy(model)
    named = {name: each for name, each in twin.named_parameters() if each.requires_grad}
    return dict(zip(named, torch.autograd.grad(loss_of(twin, x), list(named.values())), strict=True))


@contextmanager
def watched(model: torch.nn.Module, **options: Any) -> Generator[RecordedRun]:
    with record() as run:
        watch(run, model, **options)
        yield run
        unwatch(run)
        run.recorder.settle(wait=True)


def check(run: RecordedRun, expected: Gradients, *, at: int = -1) -> None:
    """Every bin holds as many numbers as the tensor has there, and norms and quantiles are those of the numbers."""
    for name, tensor in expected.items():
        values = tensor.detach().double().flatten().numpy()
        cell = run.series(f"gradients/{name}")[at]
        found = log_histogram.decode(cell)

        assert (found.zeros, found.finite, cell["count"]) == ((values == 0).sum(), len(values), len(values)), name
        for code, count in found.counts.items():
            low, high = log_histogram.bounds(code)
            is_in = (
                (values > low) & (values <= high)
                if code >= log_histogram.NEGATIVE
                else (values >= low) & (values < high)
            )
            assert is_in.sum() == count, (name, code)
        for part in (0.05, 0.5, 0.95):
            # Between two order statistics any number is a quantile.
            around = np.quantile(values, part, method="lower"), np.quantile(values, part, method="higher")
            room = 0.13 * max(map(abs, around)) + 1e-30
            assert around[0] - room <= log_histogram.quantile(found, part) <= around[1] + room, (name, part)
        assert run.series(f"gradients_norm/{name}")[at] == pytest.approx(np.linalg.norm(values), rel=1e-5)
    total = np.sqrt(sum(float(tensor.double().square().sum()) for tensor in expected.values()))
    assert run.series("gradients_norm/global")[at] == pytest.approx(total, rel=1e-5)


class Case(NamedTuple):
    """One interaction: trains a step of a watched model, and returns what the optimizer should have seen."""

    name: str
    train: Callable[[RecordedRun, torch.nn.Module, torch.Tensor], Gradients]
    make: Callable[[], torch.nn.Module] = mlp


CASES: list[Case] = []


def case(*, make: Callable[[], torch.nn.Module] = mlp) -> Callable[[Any], Any]:
    def add(train: Any) -> Any:
        CASES.append(Case(train.__name__, train, make))
        return train

    return add


@case()
def plain(run, model, x):
    expected = gradients_of(model, x)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_of(model, x).backward()
    optimizer.step()
    return expected


@case()
def accumulation(run, model, x):
    expected = gradients_of(model, x)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for half in x.chunk(2):
        (loss_of(model, half) / 2).backward()
    optimizer.step()
    return expected


@case()
def clipping(run, model, x):
    expected = gradients_of(model, x)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_of(model, x).backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
    optimizer.step()
    return {name: each * (0.01 / (norm + 1e-6)) for name, each in expected.items()}


def scaled(run, model, x, optimizer, *, clips: bool = False):
    expected = gradients_of(model, x)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(loss_of(model, x)).backward()
    if clips:
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1e6)
    scaler.step(optimizer)
    scaler.update()
    return expected


@case()
def grad_scaler(run, model, x):
    return scaled(run, model, x, torch.optim.AdamW(model.parameters(), foreach=True))


@case()
def grad_scaler_of_a_fused_optimizer(run, model, x):
    return scaled(run, model, x, torch.optim.AdamW(model.parameters(), fused=True))


@case()
def grad_scaler_unscaled_by_hand(run, model, x):
    return scaled(run, model, x, torch.optim.AdamW(model.parameters(), fused=True), clips=True)


@case()
def fused_optimizer(run, model, x):
    expected = gradients_of(model, x)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=True)
    loss_of(model, x).backward()
    optimizer.step()
    return expected


@case()
def two_optimizers(run, model, x):
    expected = gradients_of(model, x)
    optimizers = [torch.optim.Adam(model[0].parameters()), torch.optim.SGD(model[2].parameters(), lr=0.1)]
    loss_of(model, x).backward()
    for optimizer in optimizers:
        optimizer.step()
    return expected


@case()
def lbfgs(run, model, x):
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=2)
    last: Gradients = {}

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model, x)
        loss.backward()
        last.update({name: each.grad.clone() for name, each in model.named_parameters()})
        return loss

    optimizer.step(closure)
    return last


@case()
def closure_of_a_trainer(run, model, x):
    """As Lightning does: the whole step lies in the closure of a first-order optimizer."""
    expected = gradients_of(model, x)
    optimizer = torch.optim.AdamW(model.parameters())

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model, x)
        loss.backward()
        return loss

    optimizer.step(closure=closure)
    return expected


@case()
def wrapped_optimizer(run, model, x):
    """An optimizer within another one steps once in the histograms."""

    class Outer(torch.optim.SGD):
        def step(self, closure=None):
            return inner.step(closure)

    expected = gradients_of(model, x)
    inner = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_of(model, x).backward()
    Outer(model.parameters(), lr=0.1).step()

    assert len(run.series("gradients/0.weight")) <= 1
    return expected


@case()
def compiled_model(run, model, x):
    expected = gradients_of(model, x)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_of(torch.compile(model, fullgraph=True), x).backward()
    optimizer.step()
    return expected


@case(make=lambda: cast("torch.nn.Module", torch.compile(mlp(), fullgraph=True)))
def watched_when_compiled(run, model, x):
    expected = gradients_of(model._orig_mod, x)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_of(model, x).backward()
    optimizer.step()
    return expected


class Words(torch.nn.Module):
    """Embeds places of large numbers; the output shares its weights."""

    def __init__(self, *, sparse: bool = False, tied: bool = False) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(50, 8, sparse=sparse)
        self.head = torch.nn.Linear(8, 50, bias=False)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, x):
        return self.head(self.embedding((x.abs() * 10).long().clamp(max=49)))


@case(make=lambda: Words(sparse=True))
def sparse_gradients(run, model, x):
    expected = {name: each.to_dense() for name, each in gradients_of(model, x).items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_of(model, x).backward()
    optimizer.step()
    return expected


@case(make=lambda: Words(tied=True))
def tied_parameters(run, model, x):
    return plain(run, model, x)


@case()
def frozen_parameters(run, model, x):
    model[0].requires_grad_(False)
    return plain(run, model, x)


@case()
def later_unfrozen_parameters(run, model, x):
    """The second look has what the first one had not."""
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    loss_of(model, x).backward()
    optimizer.step()
    optimizer.zero_grad()
    run.log({"epoch": 1})
    model.requires_grad_(True)
    return plain(run, model, x)


@case()
def moved_to_another_type(run, model, x):
    model.double()
    return plain(run, model, x.double())


@case()
def replaced_parameters(run, model, x):
    model[0].weight = torch.nn.Parameter(torch.randn(16, 8))
    return plain(run, model, x)


@case(make=lambda: torch.nn.Sequential(torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(8, 4))))
def reparametrised(run, model, x):
    return plain(run, model, x)


class Pictures(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        net: Any = torch.nn.Conv2d(4, 6, 3)
        self.net = net.to(memory_format=torch.channels_last)

    def forward(self, x):
        return self.net(x.reshape(-1, 4, 4, 4).contiguous(memory_format=torch.channels_last))


@case(make=Pictures)
def channels_last(run, model, x):
    return plain(run, model, x)


@case(make=lambda: mlp().bfloat16())
def half_width(run, model, x):
    return plain(run, model, x.bfloat16())


class Quantised(torch.nn.Module):
    """Frozen weights of eight bits, with an adapter of low rank."""

    def __init__(self) -> None:
        super().__init__()
        self.base = torch.nn.Parameter(torch.randint(-127, 127, (16, 8), dtype=torch.int8), requires_grad=False)
        self.narrow = torch.nn.Parameter(torch.randn(16, 8).to(torch.float8_e4m3fn), requires_grad=False)
        self.lora_a = torch.nn.Parameter(torch.randn(2, 8))
        self.lora_b = torch.nn.Parameter(torch.randn(16, 2))

    def forward(self, x):
        base = self.base.to(x.dtype) / 127 + self.narrow.to(x.dtype)
        return x @ (base + self.lora_b @ self.lora_a).T


@case(make=Quantised)
def quantised_weights(run, model, x):
    return plain(run, model, x)


def adapted() -> torch.nn.Module:
    peft = pytest.importorskip("peft")
    settings = peft.LoraConfig(target_modules=["0", "2"], r=2, init_lora_weights=False)
    return peft.get_peft_model(mlp(), settings)


@case(make=adapted)
def lora(run, model, x):
    expected = plain(run, model, x)

    assert all("lora" in name for name in expected)
    return expected


class Waves(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.randn(8, 4, dtype=torch.complex64))

    def forward(self, x):
        return (x.to(torch.complex64) @ self.w).abs()


@case(make=Waves)
def complex_numbers(run, model, x):
    return {name: torch.view_as_real(each) for name, each in plain(run, model, x).items()}


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
def test_the_histogram_is_that_of_what_the_optimizer_sees(one):
    """Counts, norms and quantiles are those of the gradient computed by other means, in each interaction."""
    model = one.make()
    with watched(model) as run:
        expected = one.train(run, model, torch.randn(32, 8))

    check(run, expected)


def overflow(model: torch.nn.Module, scaler: Any, optimizer: Any, x: torch.Tensor) -> None:
    """Train a step whose gradients are infinite."""
    optimizer.zero_grad()
    (scaler.scale(loss_of(model, x)) * float("inf")).backward()
    scaler.step(optimizer)
    scaler.update()


@pytest.mark.parametrize("fused", [False, True])
def test_skipped_steps_are_counted_and_raise_no_alert(fused):
    """A GradScaler that skips is business as usual: a metric counts it, and no alert tells of infinite gradients."""
    model = mlp()
    optimizer = torch.optim.AdamW(model.parameters(), fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    with watched(model, log_freq=4) as run:
        for number in range(8):
            if number in (1, 2, 5):
                overflow(model, scaler, optimizer, torch.randn(4, 8))
            else:
                scaled_step(model, scaler, optimizer, torch.randn(4, 8))
            run.log({"number": number})
            run.recorder.settle()

    assert run.series("amp/skipped_steps")[-1] == 3
    assert not run.events("alert")
    assert fused or run.steps("gradients_nonfinite/0.weight") == [1, 5], "the first of steps skipped in a row is kept"


def scaled_step(model: torch.nn.Module, scaler: Any, optimizer: Any, x: torch.Tensor) -> None:
    optimizer.zero_grad()
    scaler.scale(loss_of(model, x)).backward()
    scaler.step(optimizer)
    scaler.update()


def test_a_first_step_that_is_skipped_is_counted_too():
    """A scaler often skips before its optimizer has ever stepped."""
    model = mlp()
    with watched(model) as run:
        overflow(model, torch.amp.GradScaler("cpu"), torch.optim.SGD(model.parameters()), torch.randn(4, 8))

    assert run.series("amp/skipped_steps") == [1]


def test_many_skipped_steps_in_a_row_raise_an_alert():
    """A scale that goes on falling is worth a word."""
    model = mlp()
    optimizer, scaler = torch.optim.SGD(model.parameters()), torch.amp.GradScaler("cpu")
    with watched(model) as run:
        for _ in range(20):
            overflow(model, scaler, optimizer, torch.randn(4, 8))
        (alert,) = run.events("alert")

    assert "16 steps in a row" in alert["text"]


@pytest.mark.parametrize("is_first", [True, False])
def test_an_optimizer_that_steps_within_the_backward_pass(is_first):
    """With `when="backward"`, each gradient is seen before it is freed, whoever hooked first; the round makes one global norm."""
    model, x = mlp(), torch.randn(32, 8)
    expected = gradients_of(model, x)
    optimizers = {each: torch.optim.SGD([each], lr=0.1) for each in model.parameters()}

    def step(parameter: torch.nn.Parameter) -> None:
        optimizers[parameter].step()
        parameter.grad = None

    def hook() -> None:
        for each in model.parameters():
            each.register_post_accumulate_grad_hook(step)

    if is_first:
        hook()
    with watched(model, when="backward", log_freq=2) as run:
        if not is_first:
            hook()
        for number in range(5):
            loss_of(model, x).backward()
            run.log({"number": number})

    check(run, expected, at=0)
    assert run.steps("gradients/0.weight") == [0, 1, 3]


def test_watching_backward_finds_later_unfrozen_parameters():
    """A parameter that is unfrozen is hooked at the next look, and seen from the next backward pass on."""
    model, x = mlp(), torch.randn(32, 8)
    model[0].requires_grad_(False)
    with watched(model, when="backward", log_freq=1) as run:
        loss_of(model, x).backward()
        model.requires_grad_(True)
        for _ in range(2):
            model.zero_grad()
            loss_of(model, x).backward()

    check(run, gradients_of(model, x))


def test_a_look_that_falls_into_the_capture_of_a_graph_is_made_up_for(monkeypatch):
    """While a CUDA graph is captured nothing may be looked at; the next step is looked at instead, and then those that are due."""
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    capturing = [True, False, False, False]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with record() as run:
        watch(run, model, log_freq=4)
        for is_capturing in capturing:
            monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda now=is_capturing: now)
            optimizer.zero_grad()
            model(torch.ones(2, 4)).sum().backward()
            optimizer.step()
            run.log({"loss": 0.0})
        unwatch(run)
        run.recorder.settle(wait=True)

    assert run.steps("gradients/weight") == [1, 3]


def test_a_watched_optimizer_step_may_be_compiled():
    """A compiled step neither breaks nor is broken; it is not seen."""
    x = torch.randn(32, 8)
    model: Any = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watched(model) as run:
        loss_of(model, x).backward()
        before = model[0].weight.detach().clone()
        step: Any = torch.compile(optimizer.step, backend="aot_eager")
        step()

    assert not torch.equal(before, model[0].weight)
    assert run.rows == []


def test_several_optimizers_share_a_global_norm_when_they_step_together():
    """Steps of two optimizers make one capture; one that steps alone later makes one of its own."""
    model, x = mlp(), torch.randn(32, 8)
    often, rare = torch.optim.SGD(model[0].parameters(), lr=0.0), torch.optim.SGD(model[2].parameters(), lr=0.0)
    with watched(model, log_freq=1) as run:
        for number in range(4):
            model.zero_grad()
            loss_of(model, x).backward()
            often.step()
            if number % 2 == 0:
                rare.step()
            run.log({"number": number})
        expected = gradients_of(model, x)

    norms = {name: each.norm().item() for name, each in expected.items()}
    both = np.sqrt(sum(norm**2 for norm in norms.values()))
    one = np.hypot(norms["0.weight"], norms["0.bias"])
    assert run.steps("gradients_norm/global") == [0, 1, 2, 3]
    assert run.series("gradients_norm/global") == pytest.approx([both, one, both, one], rel=1e-4)
