"""Looks for the best classifier of digits; every fit is kept, and the winner is drawn."""

# scikit-learn has no types.
# pyright: reportUnknownVariableType=none, reportUnknownArgumentType=none

from __future__ import annotations

from typing import Any

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import runhaven
from runhaven_integrations import sklearn as plots


def main() -> None:
    """Search, judge and draw."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    linear: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    kernel: Any = make_pipeline(StandardScaler(), SVC())
    with runhaven.init(project="digits", job_type="search"):
        plots.autolog()
        for model, grid in (
            (kernel, {"svc__C": [1.0, 10.0], "svc__gamma": ["scale", 0.01, 0.1]}),
            (linear, {"logisticregression__C": [0.01, 0.1, 1.0]}),
        ):
            search: Any = GridSearchCV(model, grid, cv=3).fit(X_train, y_train)
            print(f"{type(model[-1]).__name__}: {search.best_params_} scores {search.score(X_test, y_test):.4f}")
        plots.autolog(disable=True)
        # Of the two, the linear model tells how sure it is.
        winner: Any = linear.set_params(logisticregression__C=0.1).fit(X_train, y_train)
        probabilities, names = winner.predict_proba(X_test), [str(digit) for digit in range(10)]
        plots.plot_classifier(
            winner, X_train, X_test, y_train, y_test, winner.predict(X_test), probabilities, names, log_learning_curve=True
        )  # fmt: skip


if __name__ == "__main__":
    main()
