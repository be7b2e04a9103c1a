from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runhaven.api import Api
from runhaven.errors import UsageError


@pytest.fixture
def api(write, store):
    """Three runs: a finished, b failed, c lost."""
    for number, (run_id, code) in enumerate((("a", 0), ("b", 1), ("c", None))):
        run = write(run_id)
        run.event("meta", set={"name": f"calm-reef-{number}", "tags": ["odd" if number % 2 else "even", "all"]})
        run.event("config", set={"lr": 10.0**-number, "model": {"depth": number}, "opt": "adam"}, delete=[])
        run.log({"loss": float(number), "val/acc": 1.0 - number / 10}, number)
        if code is not None:
            run.event("finish", exit_code=code)
        if number == 2:
            run.event("config", set={"extra": None}, delete=[])
        for writer in run.writers:
            writer.close()
    return Api(store)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "abc"),
        ({"state": "finished"}, "a"),
        ({"state": "crashed"}, "c"),
        ({"state": "lost"}, "c"),
        ({"state": {"$ne": "crashed"}}, "ab"),
        ({"state": {"$in": ["failed", "crashed"]}}, "bc"),
        ({"state": {"$nin": ["failed", "crashed"]}}, "a"),
        ({"tags": "odd"}, "b"),
        ({"tags": {"$in": ["odd", "even"]}}, "abc"),
        ({"tags": {"$ne": "odd"}}, "ac"),
        ({"tags": {"$regex": "^od"}}, "b"),
        ({"name": "b"}, "b"),
        ({"name": "calm-reef-1"}, "b"),
        ({"display_name": {"$regex": "reef-[12]$"}}, "bc"),
        ({"displayName": {"$not": {"$regex": "reef-[12]$"}}}, "a"),
        ({"id": {"$eq": "c"}}, "c"),
        ({"user": "ada", "username": "ada"}, "abc"),
        ({"user": "eve"}, ""),
        ({"config.lr": {"$lt": 0.5}}, "bc"),
        ({"config.lr.value": {"$gte": 0.1, "$lt": 1}}, "b"),
        ({"config.model.depth": {"$gt": 0}}, "bc"),
        ({"config.extra": {"$exists": True}}, "c"),
        ({"config.extra": {"$exists": False}}, "ab"),
        ({"config.lr": {"$gt": "text"}}, ""),
        ({"summary.loss": {"$lte": 1}}, "ab"),
        ({"summary_metrics.val/acc": {"$gt": 0.85}}, "ab"),
        ({"$and": [{"config.opt": "adam"}, {"tags": "even"}]}, "ac"),
        ({"$or": [{"id": "a"}, {"id": "b"}]}, "ab"),
        ({"$nor": [{"id": "a"}, {"id": "b"}]}, "c"),
        ({"$not": {"id": "a"}}, "bc"),
        ({"created_at": {"$gt": "2020-01-01"}}, "abc"),
        ({"createdAt": {"$lt": "2020-01-01T00:00:00Z"}}, ""),
        ({"created_at": {"$lt": datetime(2020, 1, 1, tzinfo=UTC)}}, ""),
        ({"created_at": {"$not": {"$lt": 1_577_836_800}}}, "abc"),
        ({"duration": {"$gte": 0}}, "abc"),
    ],
)
def test_filters_choose_runs(api, filters, expected):
    """Each operator and field chooses the runs that MongoDB's would."""
    assert sorted(run.id for run in api.runs("p", filters)) == list(expected)


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"colour": "red"}, "no field 'colour'; use one of"),
        ({"state": {"$like": "x"}}, r"'\$like' is not known; use one of \$eq"),
        ({"$or": {"state": "x"}}, "takes a list of filters"),
        ({"state": {"$in": "finished"}}, "takes a list, not 'finished'"),
        ({"name": {"$regex": "("}}, "no regular expression"),
        ({"created_at": {"$gt": "yesterday"}}, "no time; write it like"),
    ],
)
def test_a_filter_that_means_nothing_is_explained(api, filters, said):
    """An unknown field or operator, or a wrong operand, is an error that says what would be right."""
    with pytest.raises(UsageError, match=said):
        api.runs("p", filters)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (None, "cba"),
        ("-created_at", "cba"),
        ("+created_at", "abc"),
        ("created_at", "abc"),
        ("summary.loss", "abc"),
        ("-summary_metrics.loss", "cba"),
        ("-config.lr.value", "abc"),
        ("config.model.depth", "abc"),
        ("-name", "cba"),
        ("config.extra", "cba"),
    ],
)
def test_runs_can_be_ordered(api, order, expected):
    """Any field orders runs both ways; runs without it keep their order at the end."""
    assert "".join(run.id for run in api.runs("p", order=order)) == expected
