"""scikit-learn: W&B's plots, each with its data, and `autolog()`, which keeps every fit."""

from __future__ import annotations

from runhaven_integrations.sklearn.autolog import autolog
from runhaven_integrations.sklearn.plots.classifier import (
    plot_calibration_curve,
    plot_class_proportions,
    plot_classifier,
    plot_confusion_matrix,
    plot_det_curve,
    plot_feature_importances,
    plot_precision_recall,
    plot_roc,
)
from runhaven_integrations.sklearn.plots.clusterer import (
    plot_clusterer,
    plot_elbow_curve,
    plot_silhouette,
)
from runhaven_integrations.sklearn.plots.model import (
    plot_decision_boundary,
    plot_learning_curve,
    plot_partial_dependence,
    plot_summary_metrics,
    plot_validation_curve,
)
from runhaven_integrations.sklearn.plots.regressor import (
    plot_outlier_candidates,
    plot_prediction_error,
    plot_regressor,
    plot_residuals,
)

__all__ = [
    "autolog",
    "plot_calibration_curve",
    "plot_class_proportions",
    "plot_classifier",
    "plot_clusterer",
    "plot_confusion_matrix",
    "plot_decision_boundary",
    "plot_det_curve",
    "plot_elbow_curve",
    "plot_feature_importances",
    "plot_learning_curve",
    "plot_outlier_candidates",
    "plot_partial_dependence",
    "plot_precision_recall",
    "plot_prediction_error",
    "plot_regressor",
    "plot_residuals",
    "plot_roc",
    "plot_silhouette",
    "plot_summary_metrics",
    "plot_validation_curve",
]
