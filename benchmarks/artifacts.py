"""Logs files as versions of an artifact with Runhaven, W&B offline, MLflow, DVC, and with plain hashing and copying.

    python benchmarks/artifacts.py [--scale 1.0] [--repeat 3] [--root /mnt/xfs] [--only small,large,checkpoints,download] [--tools hash+cp,hash+cp+sync,runhaven,wandb,mlflow,dvc]

Each tool has a process of its own, a directory of its own and the same files, and they take turns. Told of each version:
wall time, CPU time of the tool's whole process tree, memory that it took beyond what it had before, and bytes on the disk.
Each first logs one tiny file, which shows what a process pays once (imports, the start of services) and what any version
costs; Python's byte code is on the disk before that. "hash+cp+sync" also waits until all is on the disk, as a tool must
that says a version is safe. A tool that is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1 << 20
TINY = "tiny file"
TOOLS = ("hash+cp", "hash+cp+sync", "runhaven", "wandb", "mlflow", "dvc")

# Runs in each tool's process: reads one action a line, and says what it cost.
CHILD = r"""
import ctypes, hashlib, json, os, shutil, sys, time
from pathlib import Path
import psutil
# Every process that trains has it, and it takes 3 ms.
import typing_extensions
tool, root, data = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
os.chdir(root)

def plain():
    number = iter(range(1000))
    def log():
        target = root / "kept" / str(next(number))
        for path in sorted(path for path in data.rglob("*") if path.is_file()):
            with path.open("rb") as file:
                hashlib.file_digest(file, "sha256").hexdigest()
            goal = target / path.relative_to(data)
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, goal)
        if tool == "hash+cp+sync":
            fd = os.open(target, os.O_RDONLY)
            assert ctypes.CDLL(None).syncfs(fd) == 0
            os.close(fd)
    def download(folder):
        shutil.copytree(sorted((root / "kept").iterdir())[-1], folder, copy_function=shutil.copyfile)
    return log, download

def runhaven_():
    os.environ |= {"RUNHAVEN_SILENT": "1", "RUNHAVEN_X_DISABLE_STATS": "1", "RUNHAVEN_CODE": "0", "RUNHAVEN_DISABLE_GIT": "1"}
    import runhaven
    run = runhaven.init(project="p", dir=root / "kept")
    def log():
        artifact = runhaven.Artifact("data", "dataset")
        artifact.add_dir(data)
        run.log_artifact(artifact).wait()
    return log, lambda folder: run.use_artifact("data:latest").download(folder)

def wandb_():
    os.environ |= {"WANDB_SILENT": "true", "WANDB_MODE": "offline", "WANDB_DATA_DIR": str(root / "kept"), "WANDB_CACHE_DIR": str(root / "kept"), "WANDB__DISABLE_STATS": "true"}
    import wandb
    run = wandb.init(project="p", dir=str(root))
    def log():
        artifact = wandb.Artifact("data", "dataset")
        artifact.add_dir(str(data))
        run.log_artifact(artifact)
    return log, None

def mlflow_():
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    import mlflow
    mlflow.set_tracking_uri((root / "kept").as_uri())
    last = []
    def log():
        with mlflow.start_run() as run:
            mlflow.log_artifacts(str(data))
            last.append(run.info.run_id)
    def download(folder):
        mlflow.artifacts.download_artifacts(run_id=last[-1], dst_path=str(folder))
    return log, download

def dvc_():
    os.environ["DVC_NO_ANALYTICS"] = "1"
    from dvc.repo import Repo
    os.chdir(data.parent)
    repo = Repo.init(no_scm=True)
    def log():
        repo.add([data.name])
    def download(folder):
        shutil.rmtree(data)
        repo.checkout([data.name + ".dvc"], force=True)
    return log, download

log, download = {"hash+cp": plain, "hash+cp+sync": plain, "runhaven": runhaven_, "wandb": wandb_, "mlflow": mlflow_, "dvc": dvc_}[tool]()
me = psutil.Process()

def children(what):
    total = 0
    for process in me.children(recursive=True):
        try:
            total += what(process)
        except (psutil.Error, OSError):
            pass
    return total

def spent(process):
    return sum(process.cpu_times()[:2])

def highest(process):
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

def forget(process):
    # Lets Linux count the most memory from now on: a thread that looks again and again would cost as much as what it looks at.
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    return 0

def measure(action):
    children(forget), forget(me)
    base = children(highest) + highest(me)
    theirs, own, started = children(spent), time.process_time(), time.perf_counter()
    action()
    seconds, own = time.perf_counter() - started, time.process_time() - own
    return {"seconds": seconds, "cpu": own + children(spent) - theirs, "memory": children(highest) + highest(me) - base}

print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    action, argument = json.loads(line)
    if action == "log":
        print(json.dumps(measure(log)), flush=True)
    elif download is None:
        print(json.dumps(None), flush=True)
    else:
        print(json.dumps(measure(lambda: download(Path(argument)))), flush=True)
