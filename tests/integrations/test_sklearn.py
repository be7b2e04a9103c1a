"""The real scikit-learn: what each plot shows equals what is computed in another way, on iris, digits, diabetes and blobs."""

# What pyright guesses of scikit-learn, which has no types, is often wrong.
# pyright: reportArgumentType=none, reportAttributeAccessIssue=none, reportOperatorIssue=none, reportGeneralTypeIssues=none

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import runhaven

sklearn = pytest.importorskip("sklearn")

from sklearn import datasets, metrics  # noqa: E402 - after the check
from sklearn.base import BaseEstimator, clone  # noqa: E402
from sklearn.calibration import CalibrationDisplay  # noqa: E402
from sklearn.cluster import DBSCAN, KMeans  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_validate, train_test_split  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import PolynomialFeatures, StandardScaler  # noqa: E402
from sklearn.svm import LinearSVC  # noqa: E402

from runhaven.errors import UsageError  # noqa: E402
from runhaven_integrations import sklearn as plots  # noqa: E402
from runhaven_integrations.sklearn.computing import (  # noqa: E402
    answers,
    clusters,
    curves,
    errors,
    importance,
    inspection,
    learning,
)

SEED = 0
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = datasets.load_iris(return_X_y=True, as_frame=True)
    return train_test_split(X, y, random_state=SEED)


@pytest.fixture(scope="module")
def digits():
    X, y = datasets.load_digits(return_X_y=True)
    return train_test_split(X, y, random_state=SEED)


@pytest.fixture(scope="module")
def diabetes():
    X, y = datasets.load_diabetes(return_X_y=True, as_frame=True)
    return train_test_split(X, y, random_state=SEED)


@pytest.fixture(scope="module")
def blobs():
    return datasets.make_blobs(150, centers=3, random_state=SEED)


@pytest.fixture(scope="module")
def classifier(iris):
    return LogisticRegression(max_iter=500).fit(iris[0], iris[2])


@pytest.fixture
def run():
    with runhaven.init(project="p", settings={"strict": True}) as run:
        yield run


# Computations


def test_a_roc_curve_has_the_rates_of_every_threshold(digits):
    """For each threshold that there is, the share of hits and false alarms lies on the curve; its area is that of the pairs."""
    X_train, X_test, y_train, y_test = digits
    model = LogisticRegression(max_iter=200).fit(X_train, y_train > 4)
    score = model.predict_proba(X_test)[:, 1]
    (question,) = curves.one_against_others(y_test > 4, model.predict_proba(X_test))
    (curve,) = curves.roc([question])
    is_class = y_test > 4
    expected = np.array(
        [((score[~is_class] >= cut).mean(), (score[is_class] >= cut).mean()) for cut in np.unique(score)]
    )
    # Along the curve, x + y grows.
    on_curve = np.interp(expected.sum(1), curve.x + curve.y, curve.x)
    wins = score[is_class][:, None] - score[~is_class][None]
    area = (wins > 0).mean() + 0.5 * (wins == 0).mean()

    assert curve.area == pytest.approx(area)
    assert on_curve == pytest.approx(expected[:, 0])
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)


def test_averages_of_roc_curves_are_those_of_their_definition(iris, classifier):
    """Micro pools all classes, macro is the mean of the curves; a chosen class stands alone, under its name."""
    _, X_test, _, y_test = iris
    probabilities = classifier.predict_proba(X_test)
    names = ["setosa", "versicolor", "virginica"]
    questions = curves.one_against_others(y_test, probabilities, names)
    found = {curve.name: curve for curve in curves.roc(questions)}
    wanted = curves.one_against_others(y_test, probabilities, names, [1])

    assert found.keys() == {*names, "macro", "micro"}
    assert found["micro"].area == pytest.approx(
        metrics.roc_auc_score(np.eye(3)[y_test], probabilities, average="micro")
    )
    assert found["macro"].area == pytest.approx(
        metrics.roc_auc_score(y_test, probabilities, multi_class="ovr", average="macro"), abs=1e-6
    )
    assert [one.name for one in wanted] == ["versicolor"]
    assert {curve.name for curve in curves.roc(questions, has_micro=False, has_macro=False)} == set(names)


