"""What was logged beside numbers, as the dashboard asks for it: steps, pages of tables, packed histograms."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from waiting import until

import runhaven
from runhaven import log_histogram
from runhaven_server.library import Library
from runhaven_server.recent import Recent


def ulid_of(run) -> str:
    return runhaven.Api().run(run.path).ulid


def metrics(client, run) -> dict[str, str]:
    entity, project, _ = run.path.split("/")
    return {one["key"]: one["type"] for one in client.get(f"/api/v1/projects/{entity}/{project}/series").json()}


def unpacked(data: bytes):
    """Read the reply as docs of `histograms` say."""
    (length,) = struct.unpack_from("<I", data)
    at = 4 + length
    for entry in json.loads(data[4:at])["series"]:
        place, n, m = at + entry["offset"], entry["n"], entry["m"]
        shapes = [("<f8", n), ("<u4", n + 1), ("<u4", n), *[("<f8", n)] * 5]
        shapes += [("<u2", m) if entry["kind"] == "log" else ("<f8", m + n), ("<f4", m)]
        columns = []
        for kind, count in shapes:
            columns.append(np.frombuffer(data, kind, count, place))
            place += -(-np.dtype(kind).itemsize * count // 8) * 8
        yield entry, columns


def test_a_metric_says_what_it_holds(client):
    """Numbers, texts and media are told apart; an object that is none of them has no panel."""
    with runhaven.init(project="p") as run:
        run.log({"loss": 1.0, "said": "hello", "image": runhaven.Image([[0, 1]]), "odd": [1, 2]})

    assert metrics(client, run) == {"loss": "number", "said": "text", "image": "image-file"}


def test_what_was_logged_at_a_step_or_before(client):
    """A step without a value has the one before it; before the first there is none; null means the newest."""
    with runhaven.init(project="p") as run:
        for step in (2, 5, 9):
            run.log({"said": f"at {step}"}, step=step)
    series = [{"run": ulid_of(run), "key": "said"}]

    found = [client.post("/api/v1/media", series=series, step=step).json()[0] for step in (1, 2, 8, None)]
    assert [(one["step"], one["value"]) for one in found] == [(None, None), (2, "at 2"), (5, "at 5"), (9, "at 9")]
    assert found[0]["steps"] is None
    assert client.post("/api/v1/media", series=series, steps=True).json()[0]["steps"] == [2, 5, 9]


def test_a_run_that_goes_on_shows_what_is_new(client):
    """What was kept of a series is read anew once its run has moved."""
    run = runhaven.init(project="p")
    run.log({"said": "one"})
    series = [{"run": ulid_of(run), "key": "said"}]
    before = client.post("/api/v1/media", series=series).json()[0]["value"]
    run.log({"said": "two"})
    run.finish()

    assert before == "one"
    until(lambda: client.post("/api/v1/media", series=series).json()[0]["value"] == "two")


def table_of(client, run, key="table", **query):
    (found,) = client.post("/api/v1/media", series=[{"run": ulid_of(run), "key": key}]).json()
    value = found["value"]
    if value["_type"] == "joined-table":
        query = {
            "tables": [[value["table1"]["sha256"]], [value["table2"]["sha256"]]],
            "join_key": value["join_key"],
        } | query
    parts = value.get("parts", [value])
    return client.post("/api/v1/tables", **({"tables": [[part.get("sha256") for part in parts]]} | query)).json()


@pytest.fixture
def scores():
    with runhaven.init(project="p") as run:
        rows = [["a cat", 0.25, None], ["a dog", 0.75, float("nan")], ["two dogs", 0.5, 3], ["nothing", None, 1]]
        run.log({"table": runhaven.Table(["text", "the score", "n"], rows)})
    return run


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"start": 1, "count": 2}, [1, 2]),
        ({"sort": 1}, [0, 2, 1, 3]),
        ({"sort": 1, "down": True}, [1, 2, 0, 3]),
        ({"sort": 0, "down": True}, [2, 3, 1, 0]),
        ({"search": "DOG"}, [1, 2]),
        ({"search": '"the score" >= 0.5'}, [1, 2]),
        ({"search": '"the score" < 0.6 dog'}, [2]),
        ({"search": "n != 3"}, [0, 1, 3]),
        ({"search": "text = nothing"}, [3]),
        ({"search": "unknown > 3"}, []),
        ({"sort": 77}, [0, 1, 2, 3]),
    ],
)
def test_a_page_of_a_table(client, scores, query, expected):
    """Rows are sorted with what is missing at the end, searched by words and comparisons, and cut to the page."""
    page = table_of(client, scores, **query)

    assert [row[0] for row in page["rows"]] == expected
    assert page["total"] == 4
    assert [column["name"] for column in page["columns"]] == ["text", "the score", "n"]


def test_parts_are_one_table_and_two_tables_join(client):
    """An incremental table is its parts, one after the other; a joined one has the rows of both sides."""
    with runhaven.init(project="p") as run:
        table = runhaven.Table(["id", "x"], log_mode="INCREMENTAL")
        for number in range(3):
            table.add_data(number, number * 10)
            run.log({"table": table})
        left, right = (
            runhaven.Table(["id", "x"], [[1, "a"], [2, "b"]]),
            runhaven.Table(["id", "x"], [[2, "c"], [3, "d"]]),
        )
        run.log({"joined": runhaven.JoinedTable(left, right, "id")})

    assert [row[1:] for row in table_of(client, run)["rows"]] == [[0, 0], [1, 10], [2, 20]]
    joined = table_of(client, run, "joined")
    assert [column["name"] for column in joined["columns"]] == ["id", "x", "x (2)"]
    assert [row[1:] for row in joined["rows"]] == [[1, "a", None], [2, "b", "c"], [3, None, "d"]]


def test_what_is_no_table_is_not_found(client, scores):
    """Bytes that are gone, or are no table, are answered with 404 and a sentence."""
    with runhaven.init(project="p") as run:
        run.log({"html": runhaven.Html("<b>x</b>")})
    (found,) = client.post("/api/v1/media", series=[{"run": ulid_of(run), "key": "html"}]).json()
    answer = client.post("/api/v1/tables", tables=[[found["value"]["sha256"]]])

    assert answer.status_code == 404
    assert "no table" in answer.json()["detail"]
    assert client.post("/api/v1/tables", tables=[["0" * 64]]).status_code == 404


class Captured:
    """What `watch()` hands to a run."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.counts = {1000: 5, 1016: step + 1, 3048: 2, 0: 1, 2044: int(step == 3)}

    def is_ready(self) -> bool:
        return True

    def read(self):
        cell = log_histogram.encode(log_histogram.from_counts(self.counts))
        return [{"gradients/w": cell | ({"is_sampled": True, "size": 1000} if self.step == 9 else {})}]


