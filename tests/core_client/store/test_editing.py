"""Editing, removing, moving and copying runs: what lies on the disk afterwards."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from waiting import until

import runhaven
from runhaven.api import Api, Run
from runhaven.errors import NotFoundError, StoreError, UsageError
from runhaven.platform.process import identity
from runhaven.sealed.view import read_view
from runhaven.store.claims import Address
from runhaven.store.editing import Editor, edit
from runhaven.store.edits import Correction, Edits
from runhaven.store.layout import RunDirectory, Store
from runhaven.store.register import Stamp


@pytest.fixture
def run() -> Run:
    with runhaven.init(project="p", entity="me", id="abc", name="first", config={"lr": 0.1}) as run:
        for step in range(10):
            run.log({"loss": 1.0 / (step + 1)})
    return Api().run("abc")


def store_of(run: Run) -> Any:
    return Store(run.directory.path.parents[2])


def fresh(run: Run) -> Run:
    return Run(store_of(run).open(run.ulid))


def start(code: str, *arguments: object) -> Any:
    """Start a process and return it once it has said that it is ready."""
    process: Any = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def test_an_edit_is_a_writer_of_its_own(run):
    """An edit adds a closed journal that says who made it, and changes no file that was there."""
    before = {path: path.read_bytes() for path in run.directory.journal.iterdir()}
    edit(run.directory, [{"event": "meta", "set": {"name": "second"}}])
    after = {path: path.read_bytes() for path in run.directory.journal.iterdir()}
    (start,) = (session.start for session in read_view(run.directory).sessions.values() if session.is_edit)

    assert {path: after[path] for path in before} == before
    assert [path.suffix for path in after.keys() - before.keys()] == [".rhj"]
    assert (start["pid"], start["host"], bool(start["user"])) == (os.getpid(), identity().host, True)
    assert fresh(run).name == "second"


def test_an_edit_says_nothing_of_how_the_run_goes(run):
    """State, exit code, last sign of life and start of the newest session are those of the run's own processes."""
    before = run.state, run.updated, run.runtime_s, run.user, run._facts.newest, run._facts.resumptions()
    edit(
        run.directory,
        [
            {"event": "finish", "exit_code": 3},
            {"event": "signal", "signal": "SIGTERM"},
            {"event": "snapshot", "summary": {"loss": 9.0}, "counts": {}, "last_step": 99},
            {"event": "preempting"},
        ],
    )
    now = fresh(run)

    assert (now.state, now.updated, now.runtime_s, now.user) == before[:4]
    assert (now._facts.newest, now._facts.resumptions()) == before[4:]
    assert (now.summary["loss"], now.last_step) == (0.1, 9)


def test_an_edit_does_not_bring_a_lost_run_back_to_life(run):
    """A run that another host lost stays lost when somebody edits it here."""
    (path,) = run.directory.journal.iterdir()
    path.unlink()
    view = fresh(run)
    assert view.state == "running"
    edit(run.directory, [{"event": "meta", "set": {"notes": "where is it?"}}])
    view.refresh()

    assert view._seen_us == 0
    assert view._facts.newest is None
    assert view.notes == "where is it?"


def test_an_edit_counts_though_the_clock_is_behind(run):
    """An edit that was made knowing the run stands over it, whatever this host's clock says."""
    future = time.time_ns() // 1000 + 3_600_000_000
    with Editor(run.directory, after_us=future) as editor:
        editor.put([{"event": "meta", "set": {"name": "late"}}])
    edit(
        run.directory,
        [{"event": "meta", "set": {"name": "later"}}],
        after_us=future + 9,
    )

    assert fresh(run).name == "later"


def test_an_edit_of_many_events_is_whole(run):
    """Several events are one record; each of them is listed with who and when."""
    edit(
        run.directory,
        [{"event": "meta", "set": {"name": "n"}}, {"event": "config", "set": {"lr": 0.2}, "delete": []}],
    )
    now = fresh(run)

    assert (now.name, now.config) == ("n", {"lr": 0.2})
    assert [change["event"] for change in now.edits] == ["meta", "config"]
    assert all(change["user"] and change["host"] and change["time"] > 1e9 for change in now.edits)


def test_a_large_edit_finds_room(run):
    """An edit of several megabytes is written whole, though its journal begins small."""
    text = "x" * 6_000_000
    edit(run.directory, [{"event": "meta", "set": {"notes": text}}])

    assert fresh(run).notes == text


def test_an_edit_is_redacted(run):
    """Secrets in what is assigned do not reach the disk."""
    edit(run.directory, [{"event": "config", "set": {"api_key": "hunter2hunter2"}, "delete": []}])

    assert fresh(run).config["api_key"] == "***"