def test_weights_count_as_repeated_examples(iris, classifier):
    """An example of weight 2 is worth two examples, in every curve and count."""
    _, X_test, _, y_test = iris
    weights = np.arange(len(y_test)) % 3 + 1
    probabilities, predicted = classifier.predict_proba(X_test), classifier.predict(X_test)
    again = np.repeat(np.arange(len(y_test)), weights)
    true = y_test.to_numpy()
    once = curves.one_against_others(true, probabilities, sample_weight=weights)
    repeated = curves.one_against_others(true[again], probabilities[again])

    assert [one.area for one in curves.roc(once)] == pytest.approx([one.area for one in curves.roc(repeated)])
    assert [one.area for one in curves.precision_recall(once)] == pytest.approx(
        [one.area for one in curves.precision_recall(repeated)]
    )
    assert answers.confusion(true, predicted, sample_weight=weights) == answers.confusion(true[again], predicted[again])
    for measure in (answers.classification_metrics, answers.regression_metrics):
        assert measure(true, predicted, weights) == pytest.approx(measure(true[again], predicted[again]))


def test_precision_and_recall_are_those_of_counts(iris, classifier):
    """At each threshold precision is hits by guesses and recall hits by members."""
    _, X_test, _, y_test = iris
    question = curves.one_against_others(y_test, classifier.predict_proba(X_test))[1]
    (curve,) = curves.precision_recall([question])
    score, is_class = np.asarray(question.score), np.asarray(question.is_class)
    for threshold in np.unique(score):
        guessed = score >= threshold
        hits = (guessed & is_class).sum()
        at = np.isclose(curve.x, hits / is_class.sum()) & np.isclose(curve.y, hits / guessed.sum())

        assert at.any()
    assert curve.area == pytest.approx(metrics.average_precision_score(is_class, score))


def test_detection_errors_mirror_the_roc_curve(digits):
    """A miss is what is no hit."""
    X_train, X_test, y_train, y_test = digits
    model = LogisticRegression(max_iter=200).fit(X_train, y_train == 1)
    questions = curves.one_against_others(y_test == 1, model.predict_proba(X_test))
    (det,), (roc,) = curves.detection_errors(questions), curves.roc(questions)
    points = {(round(x, 9), round(1 - y, 9)) for x, y in zip(roc.x, roc.y, strict=True)}

    assert {(round(x, 9), round(y, 9)) for x, y in zip(det.x, det.y, strict=True)} & points
    assert (np.diff(det.x) >= 0).all()
    assert (np.diff(det.y) <= 0).all()


def test_calibration_judges_the_model_itself(iris, classifier):
    """Shares and means are those of each part of the probabilities; the examples of all points are all examples."""
    _, X_test, _, y_test = iris
    questions = curves.one_against_others(y_test, classifier.predict_proba(X_test))
    for (curve, counts), question in zip(curves.calibration(questions, bins=5), questions, strict=True):
        parts = np.minimum((question.score * 5).astype(int), 4)
        expected = [
            (question.score[parts == part].mean(), question.is_class[parts == part].mean(), (parts == part).sum())
            for part in np.unique(parts)
        ]

        assert sum(counts) == len(y_test)
        assert list(zip(curve.x, curve.y, counts, strict=True)) == [pytest.approx(point) for point in expected]
        assert curve.area == pytest.approx(((question.score - question.is_class) ** 2).mean())
    assert CalibrationDisplay.from_predictions(questions[0].is_class, questions[0].score, n_bins=5).prob_true.size


def test_confusion_counts_pairs():
    """Counts, shares and chosen classes are right, with names and without."""
    true, predicted = [0, 1, 1, 2, 2, 2], [0, 1, 2, 2, 2, 0]
    names = ["a", "b", "c"]
    counts = {(row[0], row[1]): row[2] for row in answers.confusion(true, predicted, names)}
    shares = {(row[0], row[1]): row[2] for row in answers.confusion(true, predicted, names, normalize=True)}
    some = answers.confusion(true, predicted, names, true_labels=[2], pred_labels=["a", "c"])

    assert counts == {
        ("a", "a"): 1, ("a", "b"): 0, ("a", "c"): 0, ("b", "a"): 0, ("b", "b"): 1, ("b", "c"): 1, ("c", "a"): 1, ("c", "b"): 0,
        ("c", "c"): 2,
    }  # fmt: skip
    assert shares["b", "c"] == 0.5
    assert shares["c", "c"] == pytest.approx(2 / 3)
    assert some == [("c", "a", 1), ("c", "c", 2)]
    assert answers.confusion(["x", "y"], ["y", "y"])[1] == ("x", "y", 1)


