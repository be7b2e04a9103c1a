"""Looks for the best classifier of digits; every fit is kept, and the winner is drawn."""

from __future__ import annotations

from typing import Any

from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import runhaven
from runhaven_integrations import sklearn as plots


def main() -> None:
    """Search, judge and draw."""
    data: Any = datasets.load_digits()
    X_train, X_test, y_train, y_test = train_test_split(data.data, data.target, random_state=0)
    with runhaven.init(project="digits", job_type="search"):
        plots.autolog()
        for model, grid in (
            (
                make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
                {"logisticregression__C": [0.01, 0.1, 1.0]},
            ),
            (make_pipeline(StandardScaler(), SVC()), {"svc__C": [1.0, 10.0], "svc__gamma": ["scale", 0.01, 0.1]}),
        ):
            search: Any = GridSearchCV(model, grid, cv=3).fit(X_train, y_train)
            print(f"{type(model[-1]).__name__}: {search.best_params_} scores {search.score(X_test, y_test):.4f}")
        plots.autolog(disable=True)
        winner: Any = LogisticRegression(max_iter=500, C=0.1).fit(X_train, y_train)
        probabilities = winner.predict_proba(X_test)
        plots.plot_classifier(
            winner, X_train, X_test, y_train, y_test, winner.predict(X_test), probabilities, [str(n) for n in range(10)],
            log_learning_curve=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
