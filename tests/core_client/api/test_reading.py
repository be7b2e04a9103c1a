from __future__ import annotations

import pytest

from runhaven.api import Api
from runhaven.errors import NotFoundError, StoreError
from runhaven.store.layout import Store


def test_a_run_is_found_by_any_path(write, store):
    """Full path, project and id, id, name and ulid all lead to the run."""
    written = write("abc")
    written.event("meta", set={"name": "calm-reef-1"})
    ulid = written.close().ulid
    api = Api(store)
    paths = ["me/p/abc", "p/abc", "abc", "/me/p/abc", "calm-reef-1", ulid, f"me/p/{ulid}"]

    assert {api.run(path).ulid for path in paths} == {ulid}
    assert api.run("abc") is api.run(ulid)


def test_an_unknown_run_is_answered_with_its_neighbours(write, store):
    """A misspelt name is answered with the run that was meant; an ambiguous id with all it could mean."""
    first = write("abc", project="p")
    first.event("meta", set={"name": "calm-reef-1"})
    first.close()
    write("abc", project="q").close()
    api = Api(store)

    with pytest.raises(NotFoundError, match=r"calm-reef-1 \(me/p/abc\)"):
        api.run("calm-reef-2")
    with pytest.raises(NotFoundError, match="could mean any of 2 runs"):
        api.run("abc")
    with pytest.raises(NotFoundError, match="runhaven ls"):
        api.run("p/zzzzzz")
    assert api.run("q/abc").project == "q"


def test_runs_are_a_sequence(write, store):
    """`runs` is newest first, has a length, an index and slices, and is narrowed by path."""
    for index in range(5):
        write(f"r{index}", project="q" if index == 2 else "p").close()
    runs = Api(store).runs()

    assert len(runs) == 5
    assert [run.id for run in runs[:2]] == ["r4", "r3"]
    assert runs[-1].id == "r0"
    assert [run.id for run in Api(store).runs("me/q")] == ["r2"]
    assert len(Api(store).runs("you/q")) == 0


def test_projects_count_their_runs(write, store):
    """A project tells its runs, how many are running, and when it was written to last; the newest comes first."""
    write("a", project="p").close()
    later = write("b", project="q")
    later.time_us += 10**12
    later.event("finish", exit_code=0)
    later.close()
    write("c", project="q").close()
    found = Api(store).projects()

    assert [(one.entity, one.name, one.run_count) for one in found] == [("me", "q", 2), ("me", "p", 1)]
    assert found[0].updated == later.time_us
    assert found[0].running == 0


def test_broken_runs_are_passed_over(write, store):
    """A run whose manifest is broken, or of a newer format, does not keep the others from being read."""
    for run_id, content in (("a", "{"), ("b", '{"format": 99}')):
        (write(run_id).directory.path / "run.json").write_text(content)
    write("c").close()

    assert [run.id for run in Api(store).runs()] == ["c"]


def test_an_empty_place_has_no_runs(tmp_path):
    """Where no store is, there are no runs and no projects, and nothing is made."""
    api = Api(tmp_path / "nowhere")

    assert list(api.runs()) == []
    assert api.projects() == []
    assert not (tmp_path / "nowhere").exists()


def test_a_newer_store_is_turned_down(store):
    """A store of a newer format is an error at once."""
    Store(store).create()
    (store / "runhaven.json").write_text('{"format": 9, "min_reader": 9}')

    with pytest.raises(StoreError, match="Upgrade"):
        Api(store)


def test_the_store_is_where_the_environment_says(write, monkeypatch, tmp_path):
    """`Api()` reads what `init()` writes; an argument comes before `RUNHAVEN_DIR`."""
    write("a").close()

    assert [run.id for run in Api().runs()] == ["a"]
    assert len(Api(tmp_path / "other").runs()) == 0


def test_a_run_that_was_removed_is_gone(write, store):
    """An open Api no longer lists what was deleted."""
    written = write("a")
    written.close()
    api = Api(store)
    assert len(api.runs()) == 1
    written.store.remove(written.directory)

    assert len(api.runs()) == 0
    with pytest.raises(NotFoundError):
        api.run("a")