@pytest.mark.parametrize("seed", range(20))
def test_metrics_equal_sklearns(seed):
    """The quick metrics are those of `sklearn.metrics`, for any number of classes, weighted or not."""
    rng = np.random.default_rng(seed)
    true, predicted = rng.integers(0, 2 + seed % 4, 40), rng.integers(0, 3 + seed % 3, 40)
    weights = rng.random(40) if seed % 2 else None
    found = answers.classification_metrics(true, predicted, weights)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        true, predicted, average="weighted", zero_division=0, sample_weight=weights
    )
    y, guess = rng.normal(size=(40, 2)), rng.normal(size=(40, 2))
    of_numbers = answers.regression_metrics(y, guess, weights)

    assert found == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(true, predicted, sample_weight=weights),
            "precision": precision,
            "recall": recall,
            "f1": f1,
        }
    )
    assert of_numbers["mae"] == pytest.approx(metrics.mean_absolute_error(y, guess, sample_weight=weights))
    assert of_numbers["mse"] == pytest.approx(metrics.mean_squared_error(y, guess, sample_weight=weights))
    assert of_numbers["r2"] == pytest.approx(metrics.r2_score(y, guess, sample_weight=weights))
    assert of_numbers["rmse"] ** 2 == pytest.approx(of_numbers["mse"])


def test_constant_targets_and_text_labels_have_metrics():
    """A target that never changes has an R2 of 1 if it is met; classes may be words, and of several labels."""
    assert answers.regression_metrics(np.ones(3), np.ones(3))["r2"] == 1.0
    assert answers.regression_metrics(np.ones(3), np.zeros(3))["r2"] == 0.0
    assert answers.classification_metrics(np.array(["a", "b"]), np.array(["a", "a"]))["accuracy"] == 0.5
    several = np.array([[1, 0], [1, 1]])
    assert answers.classification_metrics(several, several)["f1"] == 1.0


def test_importances_are_read_through_pipelines_and_searches(iris):
    """Coefficients of several classes count by their mean magnitude; names come from frames, pipelines and the user."""
    X, _, y, _ = iris
    forest = RandomForestClassifier(5, random_state=SEED).fit(X, y)
    several = LogisticRegression(max_iter=500).fit(X, y)
    pipeline = make_pipeline(PolynomialFeatures(2), StandardScaler(), Ridge()).fit(X, y)
    search = GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [0.1, 1.0]}).fit(X, y)
    of_forest = importance.importances(forest)
    of_several = {one.name: one.value for one in importance.importances(several)}
    of_pipeline = importance.importances(pipeline, most=3)

    assert {one.name: one.value for one in of_forest} == pytest.approx(
        dict(zip(X.columns, forest.feature_importances_, strict=True))
    )
    assert [one.value for one in of_forest] == sorted(forest.feature_importances_, reverse=True)
    assert of_forest[0].spread > 0
    assert of_several == pytest.approx(dict(zip(X.columns, np.abs(several.coef_).mean(0), strict=True)))
    assert len(of_pipeline) == 3
    assert of_pipeline[0].name in pipeline[:-1].get_feature_names_out()
    assert {one.name for one in importance.importances(search)} == set(X.columns)
    assert {one.name for one in importance.importances(several, list("abcd"))} == set("abcd")
    with pytest.raises(UsageError, match="2 names, and the model sees 4"):
        importance.importances(several, ["a", "b"])
    with pytest.raises(UsageError, match="permutation_importance"):
        importance.importances(DBSCAN().fit(X))


