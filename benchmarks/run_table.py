"""What the table of many runs costs: the first index, looking again, one changed run, a sorted and filtered page.

    python benchmarks/run_table.py                    # 10,000 finished runs of 100 fields each
    python benchmarks/run_table.py --runs 1000
    python benchmarks/run_table.py --url postgresql+psycopg://user@host/empty_database

The store is made of real journals. Beside it, in the same run, stands the least that a tool without an index does: one
JSON file a run, opened and parsed for every question. Medians; the CPU time is that of all processes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runhaven.api import Run
from runhaven.catalogue.index import Catalogue
from runhaven.journal.record import Schema
from runhaven.journal.writer import JournalWriter
from runhaven.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from runhaven.catalogue.record import Record
    from runhaven.store.layout import RunDirectory

FILTER = {"config.lr": {"$lt": 0.01}, "config.model.kind": "vit", "state": "finished"}
ORDER = "-summary.val/acc"
COLUMNS = 10
STEPS = 3


def write_session(directory: RunDirectory, name: str, fields: int, chance: random.Random) -> dict[str, Any]:
    """Write what one process logs: half of the fields as configuration, half as series."""
    writer = JournalWriter(directory.journal, name=name, header={"format": 1, "run": directory.ulid}, wake=lambda: None)
    now = time.time_ns() // 1000

    def put(kind: str, **data: Any) -> None:
        writer.exclusively(writer.put_event, {"event": kind, "time": now, **data})

    config = {
        f"c{key}": chance.random() if key % 3 else f"word-{chance.randrange(50)}" for key in range(fields // 2 - 4)
    }
    config |= {"lr": 10 ** chance.uniform(-5, -1), "seed": chance.randrange(1000)}
    config |= {"model": {"depth": chance.randrange(50), "kind": chance.choice(["mlp", "cnn", "vit"])}}
    keys = ["loss", "val/acc", *(f"m{key}" for key in range(fields - fields // 2 - 2))]
    process = {"host": "elsewhere", "boot": "", "pid_ns": "", "pid": 1, "pid_start": 1}
    put("start", role="main", user="ada", rank=0, world_size=1, argv=["train.py"], step=0, resumed=False, **process)
    put("meta", set={"name": f"calm-reef-{directory.ulid[-6:]}", "tags": [chance.choice(["base", "ablation"])]})
    put("config", set=config, delete=[])
    schema = Schema("", tuple((key, "f") for key in keys))
    values: list[float] = []
    for step in range(STEPS):
        values[:] = [chance.random() for _ in keys]
        writer.exclusively(lambda step=step: writer.put_row(writer.layout(schema), step, now + step, values))
    summary = dict(zip(keys, values, strict=True))
    put("snapshot", summary=summary, counts={}, last_step=STEPS - 1)
    put("finish", exit_code=0)
    writer.close()
    return {"config": config, "summary": summary, "state": "finished"}


def make_store(store: Store, plain: Path, *, runs: int, fields: int) -> None:
    """Write the runs, each beside its one JSON file."""
    store.create()
    plain.mkdir()
    chance = random.Random(0)
    long_ago = 1_700_000_000
    for number in range(runs):
        directory = store.new_run(entity="me", project=f"p{number % 4}", id=f"r{number:06d}")
        content = write_session(directory, f"{number:012x}-aaaaaa", fields, chance)
        # A run that changed a moment ago is read once more, which is not what is measured.
        os.utime(directory.journal, (long_ago, long_ago))
        (plain / f"{directory.ulid}.json").write_text(json.dumps(content))


def scan(plain: Path) -> list[Any]:
    """Answer the same question by parsing every run's JSON file."""
    found = [json.loads(path.read_bytes()) for path in plain.iterdir()]
    found = [run for run in found if run["config"]["lr"] < 0.01 and run["config"]["model"]["kind"] == "vit"]
    return sorted(found, key=lambda run: -run["summary"]["val/acc"])[:100]


def cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def show(label: str, target_ms: float | None, work: Callable[[], Any], *, times: int = 1) -> Any:
    walls, cpus, found = [], [], None
    for _ in range(times):
        wall, cpu = time.perf_counter(), cpu_s()
        found = work()
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((cpu_s() - cpu) * 1e3)
    target = f"{target_ms:8,.0f}" if target_ms else " " * 8
    print(f"{label:46}{statistics.median(walls):10,.1f}{statistics.median(cpus):10,.1f}{target}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--fields", type=int, default=100)
    parser.add_argument("--url", help="an empty database, in place of the SQLite file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        store, plain = Store(Path(folder, "store")), Path(folder, "plain")
        make_store(store, plain, runs=options.runs, fields=options.fields)
        print(f"{options.runs:,} runs, {options.fields} fields each{'':21}wall ms    CPU ms  target")
        show("scan of one JSON file a run", None, lambda: scan(plain), times=3)
        catalogue = Catalogue(store, url=options.url)
        show("first index", 5000, catalogue.sync)
        show("look again, nothing changed", 50, catalogue.sync, times=11)
        show("the same in a new process's catalogue", None, lambda: Catalogue(store, url=options.url).sync(), times=5)
        changed = next(store.run_directories())
        sessions = iter(range(options.runs, options.runs + 99))

        def change() -> None:
            write_session(changed, f"{next(sessions):012x}-aaaaaa", options.fields, random.Random(1))

        for time_s in range(1_700_000_001, 1_700_000_006):
            change()
            show("look again, one run changed", 50, catalogue.sync)
            os.utime(changed.journal, (time_s, time_s))
            catalogue.sync()

        def rows(records: list[Record]) -> list[list[Any]]:
            return [[*list(run.config.values())[:COLUMNS], *list(run.summary.values())[:COLUMNS]] for run in records]

        def ask() -> list[list[Any]]:
            with catalogue._database.reading() as connection:  # pyright: ignore[reportPrivateUsage] - no look before it
                found = catalogue._find(connection, FILTER, ORDER, 100)  # pyright: ignore[reportPrivateUsage]
                return rows(catalogue._records(connection, found))  # pyright: ignore[reportPrivateUsage]

        show("100 rows x 20 columns, sorted and filtered", 50, ask, times=11)
        show("the same with a look before it", None, lambda: rows(catalogue.page(FILTER, ORDER, limit=100)), times=11)
        show("all runs opened one by one", None, lambda: [Run(run).summary for run in store.run_directories()])
        catalogue.close()


if __name__ == "__main__":
    main()
