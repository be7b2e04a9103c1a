"""What watching a model costs: beside `wandb.watch` and TensorBoard's `add_histogram`, in one run.

    python benchmarks/watch.py                    # all models; needs torch, and measures each peer that is installed
    python benchmarks/watch.py --models mlp gpt10m --log all --trackers exact wandb
    python benchmarks/watch.py --device cuda      # the time of synchronised steps, instead of the CPU time

Each tracker trains in a process of its own, one after the other in every round, with one thread of PyTorch's. It looks at every second step, so
that the cost of a look is the difference between neighbours: the CPU time of the training's thread, and that of all threads of the process.
Figures are medians over steps and rounds. What a look costs at a log_freq of f is (look / f + idle) / step: idle is what hooks cost a step ("step us") and, of W&B alone, which hooks each parameter, a backward pass.
"x counting" compares with the floor, measured beside each pair of steps so that what others do on the machine cancels: `torch.bincount` of as many ready codes, without reading the gradients or anything else.
"waits" are the synchronisations of a step with a look beyond those of one without, which PyTorch reports on CUDA alone. "exact" and "sampled" are Runhaven with `exact=True` and `exact=False`; by default a
model is sampled from 33.5 M parameters on. On a machine that others use too, compare columns of one run, not figures of two.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TRACKERS = ("runhaven", "exact", "sampled", "wandb", "tensorboard")
PACKAGES = {"exact": "runhaven", "sampled": "runhaven"}
MODELS = ("mlp", "resnet18", "gpt10m", "gpt100m")
IDLE_ROUNDS = 5
# glibc hands gradients' memory back and takes it again at each step, or not: a third of a small step, and a matter of chance.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 25), "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}


def mlp() -> tuple[Any, Any]:
    import torch

    layers = [
        torch.nn.Linear(784, 512),
        torch.nn.ReLU(),
        torch.nn.Linear(512, 512),
        torch.nn.ReLU(),
        torch.nn.Linear(512, 10),
    ]
    return torch.nn.Sequential(*layers), torch.randn(64, 784)


def resnet18() -> tuple[Any, Any]:
    """Build the residual network of 18 layers (He et al., 2015) with its usual widths, 11.2 M parameters."""
    import torch

    class Block(torch.nn.Module):
        def __init__(self, inner: int, outer: int, stride: int) -> None:
            super().__init__()
            self.conv1 = torch.nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
            self.bn1 = torch.nn.BatchNorm2d(outer)
            self.conv2 = torch.nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
            self.bn2 = torch.nn.BatchNorm2d(outer)
            shortcut = torch.nn.Sequential(
                torch.nn.Conv2d(inner, outer, 1, stride, bias=False), torch.nn.BatchNorm2d(outer)
            )
            self.shortcut = torch.nn.Identity() if (inner, stride) == (outer, 1) else shortcut

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            inside = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            return torch.relu(inside + self.shortcut(x))

    widths = [
        (64, 64, 1),
        (64, 64, 1),
        (64, 128, 2),
        (128, 128, 1),
        (128, 256, 2),
        (256, 256, 1),
        (256, 512, 2),
        (512, 512, 1),
    ]
    stem = [
        torch.nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        torch.nn.BatchNorm2d(64),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(3, 2, 1),
    ]
    head = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(512, 10)]
    return torch.nn.Sequential(*stem, *(Block(*width) for width in widths), *head), torch.randn(4, 3, 96, 96)


def gpt(width: int, layers: int, words: int, tokens: int) -> tuple[Any, Any]:
    import torch

    heads = width // 64
    blocks = [
        torch.nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
        for _ in range(layers)
    ]
    model = torch.nn.Sequential(torch.nn.Embedding(words, width), *blocks, torch.nn.Linear(width, words, bias=False))
    return model, torch.randint(words, (1, tokens))


def build(name: str) -> tuple[Any, Any]:
    makers: dict[str, Callable[[], tuple[Any, Any]]] = {
        "mlp": mlp,
        "resnet18": resnet18,
        "gpt10m": lambda: gpt(320, 6, 4096, 128),
        "gpt100m": lambda: gpt(768, 12, 10_000, 64),
    }
    return makers[name]()


# Each start returns what to do after every step, and how to end.


def start_nothing(folder: str, model: Any, log: str, freq: int) -> tuple[Callable[[], object], Callable[[], object]]:  # noqa: ARG001
    return lambda: None, lambda: None


def start_runhaven(
    folder: str, model: Any, log: Any, freq: int, *, exact: bool | None = None
) -> tuple[Callable[[], object], Callable[[], object]]:
    import runhaven
    from runhaven._watch_calls import WatchOptions
    from runhaven_integrations.torch import start

    run = runhaven.init(project="bench", dir=folder, settings={"silent": True, "x_disable_stats": True})
    # What `run.watch` calls, without looking for the adapter: peers may live where Runhaven is not installed.
    options = WatchOptions(
        log, freq, idx=None, log_graph=False, include=(), exclude=(), when="step", exact=exact, max_tensors=512
    )
    start(run, model, options)
    return lambda: run.log({"step": 1.0}), run.finish


start_exact = partial(start_runhaven, exact=True)
start_sampled = partial(start_runhaven, exact=False)


def start_wandb(folder: str, model: Any, log: str, freq: int) -> tuple[Callable[[], object], Callable[[], object]]:
    import wandb

    settings = wandb.Settings(silent=True, x_disable_stats=True)
    run = wandb.init(project="bench", dir=folder, mode="offline", settings=settings)
    run.watch(model, log=log, log_freq=freq)
    return lambda: run.log({"step": 1.0}), run.finish


def start_tensorboard(
    folder: str, model: Any, log: str, freq: int
) -> tuple[Callable[[], object], Callable[[], object]]:
    from torch.utils.tensorboard import SummaryWriter

    writer, steps = SummaryWriter(folder), [0]

    def after_step() -> None:
        steps[0] += 1
        if steps[0] % freq == 0:
            for name, parameter in model.named_parameters():
                writer.add_histogram(f"gradients/{name}", parameter.grad, steps[0])
                if log == "all":
                    writer.add_histogram(f"parameters/{name}", parameter, steps[0])

    return after_step, writer.close


def measure(tracker: str, name: str, log: str, steps: int, device: str) -> dict[str, float]:
    """Run in a process of its own: return the figures of one tracker on one model."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, data = build(name)
    model, data = model.to(device), data.to(device)
    elements = sum(parameter.numel() for parameter in model.parameters())
    clock = time.thread_time if device == "cpu" else synchronised
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    with tempfile.TemporaryDirectory() as folder:
        after_step, end = globals()[f"start_{tracker}"](folder, model, log, 2)
        took: list[tuple[float, float]] = []
        floors: list[float] = []

        def step() -> None:
            train(model, data, optimizer)
            after_step()

        for number in range(2 * steps + 4):
            thread, process = clock(), time.process_time()
            step()
            took.append((clock() - thread, time.process_time() - process))
            if number % 2 == 0:
                floors.append(counting_s(elements))
        # The step that follows is one without a look, the one after it is looked at.
        waits = [waits_of(step, device) for _ in range(2)]
        end()
    # The first steps warm up; of the others, every second one was looked at.
    plain, looked = took[4::2], took[5::2]
    look_s = [with_[0] - without[0] for with_, without in zip(looked, plain, strict=True)]
    return {
        "elements": float(elements),
        "step_s": statistics.median(thread for thread, _ in plain),
        "look_s": statistics.median(look_s),
        "all_s": statistics.median(with_[1] - without[1] for with_, without in zip(looked, plain, strict=True)),
        "floors": statistics.median(look / floor for look, floor in zip(look_s, floors[2:], strict=True)),
        "waits": waits[1] - waits[0],
    }