def test_cooks_distance_is_what_leaving_an_example_out_changes():
    """The distance equals, for a linear model, the shift of all predictions when the example is left out."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 2))
    y = X @ [1.0, -2.0] + rng.normal(size=30)
    y[3] += 8
    model = LinearRegression().fit(X, y)
    found = errors.influence(model, X, y)
    variance = ((y - model.predict(X)) ** 2).sum() / (30 - 3)
    for place in range(30):
        keep = np.arange(30) != place
        moved = model.predict(X) - LinearRegression().fit(X[keep], y[keep]).predict(X)

        assert found.distance[place] == pytest.approx((moved**2).sum() / (3 * variance))
    assert found.distance.argmax() == 3
    assert found.threshold == pytest.approx(4 / 30)


def test_residuals_are_actual_minus_predicted(diabetes):
    """Residuals and R2 are those of the model as it is; it is not fitted again."""
    X_train, X_test, y_train, y_test = diabetes
    model = Ridge().fit(X_train, y_train)
    before = model.coef_.copy()
    found = errors.residuals(model, X_test, y_test, "test")

    assert np.array_equal(found.values, y_test - model.predict(X_test))
    assert found.r2 == pytest.approx(model.score(X_test, y_test))
    assert np.array_equal(model.coef_, before)
    with pytest.raises(UsageError, match="one target"):
        errors.residuals(LinearRegression().fit(X_train, np.c_[y_train, y_train]), X_train, np.c_[y_train, y_train])


def test_an_elbow_has_the_inertia_of_each_number_of_clusters(blobs):
    """The inertia is the sum of squared distances to the centres, and the clusterer is not touched."""
    X, _ = blobs
    clusterer = KMeans(3, n_init=2, random_state=SEED)
    found = clusters.elbow(clusterer, X, [1, 3, 1000])
    own = KMeans(3, n_init=2, random_state=SEED).fit(X)

    assert [one.clusters for one in found] == [1, 3]
    assert found[0].inertia == pytest.approx(((X - X.mean(0)) ** 2).sum())
    assert found[1].inertia == pytest.approx(((X - own.cluster_centers_[own.labels_]) ** 2).sum())
    assert all(one.seconds > 0 for one in found)
    assert not hasattr(clusterer, "labels_")
    with pytest.raises(UsageError, match="n_clusters"):
        clusters.elbow(DBSCAN(), X)


def test_silhouettes_compare_own_cluster_with_the_next(blobs):
    """Each value is (b - a) / max(a, b) of mean distances; noise is left out."""
    X, truth = blobs
    labels = truth.copy()
    labels[:5] = -1
    found, mean = clusters.silhouette(X, labels, ["left", "right", "top"])
    kept = labels >= 0
    points, own = X[kept], labels[kept]
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    values = []
    for place in range(len(points)):
        to = {one: distances[place][own == one].sum() / ((own == one).sum() - (one == own[place])) for one in range(3)}
        a = to.pop(own[place])
        values.append((min(to.values()) - a) / max(a, min(to.values())))

    assert sorted(one.value for one in found) == pytest.approx(sorted(values))
    assert mean == pytest.approx(np.mean(values))
    assert {one.cluster for one in found} == {"left", "right", "top"}
    assert [one.place for one in found] == list(range(145))
    with pytest.raises(UsageError, match="2 to"):
        clusters.silhouette(X, np.zeros(150))


def test_learning_and_validation_curves_are_those_of_cross_validation(iris):
    """At all examples, and at a setting, the scores are those that `cross_validate` finds."""
    X, y = iris[0][:100], iris[2][:100]
    model = Ridge(0.5)
    expected = cross_validate(clone(model), X, y, return_train_score=True)
    over = learning.over_examples(model, X, y, train_sizes=[0.5, 1.0])
    by = learning.over_setting(model, X, y, param_name="alpha", param_range=[0.5, 50.0])
    last = {one.part: one for one in over if one.x == max(one.x for one in over)}

    assert last["test"].mean == pytest.approx(expected["test_score"].mean())
    assert last["train"].spread == pytest.approx(expected["train_score"].std())
    assert {(one.part, one.x): one.mean for one in by}["test", 0.5] == pytest.approx(expected["test_score"].mean())
    assert not hasattr(model, "coef_")


def test_partial_dependence_is_the_mean_answer(diabetes):
    """Setting a feature of all rows to a value and averaging the answers gives the curve."""
    X, _, y, _ = diabetes
    model = Ridge().fit(X, y)
    by_name, by_number = inspection.dependence(model, X, ["bmi", 0], points=5)
    for x, answer in zip(by_name.x, by_name.y, strict=True):
        assert answer == pytest.approx(model.predict(X.assign(bmi=x)).mean())
    assert (by_name.feature, by_number.feature) == ("bmi", "age")
    several = inspection.dependence(LogisticRegression().fit(X, y > 100), X, [1], points=3)
    assert [one.output for one in several] == [""]


def test_a_decision_boundary_asks_the_model_around_the_data(iris):
    """Each cell has the model's own answer, also of one that was fitted on a frame."""
    X, _, y, _ = iris
    two = X[["petal length (cm)", "petal width (cm)"]]
    model = LinearSVC().fit(two, y)
    plane = inspection.decision_boundary(model, two, points=10)
    answers_there = model.predict(type(two)(np.c_[plane.x, plane.y], columns=two.columns))

    assert plane.names == tuple(two.columns)
    assert plane.answer == answers_there.tolist()
    assert plane.x.min() < two.iloc[:, 0].min() < two.iloc[:, 0].max() < plane.x.max()
    with pytest.raises(UsageError, match="two features"):
        inspection.decision_boundary(model, X)


