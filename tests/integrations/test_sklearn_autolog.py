"""The real scikit-learn under `autolog()`."""

# What pyright guesses of scikit-learn, which has no types, is often wrong.
# pyright: reportArgumentType=none, reportAttributeAccessIssue=none, reportGeneralTypeIssues=none

from __future__ import annotations

import copy
import inspect
import math
import pickle
import threading
from typing import Any

import numpy as np
import pytest

import runhaven

sklearn = pytest.importorskip("sklearn")

import joblib  # noqa: E402 - after the check
from sklearn import datasets, metrics  # noqa: E402
from sklearn.base import BaseEstimator, ClassifierMixin, clone  # noqa: E402
from sklearn.cluster import KMeans  # noqa: E402
from sklearn.ensemble import RandomForestClassifier, VotingClassifier  # noqa: E402
from sklearn.linear_model import LogisticRegression, Ridge  # noqa: E402
from sklearn.model_selection import (  # noqa: E402
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multioutput import MultiOutputRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.tree import DecisionTreeClassifier  # noqa: E402

from runhaven_integrations.sklearn import autolog  # noqa: E402

X, y = datasets.load_iris(return_X_y=True)


@pytest.fixture(autouse=True)
def undone():
    yield
    autolog(disable=True)


def kept() -> list[dict[str, Any]]:
    """Return the rows of all runs, oldest first, without what every row has."""
    runhaven.finish()
    return [
        {key: value for key, value in row.items() if not key.startswith("_")}
        for run in runhaven.Api().runs("p", order="+created_at")
        for row in run.scan_history()
    ]


def told(*fits) -> list[str]:
    """Return whose fits are events when some calls are made within one run."""
    with runhaven.init(project="p", settings={"strict": True}):
        autolog()
        for fit in fits:
            fit()
    return [row["estimator"] for row in kept() if "estimator" in row]


def test_a_fit_keeps_parameters_and_metrics():
    """One row has the metrics on the data that the model was fitted on; the configuration has its parameters."""
    weights = np.arange(len(y)) + 1.0
    with runhaven.init(project="p", settings={"strict": True}):
        autolog()
        model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y, sample_weight=weights)
    (row,) = kept()
    (run,) = runhaven.Api().runs("p")
    predicted = model.predict(X)

    assert run.config["max_depth"] == 2
    assert run.config["estimator_class"] == "DecisionTreeClassifier"
    assert (row["train/rows"], row["train/columns"]) == (150, 4)
    assert row["train/accuracy"] == pytest.approx(metrics.accuracy_score(y, predicted, sample_weight=weights))
    assert row["train/log_loss"] == pytest.approx(metrics.log_loss(y, model.predict_proba(X), sample_weight=weights))
    assert row["fit_seconds"] > 0


def test_what_is_scored_is_kept():
    """`score` on the training data is "train/score", on other data "test/score"; a model that was not kept says nothing."""
    with runhaven.init(project="p", settings={"strict": True}):
        before = Ridge().fit(X, y)
        autolog()
        model = Ridge().fit(X[::2], y[::2])
        other = X[1::2]
        expected = model.score(other, y[1::2])
        before.score(X, y)
        training = X[::2]
        model.fit(training, y[::2]).score(training, y[::2])
    scores = [row for row in kept() if "fit_seconds" not in row]

    assert [set(row) for row in scores] == [{"test/score"}, {"train/score"}]
    assert scores[0]["test/score"] == expected


def test_only_the_outermost_fit_is_an_event():
    """Pipelines, searches, forests, ensembles and clusterers are one event each, whatever they fit within."""
    names = told(
        lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y),
        lambda: GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}).fit(X, y),
        lambda: GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, n_jobs=2).fit(X, y),
        lambda: RandomForestClassifier(3, n_jobs=2).fit(X, y),
        lambda: VotingClassifier([("a", Ridge_()), ("b", DecisionTreeClassifier())]).fit(X, y),
        lambda: MultiOutputRegressor(Ridge(), n_jobs=2).fit(X, np.c_[y, y]),
        lambda: KMeans(2, n_init=1).fit_predict(X),
        lambda: KMeans(2, n_init=1).fit_transform(X),
    )

    assert names == [
        "Pipeline", "GridSearchCV", "GridSearchCV", "RandomForestClassifier", "VotingClassifier", "MultiOutputRegressor", "KMeans",
        "KMeans",
    ]  # fmt: skip


