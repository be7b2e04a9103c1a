"""`watch()` on the real PyTorch."""

from __future__ import annotations

import base64
import copy
import gc
import io
import pickle
import random
import sys
import weakref
from typing import Any

import numpy as np
import pytest
import torch
import torch.optim.optimizer as hooks

import runhaven
from runhaven import log_histogram
from runhaven.errors import UsageError
from runhaven.testing import record
from runhaven_integrations.torch import batch, capture, counting, sampling, small, totals, unwatch, watch, watcher
from runhaven_integrations.torch.part import Part


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


def test_it_looks_at_the_first_and_every_nth_step():
    """Steps 1, 3 and 6 of six are kept for `log_freq=3`, once each although the model is watched twice."""
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record() as run:
        for _ in range(2):
            watch(run, model, log_freq=3)
        for _ in range(6):
            step(model, optimizer)
            run.log({"loss": 0.0})
        unwatch(run)
        run.recorder.settle(wait=True)

        assert run.steps("gradients/weight") == [0, 2, 5]
        assert run.steps("update_ratio/weight") == [0, 2, 5]


def footprint(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> list[Any]:
    """Return all that watching could leave behind: hooks, attributes, a patched class, references."""
    parameters = list(model.parameters())
    gc.collect()
    return [
        dict(hooks._global_optimizer_pre_hooks),
        dict(hooks._global_optimizer_post_hooks),
        torch.amp.GradScaler.step,
        *[sorted(vars(each)) for each in [*model.modules(), *parameters, optimizer]],
        *[len(each) for each in (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks)],
        *[len(value) for each in model.modules() for value in vars(each).values() if isinstance(value, dict)],
        *[len(each._backward_hooks or ()) for each in parameters],
        *[len(each._post_accumulate_grad_hooks or ()) for each in parameters],
        *[sys.getrefcount(each) for each in [model, optimizer, *model.modules(), *parameters]],
    ]


@pytest.mark.parametrize("when", ["step", "backward"])
@pytest.mark.parametrize("undo", [unwatch, lambda run, _: run.finish()])
def test_nothing_is_left_of_it(when, undo):
    """After `unwatch` or `finish` every hook, attribute, class and reference count is what it was."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    step(model, optimizer)
    before = footprint(model, optimizer)
    with record() as run:
        watch(run, model, log="all", log_freq=1, log_graph=True, when=when)
        for _ in range(3):
            step(model, optimizer)
        undo(run, model)
        run.recorder.settle(wait=True)

    assert run.series("gradients_norm/0.weight")
    assert footprint(model, optimizer) == before


@pytest.mark.parametrize("when", ["step", "backward"])
def test_a_watched_model_is_copied_saved_and_freed_as_ever(when):
    """Copies are equal and not watched, and nothing keeps a model alive that the user lets go."""
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record() as run:
        watch(run, model, log_freq=1, when=when)
        step(model, optimizer)
        file = io.BytesIO()
        torch.save(model, file)
        saved = torch.load(io.BytesIO(file.getvalue()), weights_only=False)
        for each in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), saved):
            assert torch.equal(each.weight, model.weight)
            step(each, torch.optim.SGD(each.parameters(), lr=0.01))
        run.recorder.settle(wait=True)
        gone = weakref.ref(model)
        del model, optimizer
        gc.collect()

        assert gone() is None
        assert len(run.series("gradients/weight")) == 1
        other = torch.nn.Linear(4, 1)
        step(other, torch.optim.SGD(other.parameters(), lr=0.01))
        unwatch(run)


def test_a_run_that_ends_in_mid_training_does_not_disturb_it():
    """Two runs watch; one ends and the other goes on."""
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record() as first, record() as second:
        watch(first, model, log_freq=1)
        watch(second, model, log_freq=1)
        step(model, optimizer)
        first.finish()
        for _ in range(2):
            step(model, optimizer)
        unwatch(second)
        second.recorder.settle(wait=True)

        assert len(second.series("gradients/weight")) == 3


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


@pytest.mark.parametrize("when", ["step", "backward"])
def test_nothing_waits_for_a_number_on_the_training_thread(when):
    """No step with a look reads a scalar: with small and large tensors, histograms and update ratios."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 700), torch.nn.Linear(700, 700), torch.nn.Linear(700, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with record() as run, torch.profiler.profile() as profile:
        watch(run, model, log="all", log_freq=1, when=when)
        for _ in range(2):
            step(model, optimizer)
        unwatch(run)
    run.recorder.settle(wait=True)

    assert len(run.series("gradients/1.weight")) == 2
    assert [event for event in profile.events() or [] if event.name == "aten::bincount"]
    assert not [event for event in profile.events() or [] if event.name == "aten::_local_scalar_dense"]


def test_a_gradient_that_is_not_finite_raises_an_alert_and_an_extra_look():
    """The alert names the first layer and the last that have such numbers; the next step is looked at too, and no more until all is finite."""

    class Still(torch.optim.SGD):
        def step(self, closure=None):
            return closure

    model: Any = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    optimizer = Still(model.parameters())
    with record() as run:
        watch(run, model, log_freq=4)
        for number in range(12):
            optimizer.zero_grad()
            model(torch.ones(2, 4)).sum().backward()
            if number in (3, 4, 5, 7):
                model[1].weight.grad[0, 0] = float("nan")
                model[2].bias.grad[0] = float("inf")
            optimizer.step()
            run.log({"loss": 0.0})
            run.recorder.settle()
        unwatch(run)
        run.recorder.settle(wait=True)

    assert run.steps("gradients/0.weight") == [0, 3, 4, 7, 11]
    assert run.series("gradients_nonfinite/1.weight") == [1, 1, 1]
    assert [alert["text"] for alert in run.events("alert")] == [
        "1.weight is the first that has, in the order of the model's definition: 1 NaN and 0 infinite; so has 2.bias, the last of 2 tensors"
    ]


def test_an_alert_names_layers_in_the_order_of_the_forward_pass():
    """With `log_graph`, the layer that is called first is named first although it was defined last."""

    class Crossed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = torch.nn.Linear(4, 1), torch.nn.Linear(4, 4)

        def forward(self, x):
            return self.last(self.first(x))

    model = Crossed()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with record() as run:
        watch(run, model, log_graph=True)
        model(torch.full((2, 4), float("nan"))).sum().backward()
        optimizer.step()
        unwatch(run)
        run.recorder.settle(wait=True)

    (alert,) = run.events("alert")
    assert alert["text"].startswith("first.weight is the first that has, in the order of the forward pass: 16 NaN")
    assert "so has last.weight" in alert["text"]


def test_a_norm_raises_the_alert_where_a_sample_missed_the_number():
    """On a device a sampled tensor is not counted whole at once: its norm tells."""
    found = totals.Totals({"w": float("nan")}, {"w": 0}, {"w": torch.bincount(torch.tensor([1000]), minlength=4096)})
    found.sizes["w"] = 1 << 20
    rows, bad = found.rows("gradients", "")

    assert bad["w"].nonfinite == 0
    assert [key for row in rows for key in row] == ["gradients_norm/w", "gradients_norm/global", "gradients/w"]


def test_the_update_ratio_is_that_of_the_step():
    """SGD changes weights by the learning rate times the gradient; small tensors are compared whole, large ones by a sample."""
    torch.manual_seed(0)
    model = torch.nn.Linear(300, 100)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.weight.grad, model.bias.grad = torch.randn(100, 300), torch.randn(100)
    weight, bias = model.weight.detach().clone(), model.bias.detach().clone()
    with record() as run:
        watch(run, model)
        optimizer.step()
        unwatch(run)
        run.recorder.settle(wait=True)

    of_bias = 0.1 * model.bias.grad.norm() / model.bias.norm()
    of_weight = 0.1 * model.weight.grad.norm() / model.weight.norm()
    assert not torch.equal(weight, model.weight)
    assert not torch.equal(bias, model.bias)
    assert run.series("update_ratio/bias") == [pytest.approx(of_bias.item(), rel=1e-4)]
    assert run.series("update_ratio/weight") == [pytest.approx(of_weight.item(), rel=0.1)]


def test_a_look_that_is_not_read_yet_holds_no_gradient():
    """Once the training lets a gradient go, its memory is free, whether or not the counts of it were read."""
    memory = np.ones(100_000, np.float32)
    gone = weakref.ref(memory)
    look = capture.Capture(0, "", lambda _kind, _bad, _came: None)
    look.add("gradients", [Part(0, "w", torch.from_numpy(memory))], room=1)
    del memory

    assert gone() is None
    assert look.read()[0]["gradients_norm/w"] == pytest.approx(100_000**0.5)


@pytest.mark.parametrize(
    ("exact", "giant", "sampled"), [(None, 20, True), (None, 21, False), (False, 21, True), (True, 20, False)]
)
def test_giants_are_sampled_with_exact_norms(monkeypatch, exact, giant, sampled):
    """Of a giant's large tensors a sample is counted unless `exact`; norms are exact, and NaN anywhere has all of a tensor counted."""
    monkeypatch.setattr(watcher, "SAMPLED_FROM", 1 << giant)
    model = torch.nn.ParameterDict(
        {"w": torch.nn.Parameter(torch.zeros(1 << 19)), "nan": torch.nn.Parameter(torch.zeros(1 << 19))}
    )
    for each in model.values():
        each.grad = torch.randn(1 << 19)
    model["nan"].grad[12345] = float("nan")
    with record() as run:
        watch(run, model, exact=exact)
        torch.optim.SGD(model.parameters(), lr=0.0).step()
        unwatch(run)
        run.recorder.settle(wait=True)
    cell, bad = run.series("gradients/w")[0], run.series("gradients/nan")[0]

    assert (cell["count"], cell.get("is_sampled"), cell.get("size")) == (
        (1 << 16, True, 1 << 19) if sampled else (1 << 19, None, None)
    )
    assert log_histogram.quantile(log_histogram.decode(cell), 0.9) == pytest.approx(1.2816, rel=0.05)
    assert run.series("gradients_norm/w") == [pytest.approx(model["w"].grad.double().norm().item(), rel=1e-5)]
    assert (bad["nan"], bad["count"], "is_sampled" in bad) == (1, 1 << 19, False)


@pytest.mark.parametrize("alike", ["nothing", "rows", "columns"])
def test_a_sample_tells_quantiles(alike):
    """A sample's quantiles are off by less than a hundredth in rank; by less than 0.05 where rows or columns differ a thousandfold."""
    values = torch.randn(1024, 2048, generator=torch.Generator().manual_seed(0))
    scale = 10 ** torch.linspace(-3, 0, 1024 if alike == "rows" else 2048)
    values *= {"nothing": 1, "rows": scale[:, None], "columns": scale}[alike]
    exact = values.flatten().sort().values
    before = torch.get_rng_state()
    taken = sampling.sample(values.flatten(), watcher.SAMPLE // sampling.BLOCK)

    assert len(taken) == watcher.SAMPLE
    for part in (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99):
        rank = torch.searchsorted(exact, taken.quantile(part)).item() / len(exact)
        assert abs(rank - part) < (0.01 if alike == "nothing" else 0.05)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("local", "whole", "blocks"),
    [(1 << 19, 1 << 20, 512), (1 << 20, 1 << 20, 1024), (0, 1 << 20, 0), (63, 1 << 20, 0), (1 << 18, 1 << 18, 0)],
)
def test_a_shard_gives_its_share_of_a_sample(local, whole, blocks):
    """Half of a tensor has half of the blocks; what is hardly larger than the sample, or smaller than a block, is counted whole."""
    assert sampling.share_of(1 << 16, local, whole) == blocks


@pytest.mark.parametrize("size", [2049, 5000, 1 << 20])
def test_blocks_are_spread_over_all_of_a_tensor(size):
    """They come from the beginning to the end, at other places each time, and draw none of the training's random numbers."""
    before = torch.get_rng_state(), random.getstate()
    flat = torch.arange(size)
    taken = [sampling.spread(flat, 64, 32) for _ in range(300)]
    firsts, lasts = [int(each[0, 0]) for each in taken], [int(each[-1, -1]) for each in taken]

    assert min(firsts) <= size // 50
    assert max(lasts) >= size - size // 50
    assert size == 2049 or len(set(firsts)) > 3
    assert all(each.diff().eq(1).all() for each in taken)
    assert (torch.equal(before[0], torch.get_rng_state()), before[1]) == (True, random.getstate())


def test_every_block_is_as_likely_in_a_sample():
    """Of 100 blocks, each is taken about as often as the others."""
    flat = torch.arange(100 * sampling.BLOCK + 1)
    taken = torch.bincount(sampling.sample(flat, 40_000) // sampling.BLOCK)

    assert len(taken) == 100
    assert (taken / sampling.BLOCK - 400).abs().max() < 100


@pytest.mark.parametrize("has_numpy", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_tensors_of_all_sizes_are_counted_in_one_look(monkeypatch, dtype, has_numpy):
    """Small tensors that are copied together, and one of several pieces, each have their own counts, with NumPy and without."""
    if not has_numpy:
        monkeypatch.setattr(counting, "np", None)
    sizes = [3, small.SMALL, counting.CHUNK * 2 + 5, *[7] * 70, small.SMALL + 1]
    # Numbers of single precision, so that what is expected is not rounded into the next bin.
    flats = [(torch.randn(size) * (1 + place % 9)).to(dtype) for place, size in enumerate(sizes)]
    look = batch.Batch(
        "gradients", [Part(place, str(place), flat) for place, flat in enumerate(flats)], 512, None, is_exact=True
    )
    found = look.totals()

    for place, flat in enumerate(flats):
        codes = (flat.float().view(torch.int32) >> 20) & 4095
        assert torch.equal(found.counts[str(place)], torch.bincount(codes, minlength=4096))
        assert found.squares[str(place)] == pytest.approx(flat.double().square().sum().item(), rel=1e-4)


def test_norms_of_many_numbers_are_exact():
    """Sums of many squares do not lose digits: single precision would be off by half a per mille here."""
    model = torch.nn.ParameterDict({"w": torch.nn.Parameter(torch.zeros(1))})
    model["w"] = torch.nn.Parameter(torch.zeros(1 << 23))
    model["w"].grad = torch.rand(1 << 23)
    exact = model["w"].grad.double().norm().item()
    with record() as run:
        watch(run, model)
        torch.optim.SGD(model.parameters(), lr=0.0).step()
        unwatch(run)
        run.recorder.settle(wait=True)

    assert run.series("gradients_norm/w") == [pytest.approx(exact, rel=1e-5)]


def test_include_exclude_and_max_tensors():
    """Patterns choose parameters; beyond `max_tensors`, norms are kept and histograms are not."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Linear(2, 1))
    with record() as run:
        watch(run, model, include="*.weight", exclude=["9.*"], max_tensors=1)
        step(model, torch.optim.SGD(model.parameters(), lr=0.1))
        unwatch(run)
        run.recorder.settle(wait=True)
    keys = {key for row in run.rows for key in row if key.startswith("gradients")}

    assert keys == {"gradients/0.weight", "gradients_norm/0.weight", "gradients_norm/1.weight", "gradients_norm/global"}


def test_a_second_model_has_names_of_its_own():
    """As in W&B, `graph_1` stands before the second model's parameters; `idx` gives another number."""
    models = [torch.nn.Linear(4, 1) for _ in range(2)]
    with record() as run:
        watch(run, models)
        for model in models:
            step(model, torch.optim.SGD(model.parameters(), lr=0.1))
        other = torch.nn.Linear(4, 1)
        run.watch(other, None, "gradients", 1, 7)
        step(other, torch.optim.SGD(other.parameters(), lr=0.1))
        run.unwatch()
        run.recorder.settle(wait=True)

    assert all(run.series(f"gradients/{name}") for name in ("weight", "graph_1weight", "graph_7weight"))


@pytest.mark.parametrize(
    ("options", "error"),
    [({"log": "all of it"}, UsageError), ({"log_freq": 0}, UsageError), ({"when": "never"}, UsageError)],
)
def test_what_means_nothing_is_refused(options, error):
    """A wrong argument is said at once, and nothing is watched."""
    with record() as run:
        with pytest.raises(error, match="watch\\(\\) takes"):
            watch(run, torch.nn.Linear(4, 1), **options)
        with pytest.raises(TypeError, match="not Linear7"):
            run.watch(type("Linear7", (), {})())


def test_the_global_norm_is_what_clipping_returns():
    """`gradients_norm/global` is the number that `clip_grad_norm_` computes, tensors without histograms included."""
    model = torch.nn.Sequential(*[torch.nn.Linear(4, 4) for _ in range(4)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(2, 4)).square().sum().backward()
    with record() as run:
        watch(run, model, max_tensors=2)
        total = torch.nn.utils.clip_grad_norm_(model.parameters(), float("inf"))
        optimizer.step()
        unwatch(run)
        run.recorder.settle(wait=True)

    assert run.series("gradients_norm/global") == [pytest.approx(total.item(), rel=1e-5)]


def test_a_tensor_that_cannot_be_looked_at_spoils_nothing():
    """One strange gradient is left out with a word, and the others are kept."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(2, 4)).sum().backward()
    with record() as run, pytest.MonkeyPatch.context() as patch:
        real = watcher.part_of

        def part_of(place, name, value, **options):
            if name == "0.bias":
                message = "strange"
                raise NotImplementedError(message)
            return real(place, name, value, **options)

        patch.setattr(watcher, "part_of", part_of)
        watch(run, model)
        optimizer.step()
        unwatch(run)
        run.recorder.settle(wait=True)

    assert run.series("gradients/0.weight")
    assert not run.series("gradients/0.bias")


def test_packing_many_histograms_is_encoding_each():
    """The bytes made for many tensors at once are those that `log_histogram.encode` makes of each."""
    counts = torch.zeros(5, 4096, dtype=torch.int64)
    for row in range(1, 5):
        codes = torch.tensor([each for each in range(1, 4096, 37 * row) if 0 < each % 2048 < 2040])
        counts[row, codes] = torch.randint(1, 1 << (7 * row), codes.shape)
    packed = totals.pack(counts)

    for row, codes in zip(counts, packed, strict=True):
        alone = log_histogram.LogHistogram({code: int(row[code]) for code in row.nonzero().flatten().tolist()})
        assert base64.b64encode(codes).decode() == log_histogram.encode(alone)["codes"]
        assert log_histogram.decode(log_histogram.encode(alone)) == alone


def test_unscaling_counts_is_unscaling_numbers():
    """Moving the bins by a power of two gives the histogram of the divided numbers."""
    values = torch.randn(10_000)
    counted = counting.count({0: values * 1024, 1: values})

    assert torch.equal(totals.unscaled(counted[0], 1024.0), counted[1])


def test_histograms_of_shards_merge_exactly():
    """The histogram of a tensor is the merged one of its pieces."""
    values = torch.randn(10_001)
    pieces = [histogram_of(piece) for piece in values.split(3000)]

    assert log_histogram.merge(pieces) == histogram_of(values)


def test_equally_wide_bins_on_request():
    """`Histogram.from_log_histogram` spreads the same numbers over equally wide bins."""
    values = torch.randn(20_000)
    model = torch.nn.ParameterDict({"w": torch.nn.Parameter(torch.zeros_like(values))})
    model["w"].grad = values
    with record() as run:
        watch(run, model)
        torch.optim.SGD(model.parameters(), lr=0.0).step()
        unwatch(run)
        run.recorder.settle(wait=True)
        found = runhaven.Histogram.from_log_histogram(run.series("gradients/w")[0], num_bins=32)
    exact, _ = np.histogram(values.numpy(), found.bins)

    assert (len(found.histogram), sum(found.histogram)) == (32, 20_000)
    assert np.abs(np.array(found.histogram) - exact).max() < 0.02 * 20_000