# Logging


def test_every_plot_logs_a_chart_with_its_data(run, iris, diabetes, blobs, classifier):
    """Each function puts a chart and its table into the run, under its own name, and returns it."""
    X, X_test, y, y_test = iris
    probabilities = classifier.predict_proba(X_test)
    ridge = Ridge().fit(diabetes[0], diabetes[2])
    kmeans = KMeans(3, n_init=1, random_state=SEED).fit(blobs[0])
    two = LogisticRegression().fit(X.iloc[:, :2], y)
    drawn = {
        "roc": plots.plot_roc(y_test, probabilities, ["a", "b", "c"]),
        "precision_recall": plots.plot_precision_recall(y_test, probabilities),
        "det_curve": plots.plot_det_curve(y_test == 1, probabilities[:, 1]),
        "confusion_matrix": plots.plot_confusion_matrix(y_test, classifier.predict(X_test), normalize=True),
        "feature_importances": plots.plot_feature_importances(classifier),
        "class_proportions": plots.plot_class_proportions(y, y_test, ["a", "b", "c"]),
        "calibration_curve": plots.plot_calibration_curve(classifier, X_test, y_test, "mine"),
        "summary_metrics": plots.plot_summary_metrics(classifier, X, y, X_test, y_test),
        "learning_curve": plots.plot_learning_curve(Ridge(), X, y, cv=3),
        "validation_curve": plots.plot_validation_curve(Ridge(), X, y, param_name="alpha", param_range=[1, 2], cv=3),
        "residuals": plots.plot_residuals(ridge, diabetes[0], diabetes[2], X_test=diabetes[1], y_test=diabetes[3]),
        "prediction_error": plots.plot_prediction_error(ridge, diabetes[0], diabetes[2]),
        "outlier_candidates": plots.plot_outlier_candidates(ridge, diabetes[0], diabetes[2]),
        "elbow_curve": plots.plot_elbow_curve(KMeans(n_init=1), blobs[0], [1, 2, 3]),
        "silhouette": plots.plot_silhouette(kmeans, blobs[0]),
        "partial_dependence": plots.plot_partial_dependence(ridge, diabetes[0], ["bmi"]),
        "decision_boundary": plots.plot_decision_boundary(two, X.iloc[:, :2], y, points=10),
    }
    run.finish()
    (stored,) = runhaven.Api().runs("p")
    kept = {key: value for row in stored.scan_history() for key, value in row.items()}

    for key, chart in drawn.items():
        assert chart is not None
        assert chart.table.data
        assert kept[key]["_type"] == "custom-chart"
        assert kept[f"{key}_table"]["_type"] == "table-file"
    assert {f"plot_{key}" for key in drawn} | {"plot_classifier", "plot_regressor", "plot_clusterer"} == {
        name for name in plots.__all__ if name.startswith("plot_")
    }
    assert stored.summary["test/accuracy"] == pytest.approx(classifier.score(X_test, y_test))


def test_a_classifiers_charts_are_one_row(run, digits):
    """`plot_classifier` draws all that W&B's does, in one row, and fits the model no second time."""
    X, X_test, y, y_test = digits
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=50)).fit(X, y)
    before = model[-1].coef_.copy()
    charts = plots.plot_classifier(
        model,
        X,
        X_test,
        y,
        y_test,
        model.predict(X_test),
        model.predict_proba(X_test),
        range(10),
        log_learning_curve=True,
    )
    run.finish()
    (stored,) = runhaven.Api().runs("p")
    (row,) = [row for row in stored.scan_history() if "roc" in row]

    assert charts.keys() == {
        "feature_importances", "confusion_matrix", "summary_metrics", "class_proportions", "calibration_curve", "roc",
        "precision_recall", "learning_curve",
    }  # fmt: skip
    assert charts.keys() < row.keys()
    assert np.array_equal(model[-1].coef_, before)