class Ridge_(ClassifierMixin, BaseEstimator):  # noqa: N801 - an estimator of the user's own
    """Says 0 to all."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.zeros(len(X), int)


def test_joblibs_threads_work_for_the_fit_that_started_them():
    """In a threading backend, the fits of a search are parts of it; independent fits in threads are events of their own."""

    def search():
        with joblib.parallel_backend("threading", n_jobs=2):
            GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2, 3]}).fit(X, y)

    def independent():
        threads = [threading.Thread(target=lambda: Ridge().fit(X, y)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert told(search, independent) == ["GridSearchCV", "Ridge", "Ridge", "Ridge"]


def test_cross_validation_and_preparation_are_silent():
    """What judges a model by fitting copies, and what prepares data, says nothing, with one process or two."""
    names = told(
        lambda: cross_val_score(Ridge(), X, y),
        lambda: cross_val_score(Ridge(), X, y, n_jobs=2),
        lambda: cross_val_predict(Ridge(), X, y),
        lambda: learning_curve(Ridge(), X, y),
        lambda: validation_curve(Ridge(), X, y, param_name="alpha", param_range=[1, 2]),
        lambda: permutation_test_score(Ridge(), X, y, n_permutations=3),
        lambda: StandardScaler().fit(X),
        lambda: StandardScaler().fit_transform(X),
        lambda: Ridge().fit(X, y),
    )

    assert names == ["Ridge"]


def test_a_searchs_results_are_a_table_that_equals_them():
    """Each candidate is a row; every number equals that of `cv_results_`, and the best one stands in the configuration."""
    with runhaven.init(project="p", settings={"strict": True}) as run:
        autolog()
        pipeline = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
        grid = [{"decisiontreeclassifier__max_depth": [1, 2, None]}, {"standardscaler": [StandardScaler(), None]}]
        search = GridSearchCV(pipeline, grid, return_train_score=True).fit(X, y)
        from runhaven_integrations.sklearn.autolog.telling import search_table

        columns, rows = search_table(search)
    (row,) = kept()
    (stored,) = runhaven.Api().runs("p")
    results = search.cv_results_

    assert row["cv_results"]["_type"] == "table-file"
    assert columns == [name for name in results if name != "params"]
    assert len(rows) == 5
    for name in columns:
        cells = [each[columns.index(name)] for each in rows]
        if not name.startswith("param_"):
            assert np.array_equal(cells, results[name])
    depths = [each[columns.index("param_decisiontreeclassifier__max_depth")] for each in rows]
    assert depths[:2] == [1, 2]
    assert [each[columns.index("param_standardscaler")] for each in rows][3:] == ["StandardScaler", None]
    assert row["best_score"] == search.best_score_
    assert stored.config["best_params"]["decisiontreeclassifier__max_depth"] == search.best_params_.get(
        "decisiontreeclassifier__max_depth"
    )
    assert stored.config["estimator__decisiontreeclassifier__criterion"] == "gini"
    assert run.is_finished


def test_without_a_run_each_fit_has_its_own():
    """Outside of `init()`, each fit opens a run and the next one finishes it."""
    autolog(project="p", tags=["auto"])
    Ridge(alpha=1).fit(X, y)
    Ridge(alpha=2).fit(X, y).score(X, y)
    rows = kept()
    runs = runhaven.Api().runs("p", order="+created_at")

    assert [run.config["alpha"] for run in runs] == [1, 2]
    assert [run.state for run in runs] == ["finished", "finished"]
    assert [run.tags for run in runs] == [["auto"], ["auto"]]
    assert ["train/score" in row for row in rows] == [False, False, True]


def test_a_failing_fit_is_failed_and_raises_as_it_was():
    """The exception reaches the caller; the run says that the fit failed, and of what."""
    autolog(project="p")
    with pytest.raises(ValueError, match="inconsistent numbers"):
        Ridge(alpha=3).fit(X, y[:3])
    runhaven.finish()
    (run,) = runhaven.Api().runs("p")

    assert run.state == "failed"
    assert run.config["alpha"] == 3


def test_it_is_undone():
    """After `disable=True`, all classes and functions are the very ones that they were; a second call replaces the first."""
    from sklearn.model_selection import _validation

    def picture():
        return [
            Ridge.__dict__["fit"], RandomForestClassifier.fit, GridSearchCV.fit, ClassifierMixin.score, _validation._fit_and_score,
            BaseEstimator.__dict__.get("__init_subclass__"),
        ]  # fmt: skip

    before = picture()
    autolog(project="p")
    autolog(project="p")
    assert picture() != before
    autolog(disable=True)

    assert picture() == before


def test_estimators_are_what_they_were():
    """Patched estimators pickle, clone, copy and print as before, and their signatures are the same."""
    signature = inspect.signature(Ridge.fit)
    with runhaven.init(project="p"):
        autolog()
        model = Ridge(alpha=2).fit(X, y)
        again = pickle.loads(pickle.dumps(model))

        assert inspect.signature(Ridge.fit) == signature
        assert Ridge.fit.__doc__
        assert np.array_equal(again.coef_, model.coef_)
        assert vars(copy.deepcopy(model)).keys() == vars(model).keys() == vars(Ridge().fit(X, y)).keys()
        assert clone(model).get_params() == model.get_params()
        assert repr(model) == "Ridge(alpha=2)"


def test_classes_defined_later_are_patched():
    """An estimator of the user's own is kept, whenever its class is defined."""
    with runhaven.init(project="p", settings={"strict": True}):
        autolog()

        class Later(Ridge_):
            def fit(self, X, y):
                return super().fit(X, y)

        Later().fit(X, y)
    autolog(disable=True)
    before = len(kept())

    class AfterUndoing(Ridge_):
        def fit(self, X, y):
            return super().fit(X, y)

    AfterUndoing().fit(X, y)
    assert before == 1
    assert not hasattr(AfterUndoing.fit, "__wrapped__")


