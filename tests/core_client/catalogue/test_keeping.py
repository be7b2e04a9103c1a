"""The catalogue follows its store, and comes back from whatever happens to it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runhaven.catalogue import ahead, looking, record, schema
from runhaven.catalogue.index import Catalogue
from runhaven.catalogue.place import catalogue_path
from runhaven.platform.process import _start_time, identity
from runhaven.store.layout import Store

from .conftest import Runs, dump

if TYPE_CHECKING:
    from collections.abc import Generator

ODD = [
    None,
    math.nan,
    math.inf,
    -0.0,
    5e-324,
    1e300,
    0.1,
    2**53 + 1,
    2**70,
    10**400,
    True,
    "",
    "a\0b",
    "é",
    "\ud800",
    [[]],
    {},
]

INDEX = """
import sys
from pathlib import Path
from runhaven.catalogue.index import Catalogue
from runhaven.store.layout import Store
catalogue = Catalogue(Store(Path(sys.argv[1])), url=sys.argv[2] or None)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[3])):
    catalogue.rebuild()
catalogue.sync()
"""


@contextlib.contextmanager
def started(runs: Runs, url: str | None, *, rebuilds: int = 0) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", INDEX, str(runs.store.root), url or "", str(rebuilds)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def change(runs: Runs, chance: random.Random) -> None:
    """Do to a store what its users do."""
    known = list(runs.store.run_directories())
    what = chance.choice(["add", "add", "resume", "remove"]) if known else "add"
    values = {"lr": chance.choice([0.1, "low", None, [1]]), f"k{chance.randrange(5)}": chance.random()}
    content: dict[str, Any] = {
        "config": values,
        "summary": {"loss": chance.random()},
        "exit_code": chance.choice([0, 1, None]),
    }
    if what == "add":
        runs.add(f"r{runs.count}", meta={"tags": [chance.choice("ab")]}, **content)
    elif what == "resume":
        runs.session(chance.choice(known), resumed=True, **content)
    else:
        runs.store.remove(chance.choice(known))


@pytest.mark.parametrize("seed", range(3))
def test_many_updates_are_one_rebuild(runs, open_catalogue, seed):
    """After any number of small updates the tables hold what a rebuild from nothing makes."""
    chance = random.Random(seed)
    catalogue = open_catalogue()
    for _ in range(25):
        change(runs, chance)
        catalogue.sync()
    updated = dump(catalogue)
    catalogue.rebuild()

    assert dump(catalogue) == updated
    assert len(updated["runs"]) == len(list(runs.store.run_directories()))


def test_what_did_not_change_is_not_read_again(runs, catalogue):
    """Runs that ended are read once; those whose process nobody sees, when their files change."""
    runs.add("over")
    lost = runs.add("lost", exit_code=None)

    assert catalogue.sync() == 2
    assert catalogue.sync() == 0
    (journal,) = lost.journal.glob("*.rhj")
    os.utime(journal)
    assert catalogue.sync() == 1
    assert catalogue.sync() == 0


def test_a_run_that_changes_a_moment_ago_is_looked_at_again(runs, catalogue):
    """A directory that changed just now may change within the same tick: its run is read until that is past."""
    directory = runs.add("a")
    # Ahead of the clock, so that it is a moment ago however long the first look takes.
    os.utime(directory.journal, (time.time() + 3600, time.time() + 3600))

    assert [catalogue.sync(), catalogue.sync()] == [1, 1]


def test_a_running_run_is_read_at_every_look(runs, catalogue):
    """A living process may write at any time; its run is running, and then crashed once it is dead, without a change."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = asdict(identity()) | {"pid": child.pid, "pid_start": _start_time(child.pid)}
        runs.add("a", exit_code=None, **process)
        assert len(catalogue.find({"state": "running"})) == 1
        assert catalogue.sync() == 1
        child.kill()

    assert len(catalogue.find({"state": "crashed"})) == 1
    assert catalogue.find({"state": "running"}) == []
    catalogue.sync()
    assert catalogue.sync() == 0