def logged_codes(run, steps):
    for step in range(steps):
        run.log({"loss": 1.0}, step=step)
        run.recorder.log_later(Captured(step))


def test_histograms_over_the_logarithm_add_up_exactly(client):
    """More captures than rows are merged without loss; codes come in the order of the numbers they stand for."""
    with runhaven.init(project="p") as run:
        logged_codes(run, 10)
    series = [{"run": ulid_of(run), "key": "gradients/w"}]
    ((entry, whole),) = unpacked(client.post("/api/v1/histograms", series=series).content)
    ((_, merged),) = unpacked(client.post("/api/v1/histograms", series=series, rows=4).content)

    assert (entry["kind"], entry["n"], entry["m"]) == ("log", 10, 30)
    steps, first, sizes, zeros, nan, *_, codes, counts = whole
    assert steps.tolist() == list(range(10))
    assert codes[:3].tolist() == [3048, 1000, 1016]
    assert (sizes.tolist(), zeros.sum(), nan.tolist()[3], nan.sum()) == ([1] * 10, 10, 1, 1)
    assert first.tolist() == list(range(0, 31, 3))
    assert (whole[7].tolist()[:4], whole[7].tolist()[9]) == ([9, 10, 11, 13], 1000)
    assert merged[2].tolist() == [3, 3, 3, 1]
    assert merged[7].tolist()[0] == 9 + 10 + 11
    assert merged[0].tolist() == [2, 5, 8, 9]
    assert merged[-1].sum() == counts.sum()
    assert merged[-1][2] == 1 + 2 + 3


def test_histograms_of_equal_bins_keep_their_edges(client):
    """Each row has its own edges, one more than counts."""
    with runhaven.init(project="p") as run:
        for step in range(3):
            run.log({"weights": runhaven.Histogram([0.0, 1.0 + step], num_bins=4)})
    ((entry, columns),) = unpacked(
        client.post("/api/v1/histograms", series=[{"run": ulid_of(run), "key": "weights"}]).content
    )

    assert (entry["kind"], entry["n"], entry["m"]) == ("linear", 3, 12)
    assert columns[-2].reshape(3, 5)[2].tolist() == [0.0, 0.75, 1.5, 2.25, 3.0]
    assert columns[-1].reshape(3, 4)[2].tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("is_sealed", [False, True])
def test_the_module_tree_of_a_watched_model(client, is_sealed):
    """The graph that `watch(log_graph=True)` kept comes as it was, sealed or not; a run without one has none."""
    torch = pytest.importorskip("torch")
    with runhaven.init(project="p") as run:
        model = torch.nn.Linear(3, 2)
        run.watch(model, log=None, log_graph=True)
        run.log({"loss": 1.0})
        run.unwatch()
    if is_sealed:
        runhaven.Api().run(run.path).seal()
    with runhaven.init(project="p") as other:
        other.log({"loss": 1.0})
    (graph,) = client.get(f"/api/v1/runs/{ulid_of(run)}/graphs").json()

    assert (graph["type"], graph["parameters"]) == ("Linear", 8)
    assert [one["shape"] for one in graph["modules"][0]["parameters"]] == [[2, 3], [2]]
    assert client.get(f"/api/v1/runs/{ulid_of(run)}").json()["graphs"] == 1
    assert client.get(f"/api/v1/runs/{ulid_of(other)}/graphs").json() == []


def test_runs_that_nobody_looks_at_make_room(store, monkeypatch):
    """Opened runs take so much memory together and no more; one that was let go is read again."""
    monkeypatch.setattr("runhaven_server.library.MOST_BYTES", 20_000)
    runs = []
    for _ in range(4):
        with runhaven.init(project="p") as run:
            for step in range(300):
                run.log({"loss": float(step)})
        runs.append(run)
    library = Library(store)
    ulids = [ulid_of(run) for run in runs]
    entity, project, _ = runs[0].path.split("/")

    assert [len(metric.sources) for metric in library.metrics(entity, project)] == [4]
    opened = [library.run(ulid) for ulid in ulids]
    assert opened[-1] is library.run(ulids[-1])
    assert library.run(ulids[0]).series()[0].count == 300
    assert sum(library.run(ulid).held_bytes for ulid in ulids) <= 20_000


def test_what_was_used_last_stays():
    """The value that nobody asked for the longest goes first; one that is too heavy alone stays."""
    recent: Recent[str, int] = Recent(10)
    recent.put("a", 1, 4)
    recent.put("b", 2, 4)
    recent.get("a")

    assert recent.put("c", 3, 4) == ["b"]
    assert recent.put("d", 4, 50) == ["a", "c"]
    assert recent.get("d") == 4