def test_two_editors_at_once_both_land(run):
    """Eight processes that edit the same run at the same time leave eight edits."""
    code = (
        "import sys; from pathlib import Path; from runhaven.store.layout import Store; from runhaven.store.editing import edit\n"
        "edit(Store(Path(sys.argv[1])).open(sys.argv[2]), [{'event': 'config', 'set': {sys.argv[3]: 1}, 'delete': []}])"
    )
    root = str(run.directory.path.parents[2])
    processes = [subprocess.Popen([sys.executable, "-c", code, root, run.ulid, f"k{n}"]) for n in range(8)]

    assert [process.wait() for process in processes] == [0] * 8
    assert fresh(run).config == {"lr": 0.1} | {f"k{n}": 1 for n in range(8)}


def test_a_killed_editor_leaves_edited_or_not(run):
    """SIGKILL at any moment leaves a readable run that has each edit whole or not at all, without damage."""
    code = (
        "import sys; from pathlib import Path; from runhaven.store.layout import Store; from runhaven.store.editing import edit\n"
        "run = Store(Path(sys.argv[1])).open(sys.argv[2]); print('ready', flush=True)\n"
        "for n in range(100_000): edit(run, [{'event': 'config', 'set': {'a': n}, 'delete': []}, {'event': 'meta', 'set': {'notes': str(n)}}])"
    )
    chance = random.Random(5)
    for _ in range(10):
        process = start(code, run.directory.path.parents[2], run.ulid)
        time.sleep(chance.random() / 20)
        process.kill()
        process.communicate()
        now = fresh(run)

        assert now.state == "finished"
        assert now.notes == (str(now.config["a"]) if "a" in now.config else "")
        assert not now.damage
        assert len(list(now.scan_history())) == 10