def test_broken_and_removed_runs_are_left_out(runs, catalogue):
    """A run that cannot be read is no run of the catalogue, also when it was one."""
    directory, _ = runs.add("a"), runs.add("b")
    assert len(catalogue.find()) == 2
    (directory.path / "run.json").write_text("{")
    runs.session(directory)

    assert len(catalogue.find()) == 1
    runs.store.remove(next(run for run in runs.store.run_directories() if run.ulid != directory.ulid))
    assert catalogue.find() == []


def test_the_file_can_be_deleted_at_any_time(runs, cache):
    """A reader whose file is deleted goes on and makes it again; the directory is its user's alone."""
    runs.add("a", config={"lr": 1})
    catalogue, other = Catalogue(runs.store), Catalogue(runs.store)
    before = dump(catalogue)
    (path,) = cache.rglob("*.db")
    for file in path.parent.iterdir():
        file.unlink()
    runs.add("b")

    assert len(catalogue.find()) == 2
    assert dump(catalogue)["fields"] == before["fields"]
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert dump(other) == dump(catalogue)


@pytest.mark.parametrize("damage", ["text", "middle", "empty", "cut"])
def test_a_damaged_file_is_made_again(runs, damage):
    """Whatever the bytes of the file have become, the catalogue answers."""
    for number in range(30):
        runs.add(f"r{number}", config={f"k{key}": key * number for key in range(40)}, summary={"loss": number})
    catalogue = Catalogue(runs.store)
    expected = dump(catalogue)
    catalogue.close()
    path = catalogue_path(runs.store)
    assert path
    for ending in ("-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    data = path.read_bytes()
    noise = random.Random(0).randbytes(len(data) - 4096)
    broken = {
        "text": b"no database at all, only words" * 200,
        "middle": data[:4096] + noise,
        "empty": b"",
        "cut": data[:5000],
    }
    path.write_bytes(broken[damage])

    assert len(Catalogue(runs.store).find({"config.k3": {"$gt": 5}}, "summary.loss")) == 28
    assert dump(Catalogue(runs.store)) == expected


def test_a_file_that_breaks_under_a_reader_is_made_again(runs):
    """Damage while the catalogue is open is found and mended."""
    for number in range(30):
        runs.add(f"r{number}", config={f"k{key}": key * number for key in range(40)})
    catalogue = Catalogue(runs.store)
    catalogue.sync()
    path = catalogue_path(runs.store)
    assert path
    catalogue._database.engine.raw_connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    catalogue._database.engine.raw_connection().execute("PRAGMA shrink_memory")

    assert len(catalogue.find({"config.k3": {"$gt": -1}})) == 30


def test_another_version_is_made_anew(runs, open_catalogue):
    """A catalogue of another version's tables is dropped and rebuilt."""
    runs.add("a", config={"lr": 1})
    catalogue = open_catalogue()
    expected = dump(catalogue)
    with catalogue._database.writing() as connection:
        connection.execute(schema.meta.update().where(schema.meta.c.name == "version").values(value="0"))
        connection.execute(schema.fields.delete())

    assert dump(open_catalogue()) == expected


def test_memory_does_where_no_file_can_be(runs, monkeypatch, tmp_path):
    """Where the cache cannot be written, and for a store without an id, the catalogue lies in memory."""
    runs.add("a")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(Catalogue(runs.store).find()) == 1
    (runs.store.root / "runhaven.json").unlink()

    assert len(Catalogue(runs.store).find()) == 1
    assert Catalogue(Store(tmp_path / "nowhere")).find() == []
    assert not (tmp_path / "nowhere").exists()


def test_two_stores_of_one_id_keep_apart(runs, tmp_path, cache):
    """A copy of a store has a catalogue of its own."""
    import shutil

    runs.add("a")
    shutil.copytree(runs.store.root, tmp_path / "copy")
    copied = Runs(Store(tmp_path / "copy"))
    copied.count = 7
    copied.add("b")

    assert (len(Catalogue(runs.store).find()), len(Catalogue(copied.store).find())) == (1, 2)
    assert len(list(cache.rglob("*.db"))) == 2


def test_a_forked_child_has_a_connection_of_its_own(runs):
    """A child that was forked asks on without harm to its parent."""
    runs.add("a")
    catalogue = Catalogue(runs.store)
    catalogue.sync()
    child = os.fork()
    if child == 0:
        os._exit(0 if len(catalogue.find()) == 1 else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert len(catalogue.find()) == 1


@pytest.fixture
def many(runs) -> Runs:
    for number in range(150):
        runs.add(f"r{number}", config={f"k{key}": key * number for key in range(20)}, meta={"tags": ["x", "y"]})
    return runs


def test_killed_indexers_lose_and_double_nothing(many, open_catalogue, url):
    """SIGKILL at any moment of an indexing leaves tables that the next one completes."""
    chance = random.Random(0)
    catalogue = open_catalogue()
    expected = dump(catalogue)
    catalogue.close()
    for _ in range(25):
        with started(many, url, rebuilds=20) as indexer:
            go(indexer)
            time.sleep(chance.random() * 0.3)
            indexer.send_signal(signal.SIGKILL)
        assert dump(open_catalogue()) == expected


def test_two_indexers_at_once_agree(many, open_catalogue, url):
    """Indexers that work at the same time, while the store changes, leave what one alone would."""
    catalogue = open_catalogue()
    chance = random.Random(1)
    with started(many, url, rebuilds=2) as one, started(many, url, rebuilds=2) as other:
        go(one)
        go(other)
        while one.poll() is None or other.poll() is None:
            change(many, chance)
            assert len(catalogue.find()) == len(list(many.store.run_directories()))

    assert (one.returncode, other.returncode) == (0, 0)
    shared = dump(catalogue)
    catalogue.rebuild()
    assert dump(catalogue) == shared


DIES = """
from runhaven.catalogue import ahead
count = 0
def dump(*arguments):
    global count
    count += 1
    assert count < 3
    kept(*arguments)
kept, ahead.pickle.dump = ahead.pickle.dump, dump
ahead.serve()
"""


@pytest.mark.parametrize(
    ("program", "left"), [(ahead._PROGRAM, 0), (DIES, 151 - 80), ("raise SystemExit", 151), ("print('odd')", 151)]
)
def test_a_second_process_reads_what_one_would(many, open_catalogue, monkeypatch, program, left):
    """Many runs are read by two processes, running ones among them, to the same tables; if the second dies or talks nonsense, the first reads on."""
    many.add("open", exit_code=None, process=asdict(identity()))
    expected = dump(open_catalogue())
    monkeypatch.setattr(ahead, "_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(ahead, "_AT_ONCE", 40)
    monkeypatch.setattr(ahead, "_PROGRAM", program)
    here: list[str] = []
    read = looking.Look.read
    monkeypatch.setattr(looking.Look, "read", lambda look, ulid, known: here.append(ulid) or read(look, ulid, known))
    catalogue = open_catalogue()
    catalogue.rebuild()

    assert len(here) == left
    assert dump(catalogue) == expected
    catalogue.sync()
    assert dump(catalogue) == expected


@pytest.mark.parametrize("has_orjson", [True, False])
@pytest.mark.parametrize("odd", ODD, ids=[f"{value!r:.20}" for value in ODD])
def test_what_is_kept_reads_as_it_was(odd, has_orjson, monkeypatch):
    """A document reads exactly as it was written, with orjson, which cannot write everything, and without."""
    if not has_orjson:
        monkeypatch.setattr(record, "orjson", None)
    tree = {"a": 1.5, "odd": odd, "b": {"c": [odd]}}

    assert repr(json.loads(record._dump(tree))) == repr(tree)
