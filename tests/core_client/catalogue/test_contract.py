"""The catalogue answers as the plain reading of all runs does, on every kind of database."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhaven.api import Run
from runhaven.catalogue.filters import matches, ordered
from runhaven.catalogue.index import Catalogue
from runhaven.errors import UsageError
from runhaven.store.layout import Store

from .conftest import LONG_AGO_S, Runs

WORDS = ["", "a", "B", "é", "zebra", "calm-reef-1", "𝛑", "\uffee", "a\0b", "\ud800", "x" * 600, "finished"]
NUMBERS = [0, 1, -1, True, False, 0.1, -0.0, 2.5, 1e300, 5e-324, 2**53, 2**53 + 1, 2**70, -(2**63), 10**400]
ODD = [None, math.nan, math.inf, -math.inf, [], [1, "a"], ["a", None], {"x": 1}, {}, [math.nan], [[1]]]
VALUES = st.sampled_from([*WORDS, *NUMBERS, *ODD])
PATHS = ["lr", "a", "a.b", "a.b.c", "value", "a.value", "é", 'qu"ote', "x" * 600, "a..b", "\ud800"]
CONFIGS = st.dictionaries(
    st.sampled_from(["lr", "a", "a.b", "value", "é", 'qu"ote', "x" * 600, "\ud800"]),
    st.recursive(
        VALUES, lambda inner: st.dictionaries(st.sampled_from(["b", "b.c", "c", ""]), inner, max_size=3), max_leaves=4
    ),
    max_size=4,
)
SUMMARIES = st.dictionaries(st.sampled_from(["loss", "val/acc", "é", "a.b"]), VALUES, max_size=3)
METAS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(WORDS),
        "tags": st.lists(st.sampled_from(WORDS), max_size=3),
        "group": st.sampled_from(WORDS),
        "notes": st.sampled_from(WORDS),
    },
)
RUNS = st.lists(
    st.fixed_dictionaries(
        {
            "config": CONFIGS, "summary": SUMMARIES, "meta": METAS,
            "exit_code": st.sampled_from([0, 0, 1, None]), "project": st.sampled_from(["p", "q"]),
        }
    ),
    max_size=6,
)  # fmt: skip
FIELDS = st.sampled_from(
    [*(f"config.{path}" for path in PATHS), "config.lr.value", "summary.loss", "summary_metrics.val/acc", "summary.é",
     "summary.a.b", "name", "display_name", "id", "tags", "group", "user", "state", "project", "entity", "job_type", "host"]
)  # fmt: skip
TIMES = st.sampled_from(["created_at", "heartbeatAt"])
MOMENTS = st.sampled_from(
    [
        LONG_AGO_S,
        4e9,
        "2020-01-01",
        "2023-11-14T22:13:20.003+00:00",
        datetime(2023, 11, 14, tzinfo=UTC),
        LONG_AGO_S + 0.003,
    ]
)
COMPARISONS = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])


def operators_on(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    one = st.one_of(
        st.tuples(COMPARISONS, values),
        st.tuples(st.sampled_from(["$in", "$nin"]), st.lists(values, max_size=3)),
        st.tuples(st.just("$exists"), st.booleans()),
    )
    return st.recursive(
        st.lists(one, min_size=1, max_size=2).map(dict),
        lambda inner: inner.map(lambda tests: {"$not": tests}),
        max_leaves=2,
    )


CONDITIONS = st.one_of(
    st.tuples(FIELDS, VALUES.filter(lambda value: value != {})),
    st.tuples(FIELDS, operators_on(VALUES)),
    st.tuples(FIELDS, st.fixed_dictionaries({"$regex": st.sampled_from(["^a", "e", "^$", "1"])})),
    st.tuples(st.just("state"), operators_on(st.sampled_from(["finished", "failed", "crashed", "lost", 3]))),
    st.tuples(TIMES, operators_on(MOMENTS)),
    st.tuples(st.just("duration"), operators_on(st.sampled_from([0, 0.003, 1, True, "a", None]))),
).map(lambda pair: {pair[0]: pair[1]})
FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, max_size=3)).map(
            lambda pair: {pair[0]: pair[1]}
        ),
        inner.map(lambda part: {"$not": part}),
        st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
    ),
    max_leaves=5,
)
ORDERS = st.one_of(st.none(), st.tuples(st.sampled_from(["", "-", "+"]), st.one_of(FIELDS, TIMES)).map("".join))


def plain(store: Store, filters: Any, order: str | None) -> list[str]:
    """Answer as without a catalogue."""
    found = [run for run in map(Run, store.run_directories()) if matches(run, filters)]
    return [run.ulid for run in (ordered(found, order) if order else found)]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(contents=RUNS, questions=st.lists(st.tuples(FILTERS, ORDERS), min_size=1, max_size=12))
def test_the_catalogue_answers_as_python_does(url, tmp_path_factory, contents, questions):
    """Whatever runs hold and whatever is asked, SQL and Python find the same runs in the same order."""
    runs = Runs(Store(tmp_path_factory.mktemp("store")))
    for number, content in enumerate(contents):
        runs.add(f"r{number}", **content)
    catalogue = Catalogue(runs.store, url=url)
    try:
        catalogue.rebuild()
        for filters, order in questions:
            assert catalogue.find(filters, order) == plain(runs.store, filters, order), (filters, order)
            assert catalogue.find(filters, order, limit=2) == plain(runs.store, filters, order)[:2]
    finally:
        catalogue.close()


def test_records_hold_what_runs_say(runs, catalogue):
    """Each attribute of a record equals that of the run, NaN, infinities, great integers and odd texts included."""
    config = {
        "nan": math.nan,
        "inf": [-math.inf],
        "great": 2**70,
        "deep": {"a.b": {"c": "\ud800\0"}, "": {}},
        "none": None,
    }
    meta = {"name": "\ud800", "tags": ["a", "\0"], "notes": "n" * 5000, "group": "é", "job_type": "train"}
    runs.add("a", config=config, summary={"loss": math.nan, "i": 2**63 - 1}, meta=meta)
    runs.add("b", exit_code=3)
    runs.add("c", exit_code=None)
    names = ("ulid", "id", "entity", "project", "name", "user", "host", "group", "job_type", "notes", "tags", "created")
    names += ("updated", "last_step", "runtime_s", "state", "config", "summary")
    found = catalogue.page()
    expected = list(map(Run, runs.store.run_directories()))

    assert len(found) == 3
    for record, run in zip(found, expected, strict=True):
        for name in names:
            assert repr(getattr(record, name)) == repr(getattr(run, name))


def test_projects_are_counted(runs, catalogue):
    """Projects come with their runs and their time, the newest first, odd names too."""
    runs.add("a", project="p")
    runs.add("b", project="q", meta={"name": "a\0b"})
    runs.add("c", project="p")

    assert [group[:4] for group in catalogue.projects()] == [("me", "p", 2, 0), ("me", "q", 1, 0)]


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"colour": "red"}, "no field 'colour'; use one of"),
        ({"state": {"$like": "x"}}, r"'\$like' is not known; use one of \$eq"),
        ({"$or": {"state": "x"}}, "takes a list of filters"),
        ({"config.a": {"$in": "finished"}}, "takes a list, not 'finished'"),
        ({"name": {"$regex": "("}}, "no regular expression"),
        ({"created_at": {"$gt": "yesterday"}}, "no time; write it like"),
    ],
)
def test_a_filter_that_means_nothing_is_explained(catalogue, filters, said):
    """An unknown field or operator, or a wrong operand, is an error that says what would be right."""
    with pytest.raises(UsageError, match=said):
        catalogue.find(filters)
    with pytest.raises(UsageError, match="no field 'colour'"):
        catalogue.find({}, "-colour")
