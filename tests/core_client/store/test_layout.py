from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest

from runhaven.errors import StoreError, UsageError
from runhaven.store import ids
from runhaven.store.layout import Store


@pytest.fixture
def made(store):
    found = Store(store)
    found.create()
    return found


def new(store, run_id="abc", project="p"):
    return store.new_run(entity="me", project=project, id=run_id)


def test_a_store_is_for_its_owner_alone(made):
    """The store and the directories of a run have mode 0700, and `runhaven.json` names the format."""
    run = new(made)
    paths = [made.root, run.path, run.journal, run.files, run.control]

    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o700}
    assert json.loads((made.root / "runhaven.json").read_text())["format"] == 1


def test_creating_twice_changes_nothing(made):
    """`create` on a store leaves its identity alone."""
    before = (made.root / "runhaven.json").read_text()
    made.create()

    assert (made.root / "runhaven.json").read_text() == before


def test_a_run_is_found_by_its_id_and_by_its_ulid(made):
    """Claim, ulid and listing lead to the same directory, whose manifest says what was asked for."""
    run = new(made)
    manifest = run.manifest()

    assert made.find("me", "p", "abc").path == run.path
    assert made.open(run.ulid).path == run.path
    assert [found.path for found in made.run_directories()] == [run.path]
    assert (manifest.entity, manifest.project, manifest.id, manifest.run) == ("me", "p", "abc", run.ulid)
    assert made.find("me", "p", "other") is None
    assert made.open("../../etc") is None


def test_an_id_is_given_once(made):
    """A second run of the same id is turned down and leaves nothing behind; another project may use the id."""
    new(made)
    with pytest.raises(UsageError, match="me/p/abc exists already"):
        new(made)
    new(made, project="q")

    assert len(list(made.run_directories())) == 2


def test_one_of_many_processes_gets_an_id(made):
    """Of eight processes that ask for one id at once, one gets it."""
    code = (
        "import sys; from pathlib import Path; from runhaven.store.layout import Store\n"
        "try: Store(Path(sys.argv[1])).new_run(entity='me', project='p', id='x'); print('mine')\n"
        "except ValueError: print('taken')"
    )
    path = os.pathsep.join(sys.path)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(made.root)], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}
        )
        for _ in range(8)
    ]
    said = sorted(process.communicate()[0].decode().strip() for process in processes)

    assert said == ["mine"] + ["taken"] * 7
    assert len(list(made.run_directories())) == 1


def test_runs_come_newest_first(made, monkeypatch):
    """Runs are listed by the time of their making, across months."""
    monkeypatch.setattr(ids, "_clock", ids._UlidClock())
    times = [1_700_000_000, 1_702_000_000, 1_720_000_000]
    runs = []
    for index, seconds in enumerate(times):
        monkeypatch.setattr("time.time_ns", lambda seconds=seconds: seconds * 10**9)
        runs.append(new(made, run_id=str(index)))

    assert [run.ulid for run in made.run_directories()] == [run.ulid for run in reversed(runs)]
    assert len({run.path.parent.name for run in runs}) == 3


def test_what_is_no_run_is_passed_over(made):
    """Files, foreign folders and a run without a manifest do not disturb the listing."""
    run = new(made)
    month = run.path.parent
    (month / "notes.txt").write_text("hello")
    (month / "lost+found").mkdir()
    (month / ("0" * 26)).mkdir()
    (made.root / "runs" / ".DS_Store").write_bytes(b"\0")

    assert [found.ulid for found in made.run_directories()] == [run.ulid]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "run": 5}', "\0\0"])
def test_a_broken_manifest_is_an_error_of_ours(made, content):
    """A manifest that makes no sense raises `StoreError`, nothing else."""
    run = new(made)
    (run.path / "run.json").write_text(content)

    with pytest.raises(StoreError, match=r"run\.json"):
        made.open(run.ulid).manifest()


def test_a_newer_store_is_turned_down(made):
    """A store that this version cannot read says which version it is and what to do."""
    (made.root / "runhaven.json").write_text('{"format": 9, "min_reader": 9}')

    with pytest.raises(StoreError, match=r"format 9.*Upgrade runhaven"):
        made.create()


def test_removing_gives_the_id_back(made):
    """A removed run is gone from listing, disk and claim, and its id can be taken again."""
    run = new(made)
    (run.files / "model.bin").write_bytes(b"x")
    made.remove(run)

    assert not list(made.run_directories())
    assert made.find("me", "p", "abc") is None
    assert not list(run.path.parent.iterdir())
    assert new(made).ulid != run.ulid


def test_tails_get_a_directory_of_their_own_below_the_spool(made, tmp_path):
    """A run on a network file system names its spool, which exists on this host and goes with the run."""
    (tmp_path / "spool").mkdir()
    run = made.new_run(entity="me", project="p", id="abc", spool=tmp_path / "spool")
    tails = run.manifest().spool_here()
    existed = tails.is_dir()
    made.remove(run)

    assert existed
    assert tails.parent == tmp_path / "spool"
    assert not tails.exists()


@pytest.mark.skipif(os.name != "posix", reason="needs permissions")
def test_a_read_only_store_can_be_read(made):
    """Creating, finding and listing need no right to write."""
    run = new(made)
    directories = [path for path in (made.root, *made.root.rglob("*")) if path.is_dir()]
    for path in directories:
        path.chmod(0o500)
    try:
        found = Store(made.root)
        found.create()
        ulids = [one.ulid for one in found.run_directories()]
    finally:
        for path in directories:
            path.chmod(0o700)

    assert ulids == [run.ulid]


def test_a_store_that_does_not_exist_is_empty(tmp_path):
    """Reading where nothing is finds nothing and makes nothing."""
    store = Store(tmp_path / "nowhere")
    store.check()

    assert not list(store.run_directories())
    assert not store.root.exists()