@pytest.mark.skipif(os.name != "posix", reason="needs permissions")
def test_a_read_only_run_says_why_it_cannot_be_edited(run):
    """Who may read but not write a run is told so, by every way to change it."""
    # Outside of pytest's own directory, which nobody else may enter.
    place = Path(tempfile.mkdtemp())
    shutil.copytree(run.directory.path.parents[2], place / "store")
    for path in (place, *place.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    found = Run(RunDirectory(place / "store" / run.directory.path.relative_to(run.directory.path.parents[2])))
    found.series()
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        messages: list[str] = []
        for change in (
            lambda: edit(found.directory, [{"event": "meta", "set": {}}]),
            lambda: found.log({"loss": 1.0}),
            lambda: found.correct("loss", 1, 2.0),
            lambda: found.rename_metric("loss", "l"),
            lambda: found.move("other"),
            lambda: found.copy("other"),
            found.delete,
            lambda: found.upload_file(__file__, Path(__file__).parent),
        ):
            with pytest.raises(StoreError) as caught:
                change()
            messages.append(str(caught.value))
    finally:
        if is_root:
            os.seteuid(0)
        for path in (place, *place.rglob("*")):
            if path.is_dir():
                path.chmod(0o700)
        shutil.rmtree(place)

    assert all("cannot be" in message and "ermission" in message for message in messages), messages
    assert Run(run.directory).name == "first"


# Edits as other parts use them


def test_edits_name_and_correct_columns():
    """Names follow the renamings in the order of time; corrections give a mask and values, for older writers alone."""
    edits: Any = Edits()
    edits.rename("", "b", "c", Stamp(2, "w2", 0))
    edits.rename("", "a", "b", Stamp(3, "w3", 0))
    edits.correct(Correction(Stamp(1, "w1", 0), "", "b", 4, 0.5))
    edits.correct(Correction(Stamp(4, "w4", 0), "", "b", 7, None))
    steps, values = np.arange(10), np.arange(10)
    first = edits.of("", "c", "w0").apply(steps, values)
    second = edits.of("", "b", "w0").apply(steps, values)

    assert [edits.name("", key) for key in ("a", "b", "c")] == ["b", "c", "c"]
    assert edits.name("node=x", "a") == "a"
    assert (first[0].all(), first[1][4], first[1].dtype) == (True, 0.5, np.float64)
    assert (second[0].tolist(), second[1].dtype) == ([step != 7 for step in range(10)], np.int64)
    assert edits.of("", "c", "w1") is None
    assert values.tolist() == list(range(10))


# Trash


def test_a_removed_run_comes_back_whole(run):
    """Removing frees the id and keeps every byte; restoring claims it again and says so."""
    store = store_of(run)
    before = {path.name: path.read_bytes() for path in run.directory.journal.iterdir()}
    store.remove(run.directory)
    (gone,) = store.removed()
    assert store.find("me", "p", "abc") is None
    assert not list(store.run_directories())
    store.restore(gone.run.ulid)
    now = fresh(run)

    assert store.find("me", "p", "abc").ulid == run.ulid
    assert {name: (now.directory.journal / name).read_bytes() for name in before} == before
    assert (now.state, now.name, len(list(now.scan_history()))) == ("finished", "first", 10)
    assert now.edits[-1]["event"] == "restored"
    assert not store.removed()
    assert gone.user == now.edits[-1]["removed_by"]


def test_a_run_whose_id_was_taken_comes_back_under_another(run):
    """The error names the way out, and the way out works."""
    store = store_of(run)
    store.remove(run.directory)
    other = store.new_run(entity="me", project="p", id="abc")
    with pytest.raises(UsageError, match=f"--undo {run.ulid} --id"):
        store.restore(run.ulid)
    assert len(store.removed()) == 1
    back = store.restore(run.ulid, id="abd")

    assert back.manifest().id == "abd"
    assert store.find("me", "p", "abd").ulid == run.ulid
    assert store.find("me", "p", "abc").ulid == other.ulid


def test_purging_is_for_good(run):
    """Only what was removed long enough ago is deleted."""
    store = store_of(run)
    store.remove(run.directory)
    kept = store.purge(older_than_s=3600)
    assert len(store.removed()) == 1
    purged = store.purge()

    assert (kept, purged) == (0, 1)
    assert not list((store.root / "trash").iterdir())
    with pytest.raises(NotFoundError, match="rm --undo"):
        store.restore(run.ulid)


def test_a_removed_run_takes_its_tails_along(run, tmp_path):
    """What lay in a spool lies beside the frames in the trash."""
    (tmp_path / "spool").mkdir()
    store = store_of(run)
    made = store.new_run(entity="me", project="p", id="spooled", spool=tmp_path / "spool")
    with Editor(made) as editor:
        editor.put([{"event": "meta", "set": {"name": "n"}}])
        spool = made.manifest().spool_here()
        (tail,) = spool.glob("*.tail")
        data = tail.read_bytes()
    tail.write_bytes(data)
    store.remove(made)

    assert not spool.exists()
    assert [path.name for path in store.removed()[0].run.journal.glob("*.tail")] == [tail.name]


# Moving


def test_a_moved_run_is_found_at_its_new_place(run):
    """Entity, project and id change; directory and run.json stay; the old id is free; the move is in the edits."""
    store = store_of(run)
    written = (run.directory.path / "run.json").read_bytes()
    store.move(run.directory, project="q", id="xyz")
    now = fresh(run)

    assert now.path == ["me", "q", "xyz"]
    assert store.find("me", "q", "xyz").ulid == run.ulid
    assert store.find("me", "p", "abc") is None
    assert (run.directory.path / "run.json").read_bytes() == written
    assert json.loads((run.directory.path / "moved.json").read_text())["format"] == 1
    assert now.edits[-1] | {"from": ["me", "p", "abc"], "to": ["me", "q", "xyz"]} == now.edits[-1]
    assert store.new_run(entity="me", project="p", id="abc").ulid != run.ulid


def test_a_taken_place_is_refused(run):
    """Moving onto another run changes nothing."""
    store = store_of(run)
    other = store.new_run(entity="me", project="q", id="abc")
    for change in (store.move, store.copy):
        with pytest.raises(UsageError, match=r"me/q/abc exists already"):
            change(run.directory, project="q")
    with pytest.raises(UsageError, match="project"):
        store.move(run.directory, project="a/b")

    assert store.find("me", "q", "abc").ulid == other.ulid
    assert fresh(run).path == ["me", "p", "abc"]
    assert len(list(store.run_directories())) == 2


def _abandon(store: Store, address: Address, place: str) -> None:
    """Leave a claim as a process that died did."""
    store.claims.take(address, place)
    path = store.claims._path(address)
    note = json.loads(path.read_text())
    note["by"]["pid_start"] += 1
    path.write_text(json.dumps(note))


def test_a_claim_that_nobody_bears_out_may_be_taken(run):
    """A claim left by a mover that died stands for no run, and a new run or a move may take it over."""
    store = store_of(run)
    _abandon(store, Address("me", "q", "abc"), run.directory.place)
    _abandon(store, Address("me", "q", "gone"), "202001/01a20e996617adb8dc01a20e99")
    assert store.find("me", "q", "abc") is None
    made = store.new_run(entity="me", project="q", id="gone")
    store.move(run.directory, project="q")

    assert store.find("me", "q", "gone").ulid == made.ulid
    assert store.find("me", "q", "abc").ulid == run.ulid


def test_a_claim_of_a_living_mover_stands(run):
    """Between its claim and its note, a move cannot be robbed of the id."""
    store = store_of(run)
    store.claims.take(Address("me", "q", "abc"), run.directory.place)

    with pytest.raises(UsageError, match="exists already"):
        store.new_run(entity="me", project="q", id="abc")
    store.move(run.directory, project="q")
    assert fresh(run).path == ["me", "q", "abc"]


def test_a_killed_mover_leaves_one_name(run):
    """SIGKILL at any moment of many moves leaves the run under one id, which finds it, and every other one free."""
    code = (
        "import sys; from pathlib import Path; from runhaven.store.layout import Store\n"
        "store = Store(Path(sys.argv[1])); run = store.open(sys.argv[2]); print('ready', flush=True)\n"
        "for n in range(100_000): store.move(run, id=f'id{n % 3}')"
    )
    store = store_of(run)
    chance = random.Random(7)
    for _ in range(10):
        process = start(code, store.root, run.ulid)
        time.sleep(chance.random() / 20)
        process.kill()
        process.communicate()
        now = fresh(run)

        assert store.find(*now.path).ulid == run.ulid
        assert not now.damage
    free = [name for name in ("abc", "id0", "id1", "id2") if name != fresh(run).id]
    assert [store.new_run(entity="me", project="p", id=name).manifest().id for name in free] == free


def test_a_newer_note_of_a_move_is_turned_down(run):
    """A moved.json of a later format is an error that says what to do, not a wrong name."""
    (run.directory.path / "moved.json").write_text('{"format": 9}')

    with pytest.raises(StoreError, match="Upgrade"):
        _ = fresh(run).path


# Copying


def test_a_copy_stands_alone(run):
    """A copy has its own ulid and id, the same rows, files and start, and shares no file with the original."""
    store = store_of(run)
    (run.directory.files / "sub").mkdir()
    (run.directory.files / "sub" / "model.bin").write_bytes(b"weights")
    (run.directory.files / "link").symlink_to("/etc/passwd")
    (run.directory.path / "sealed").mkdir()
    (run.directory.path / "sealed" / "a.parquet").write_bytes(b"PAR1")
    made = store.copy(run.directory, project="q")
    copied = Run(made)

    assert copied.path == ["me", "q", "abc"]
    assert made.manifest().copied_from == run.ulid
    assert (copied.created, copied.state, copied.summary) == (run.created, "finished", run.summary)
    assert list(copied.scan_history()) == list(run.scan_history())
    assert (made.files / "sub" / "model.bin").read_bytes() == b"weights"
    assert not (made.files / "link").exists()
    assert (made.path / "sealed" / "a.parquet").read_bytes() == b"PAR1"
    assert all(path.stat().st_nlink == 1 for path in made.path.rglob("*") if path.is_file())
    assert copied.edits[-1]["event"] == "copied"
    copied.notes = "of the copy"
    copied.update()
    assert fresh(run).notes == ""


def test_a_copy_in_the_same_project_gets_an_id_of_its_own(run):
    """Without a project or an id the copy is another run beside the original."""
    store = store_of(run)
    made = store.copy(run.directory)

    assert made.manifest().id != "abc"
    assert store.find("me", "p", made.manifest().id).ulid == made.ulid


def test_a_running_run_can_be_copied(store):
    """Copies that are made while rows are written are sound prefixes of the run, and are over themselves."""
    code = (
        "import runhaven, time; r = runhaven.init(project='p', id='live'); print('ready', flush=True)\n"
        "for n in range(10**9):\n    r.log({'n': n, 'text': 'x' * (n % 3000)})\n    if n % 10 == 0: time.sleep(0.0005)"
    )
    process = start(code)
    try:
        live, lengths = Api().run("live"), [0]
        for number in range(12):
            until(lambda: len(list(fresh(live).scan_history(["n"]))) > lengths[-1])
            copied = live.copy(id=f"copy{number}")
            found = [row["n"] for row in copied.scan_history(["n"])]
            lengths.append(len(found))

            assert found == list(range(len(found)))
            assert not copied.damage
            assert copied.state == "crashed"
        assert live.state == "running"
        assert lengths == sorted(set(lengths))
    finally:
        process.kill()
        process.communicate()


def test_a_copy_can_be_resumed(run):
    """A copy takes up logging where the original was."""
    run.copy(id="next")
    with runhaven.init(project="p", entity="me", id="next", resume="must") as going:
        going.log({"loss": 0.01})
    copied = Api().run("next")

    assert (copied.last_step, copied.state) == (10, "finished")
    assert fresh(run).last_step == 9