"""


class Tool:
    """One tool in a process of its own, with files of its own."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root / name
        self.data = self.root / "data"
        self.data.mkdir(parents=True)
        (self.data / "tiny.txt").write_text(name)
        words = [sys.executable, "-c", CHILD, name, str(self.root), str(self.data)]
        environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": ""}
        # A pipe that nobody reads stops a tool that reports its progress.
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the tool
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment
        )
        self.is_there = self._read() == "ready"

    def _read(self) -> Any:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                return json.loads(line)
            except ValueError:
                continue
        return None

    def do(self, action: str, argument: str = "") -> dict[str, float] | None:
        subprocess.run(["sync", "-f", self.root], check=True)
        before = used(self.root)
        have_ready(2 * used(self.data))
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([action, argument]) + "\n")
        self._process.stdin.flush()
        cost = self._read()
        return None if cost is None else cost | {"disk": (used(self.root) - before) / MIB}

    def close(self) -> str:
        self._process.communicate()
        with self._errors as errors:
            errors.seek(0)
            return errors.read()


def have_ready(size: int) -> None:
    """Fill and give back so much memory, that a tool finds it free.

    Else whoever comes late pays for writing out what others left in the cache, and, on a virtual machine, for each page of
    memory that the host has not lent yet: three times as much as to copy the file.
    """
    with mmap.mmap(-1, max(size, mmap.PAGESIZE)) as memory:
        for at in range(0, len(memory), mmap.PAGESIZE):
            memory[at] = 1


def empty(folder: Path) -> None:
    """Give room back, but leave the files: ext4 makes new ones slowly for minutes after many were deleted."""
    for place, _, names in os.walk(folder):
        for name in names:
            Path(place, name).chmod(0o600)
            os.truncate(Path(place, name), 0)


def used(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).lstat().st_blocks * 512
            except FileNotFoundError:
                continue
    return total


# What is logged


def small(scale: float) -> tuple[Callable[[Path], None], list[Callable[[Path], None]]]:
    """2,000 files of 100 KB; then 1 % of them changed."""
    count = max(10, int(2000 * scale))

    def make(folder: Path) -> None:
        chance = random.Random(1)
        for number in range(count):
            path = folder / f"{number % 20}" / f"{number}.bin"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(chance.randbytes(100_000))

    def change(folder: Path) -> None:
        for number in range(0, count, 100):
            (folder / f"{number % 20}" / f"{number}.bin").write_bytes(random.Random(number + 2).randbytes(100_000))

    return make, [change]


def large(scale: float) -> tuple[Callable[[Path], None], list[Callable[[Path], None]]]:
    """One file of 1 GB; then 1 % of it changed, in one stretch, as a layer that was trained on."""
    size = max(32, int(1000 * scale))

    def make(folder: Path) -> None:
        chance = random.Random(1)
        with (folder / "model.bin").open("wb") as file:
            for _ in range(size):
                file.write(chance.randbytes(1_000_000))

    def change(folder: Path) -> None:
        with (folder / "model.bin").open("r+b") as file:
            file.seek(size * 333_333)
            file.write(random.Random(2).randbytes(size * 10_000))

    return make, [change]


TRAIN = r"""
import sys, torch
from pathlib import Path
torch.manual_seed(0)
torch.set_num_threads(1)
text = torch.frombuffer(bytearray(Path(sys.argv[3]).read_bytes()), dtype=torch.uint8).long()
width = 384
model = torch.nn.ModuleDict({
    "embed": torch.nn.Embedding(256, width),
    "body": torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(width, 6, 4 * width, batch_first=True), 4),
    "head": torch.nn.Linear(width, 256),
})
if sys.argv[2] == "head":
    model["body"].requires_grad_(False)
    model["embed"].requires_grad_(False)
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 3e-4)
for epoch in range(4):
    for _ in range(4):
        at = torch.randint(len(text) - 65, (8,))
        batch = torch.stack([text[i : i + 65] for i in at])
        hidden = model["body"](model["embed"](batch[:, :-1]), mask=torch.nn.Transformer.generate_square_subsequent_mask(64))
        loss = torch.nn.functional.cross_entropy(model["head"](hidden).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, f"{sys.argv[1]}/{epoch}.pt")
"""


def checkpoints(what: str, root: Path) -> tuple[Callable[[Path], None], list[Callable[[Path], None]]]:
    """Four checkpoints of a small language model, with its optimizer: all of it trained, or its head alone.

    `torch.save` writes the file's name before every tensor, so that even those that did not change begin differently.
    """
    folder = root / f"checkpoints-{what}"
    folder.mkdir()
    text = Path(__file__).parents[1] / "docs" / "formats.md"
    subprocess.run([sys.executable, "-c", TRAIN, str(folder), what, str(text)], check=True)

    def put(number: int) -> Callable[[Path], None]:
        return lambda into: Path(shutil.copyfile(folder / f"{number}.pt", into / "checkpoint.pt")) and None

    return put(0), [put(number) for number in range(1, 4)]