def test_metrics_of_many_rows_are_of_a_part():
    """Above `most_rows`, the metrics are of rows chosen evenly; frames and lists are cut the same way."""
    import pandas as pd

    with runhaven.init(project="p", settings={"strict": True}):
        autolog(most_rows=15)
        model = Ridge().fit(X, y)
        Ridge().fit(pd.DataFrame(X, columns=list("abcd")), pd.Series(y))
        Ridge().fit(X.tolist(), y.tolist())
    rows = kept()
    places = np.linspace(0, 149, 15).astype(int)

    assert all(row["train/mse"] == pytest.approx(((model.predict(X[places]) - y[places]) ** 2).mean()) for row in rows)
    assert [row["train/rows"] for row in rows] == [150] * 3


def test_an_error_of_ours_is_said_once_and_the_fit_goes_on(capfd, monkeypatch):
    """Whatever breaks in our part, the fit returns, and one line says what was not kept."""
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with runhaven.init(project="p") as run:
        monkeypatch.setattr(type(run), "log", broken)
        autolog()
        fitted = [Ridge().fit(X, y) for _ in range(3)]
    said = [line for line in capfd.readouterr().err.splitlines() if "ZeroDivisionError" in line]

    assert all(hasattr(model, "coef_") for model in fitted)
    assert len(said) == 1


def test_models_become_artifacts_if_asked(tmp_path):
    """`log_model=True` keeps each fitted model as a version that can be loaded again."""
    with runhaven.init(project="p", settings={"strict": True}):
        autolog(log_model=True)
        models = [Ridge(alpha=alpha).fit(X, y) for alpha in (1, 2)]
    (run,) = runhaven.Api().runs("p")
    versions = sorted(run.logged_artifacts(), key=lambda artifact: artifact.version)

    assert [artifact.version for artifact in versions] == ["v0", "v1"]
    for artifact, model in zip(versions, models, strict=True):
        artifact.download(root=str(tmp_path / artifact.version))
        loaded = joblib.load(tmp_path / artifact.version / "model.joblib")
        assert np.array_equal(loaded.coef_, model.coef_)


@pytest.mark.skipif(not hasattr(LogisticRegression, "set_callbacks"), reason="callbacks came with scikit-learn 1.9")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_iterations_are_followed_where_the_estimator_lets_us():
    """With `log_iterations`, each iteration has its metrics; the last are those of the fitted model; the estimator is left clean."""
    with runhaven.init(project="p", settings={"strict": True}):
        autolog(log_iterations=True)
        model = LogisticRegression(max_iter=5).fit(X, y)
        RandomizedSearchCV(LogisticRegression(max_iter=3), {"C": [1.0]}, n_iter=1, n_jobs=2).fit(X, y)
    rows = kept()
    found = [row for row in rows if "iteration" in row]

    assert [row["iteration"] for row in found[:5]] == [0, 1, 2, 3, 4]
    assert found[4]["iterations/log_loss"] == pytest.approx(metrics.log_loss(y, model.predict_proba(X)), rel=1e-3)
    assert "_skl_callbacks" not in vars(model)
    assert math.isfinite(rows[-1]["best_score"])