def synchronised() -> float:
    """Return the time once the device has done all that was asked of it."""
    import torch

    torch.cuda.synchronize()
    return time.perf_counter()


def waits_of(step: Callable[[], object], device: str) -> float:
    """Return how often a step waits for the device; not known on others than CUDA."""
    import torch

    if device == "cpu":
        return float("nan")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        step()
        torch.cuda.set_sync_debug_mode("default")
    return float(sum("synchroniz" in str(each.message) for each in caught))


def train(model: Any, data: Any, optimizer: Any) -> None:
    optimizer.zero_grad(set_to_none=True)
    model(data).float().square().mean().backward()
    optimizer.step()


def idle(tracker: str, name: str) -> dict[str, float]:
    """Run in a process of its own: return what a step without a look costs more than one without a tracker.

    The model has as many parameters as the real one, of one element each, and its optimizer does nothing: hooks cost the same, and the rest little.
    """
    import torch

    torch.set_num_threads(1)
    shape = build(name)[0]
    model = torch.nn.ParameterList([torch.nn.Parameter(torch.zeros(1)) for _ in shape.parameters()])

    class Still(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:
            return closure

    still = Still(model.parameters())
    steps: list[float] = []
    backwards: list[float] = []
    for _ in range(IDLE_ROUNDS):
        before = backward_s(model), step_s(still)
        with tempfile.TemporaryDirectory() as folder:
            _, end = globals()[f"start_{tracker}"](folder, model, "gradients", 10**9)
            for _ in range(2):
                torch.stack([parameter.sum() for parameter in model]).sum().backward()
                still.step()
            backwards.append(backward_s(model) - before[0])
            steps.append(step_s(still) - before[1])
            end()
    return {"idle_step_s": statistics.median(steps), "idle_backward_s": statistics.median(backwards)}


def backward_s(model: Any) -> float:
    """Return the least seconds of backward passes: what others do on the machine only adds to them."""
    import torch

    took: list[float] = []
    for _ in range(300):
        loss = torch.stack([parameter.sum() for parameter in model]).sum()
        begun = time.thread_time()
        loss.backward()
        took.append(time.thread_time() - begun)
    return min(took)


def step_s(optimizer: Any) -> float:
    """Return the seconds of a step that does nothing, from the quickest block of many."""
    took: list[float] = []
    for _ in range(30):
        begun = time.thread_time()
        for _ in range(500):
            optimizer.step()
        took.append((time.thread_time() - begun) / 500)
    return min(took)


def counting_s(elements: int) -> float:
    """Return the seconds of counting so many ready codes on the host, the floor of any histogram by codes there."""
    import torch

    codes = ((torch.randn(1 << 18) * 1e-3).view(torch.int32) >> 20).bitwise_and_(4095).to(torch.int16)
    times = min(-(-elements // len(codes)), 64)
    begun = time.thread_time()
    for _ in range(times):
        torch.bincount(codes, minlength=4096)
    return (time.thread_time() - begun) / (times * len(codes)) * elements


def in_process(*arguments: str) -> dict[str, float]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_SILENT": "true", **KEEP_MEMORY}
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def middle(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}


def one(tracker: str, name: str, log: str, steps: int, device: str) -> dict[str, float]:
    """Return the figures of one tracker on one model, from a process of its own."""
    return in_process("--one", tracker, name, log, str(steps), "--device", device)


def is_installed(tracker: str) -> bool:
    return find_spec(PACKAGES.get(tracker, tracker)) is not None


def compare(given: argparse.Namespace, name: str) -> None:
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(given.rounds):
        for tracker in filter(is_installed, given.trackers):
            figures = one(tracker, name, given.log, given.steps, given.device)
            found.setdefault(tracker, []).append(figures | in_process("--idle", tracker, name))
    step_s = statistics.median(each["step_s"] for of_tracker in found.values() for each in of_tracker)
    elements = next(iter(found.values()))[0]["elements"]
    print(f"\n{name}: {elements / 1e6:.1f} M parameters, a step {step_s * 1e3:.1f} ms on {given.device}; {given.log}")
    print(
        f"{'':14}{'ns/element':>12}{'x counting':>12}{'all threads':>13}{'waits':>7}{'step us':>9}{'backward us':>13}{'f=1':>9}{'f=10':>9}{'f=100':>9}"
    )
    for tracker, each in found.items():
        of = middle(each)
        idle_s = of["idle_step_s"] + (of["idle_backward_s"] if tracker == "wandb" else 0.0)
        shares = [f"{100 * (of['look_s'] / freq + idle_s) / step_s:>8.2f}%" for freq in (1, 10, 100)]
        per = [f"{of[key] / elements * 1e9:.2f}" for key in ("look_s", "all_s")]
        waits = "" if math.isnan(of["waits"]) else f"{of['waits']:.0f}"
        print(
            f"{tracker:14}{per[0]:>12}{of['floors']:>12.2f}{per[1]:>13}{waits:>7}{of['idle_step_s'] * 1e6:>9.2f}{of['idle_backward_s'] * 1e6:>13.2f}{''.join(shares)}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--log", choices=("gradients", "all"), default="gradients")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10, help="looks in each round")
    parser.add_argument("--trackers", nargs="+", choices=TRACKERS, default=TRACKERS)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--idle", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        tracker, name, log, steps = given.one
        print(json.dumps(measure(tracker, name, log, int(steps), given.device)))
    elif given.idle:
        print(json.dumps(idle(*given.idle)))
    else:
        for name in given.models:
            compare(given, name)


if __name__ == "__main__":
    main()