def test_binary_answers_have_one_curve_however_they_come(run, iris):
    """Scores of the second class, both columns, or a decision function: one curve, of the second class."""
    X, _, y, _ = iris
    model = LogisticRegression().fit(X, y > 0)
    charts = [
        plots.plot_roc(y > 0, scores)
        for scores in (model.predict_proba(X), model.predict_proba(X)[:, 1], model.decision_function(X))
    ]

    assert all(charts)
    assert [{row[0] for row in chart.table.data} for chart in charts if chart] == [{"True (AUC 1.000)"}] * 3
    assert run.step == 3


def test_regressors_and_clusterers_have_their_charts(run, diabetes, blobs):
    """`plot_regressor` and `plot_clusterer` draw what fits; a clusterer without a number has no elbow."""
    model = Ridge().fit(diabetes[0], diabetes[2])
    of_regressor = plots.plot_regressor(model, diabetes[0], diabetes[1], diabetes[2], diabetes[3])
    kmeans = KMeans(3, n_init=1).fit(blobs[0])

    assert of_regressor.keys() == {
        "summary_metrics", "outlier_candidates", "residuals", "prediction_error", "learning_curve",
    }  # fmt: skip
    assert plots.plot_clusterer(kmeans, blobs[0], kmeans.labels_).keys() == {"elbow_curve", "silhouette"}
    assert plots.plot_clusterer(DBSCAN(), *blobs).keys() == {"silhouette"}
    assert run.summary["test/r2"] == pytest.approx(model.score(diabetes[1], diabetes[3]))


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda X, y: plots.plot_summary_metrics(Ridge(), X, y), "call Ridge.fit"),
        (lambda X, y: plots.plot_summary_metrics("no model", X, y), "not str"),
        (lambda X, y: plots.plot_roc(y, np.zeros((3, 3))), "3 rows for"),
        (lambda X, y: plots.plot_roc(y, np.zeros((len(y), 2))), "2 columns, and y_true 3 classes"),
        (lambda X, y: plots.plot_confusion_matrix(y, y[:3]), "as many"),
        (lambda X, y: plots.plot_confusion_matrix(y, y, ["a"]), "1 names, and there are 3"),
        (lambda X, y: plots.plot_confusion_matrix(y, y, true_labels=["z"]), "no class here"),
        (lambda X, y: plots.plot_class_proportions(X.iloc[:, 0]), "continuous"),
        (lambda X, y: plots.plot_calibration_curve(LinearSVC().fit(X, y), X, y), "predict_proba"),
        (lambda X, y: plots.plot_summary_metrics(KMeans(2, n_init=1).fit(X), X, y), "neither"),
        (lambda X, y: plots.plot_outlier_candidates(Ridge().fit(X[:4], y[:4]), X[:4], y[:4]), "more examples"),
    ],
)
def test_bad_input_says_what_to_do_and_stops_no_script(iris, call, word, capfd, monkeypatch):
    """What cannot be drawn is said once, with the reason, and returns None; strict mode raises it."""
    X, _, y, _ = iris
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    with runhaven.init(project="p") as run:
        assert call(X, y) is None
        run.log({"later": 1})
    said = capfd.readouterr().err

    assert word in said
    with runhaven.init(project="p", settings={"strict": True}), pytest.raises(UsageError, match=word):
        call(X, y)


def test_nothing_is_changed_by_importing_it():
    """Importing the adapter leaves warnings, and the classes of scikit-learn, as they were."""
    code = (
        "import warnings; from sklearn.linear_model import Ridge; before = (list(warnings.filters), Ridge.fit); "
        "import runhaven.sklearn; assert (list(warnings.filters), Ridge.fit) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_package_names_the_command():
    """Without scikit-learn, the import says what needs it and what to run."""
    code = "import sys; sys.modules['sklearn'] = None; import runhaven.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr.strip().splitlines()[-1] == (
        "ImportError: runhaven.sklearn needs the package 'scikit-learn', which cannot be imported. "
        "Run: pip install scikit-learn"
    )
    assert issubclass(Ridge, BaseEstimator)