# Measuring


def compare(title: str, root: Path, tools: list[str], scenario: Any, repeat: int, *, downloads: bool = False) -> None:
    make, changes = scenario
    costs: dict[tuple[str, str], list[dict[str, float]]] = {}
    size = 0.0
    for turn in range(repeat):
        place = Path(tempfile.mkdtemp(dir=root))
        there = [Tool(name, place) for name in tools]
        # Should one's place among them matter, each has another one in each turn.
        first = turn * len(there) // repeat
        order = there[first:] + there[:first]
        for tool in order:
            keep(costs, tool, TINY, tool.do("log"))
        made = place / "made"
        made.mkdir()
        make(made)
        size = used(made) / MIB
        for tool in order:
            shutil.copytree(made, tool.data, dirs_exist_ok=True)
        empty(made)
        for number in range(len(changes) + 1):
            for tool in order:
                if number:
                    changes[number - 1](tool.data)
                keep(costs, tool, f"version {number + 1}", tool.do("log"))
        for tool in order if downloads else ():
            keep(costs, tool, "download", tool.do("download", str(tool.root / "out")))
            empty(tool.root / "out")
        for tool in there:
            tool.close()
        empty(place)
    print(f"\n{title}: {size:,.0f} MiB; medians of {repeat}")
    found = {(action, name): cost for action, name, cost in medians(costs)}
    print(
        f"  {'':<10} {'':<12} {'wall s':>8} {'CPU s':>8} {'MiB RAM':>8} {'MiB disk':>9}   wall, CPU / hash+cp; wall / hash+cp+sync"
    )
    for (action, name), cost in found.items():
        plain = found.get((action, "hash+cp"), cost)
        synced = found.get((action, "hash+cp+sync"), plain)
        ratio = f"{cost['seconds'] / plain['seconds']:6.2f} {cost['cpu'] / max(plain['cpu'], 0.01):6.2f} {cost['seconds'] / synced['seconds']:6.2f}"
        print(
            f"  {action:<10} {name:<12} {cost['seconds']:8.3f} {cost['cpu']:8.3f} {cost['memory']:8.0f} {cost['disk']:9.1f}   {ratio}"
        )


def ready(root: Path, tools: list[str]) -> list[str]:
    """Let each tool run once, so that Python's byte code is there, and return those that can."""
    there: list[str] = []
    for name in tools:
        tool = Tool(name, root / "ready")
        if tool.is_there:
            tool.do("log")
            there.append(name)
        errors = tool.close()
        if not tool.is_there:
            print(f"{name} is left out: {errors.strip().splitlines()[-1:]}")
    shutil.rmtree(root / "ready")
    return there


def keep(costs: dict[Any, Any], tool: Tool, action: str, cost: dict[str, float] | None) -> None:
    if cost is not None:
        costs.setdefault((action, tool.name), []).append(cost)


def medians(costs: dict[tuple[str, str], list[dict[str, float]]]) -> Iterator[tuple[str, str, dict[str, float]]]:
    order = sorted(costs, key=lambda key: (key[0] == "download", key[0] != TINY, key[0], TOOLS.index(key[1])))
    for action, name in order:
        found = costs[action, name]
        yield action, name, {what: statistics.median(one[what] for one in found) for what in found[0]}


def clones(root: Path, repeat: int) -> None:
    """Download files that are one blob each, where the file system can clone them."""
    from runhaven.platform.files import clone_file, filesystem

    (root / "probe").write_bytes(b"x")
    if not clone_file(root / "probe", root / "probe2"):
        print(f"\nreflinks: {filesystem(root)} at {root} has none; pass --root on XFS or btrfs to measure them.")
        return

    def make(folder: Path) -> None:
        for number in range(100):
            (folder / f"{number}.bin").write_bytes(random.Random(number).randbytes(7 * MIB))

    compare(
        f"100 files of 7 MiB on {filesystem(root)}", root, ["hash+cp", "runhaven"], (make, []), repeat, downloads=True
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1.0, help="How large the small and large files are.")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--root", type=Path, help="Where to write; by default the system's temporary directory.")
    parser.add_argument("--only", default="small,large,checkpoints,download")
    parser.add_argument("--tools", default=",".join(TOOLS))
    given = parser.parse_args()
    wanted, tools = given.only.split(","), given.tools.split(",")
    root = Path(tempfile.mkdtemp(prefix="runhaven-bench-", dir=given.root))
    try:
        tools = ready(root, tools)
        if "small" in wanted:
            title = "2,000 small files, then 1 % of them changed"
            compare(title, root, tools, small(given.scale), given.repeat, downloads=True)
        if "large" in wanted:
            compare(
                "one large file, then 1 % of it changed", root, tools, large(given.scale), given.repeat, downloads=True
            )
        if "checkpoints" in wanted:
            for what in ("all", "head"):
                compare(f"checkpoints, {what} trained", root, tools, checkpoints(what, root), given.repeat)
        if "download" in wanted:
            clones(root, given.repeat)
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
