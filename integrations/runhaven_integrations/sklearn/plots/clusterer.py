"""Plots of clusterings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from runhaven_integrations.sklearn.computing import clusters
from runhaven_integrations.sklearn.plots import of_regressors as draw
from runhaven_integrations.sklearn.plots.showing import show, show_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runhaven import Run
    from runhaven.media.chart import CustomChart


def plot_clusterer(
    model: Any,
    X_train: Any,
    cluster_labels: Any,
    labels: Sequence[Any] | None = None,
    model_name: str = "Clusterer",  # noqa: ARG001 - W&B's argument, unused there too
    *,
    run: Run | None = None,
) -> dict[str, CustomChart]:
    """Draw what there is to see of a clustering: the elbow, where the number of clusters can be chosen, and silhouettes.

    Args:
        model: The clusterer.
        X_train: What it was fitted on, (n, features).
        cluster_labels: The cluster of each example, (n,).
        labels: The names of the clusters, in their order.
        model_name: Accepted.
        run: The run; the active one by default.

    Returns:
        The charts that could be drawn, by key.
    """
    drawing: dict[str, Callable[[], CustomChart]] = {
        "silhouette": partial(_silhouette, X_train, cluster_labels, labels)
    }
    if clusters.number_name(model) is not None:
        drawing = {"elbow_curve": partial(_elbow, model, X_train, None, 1), **drawing}
    return show_all(drawing, run)


def plot_elbow_curve(
    clusterer: Any = None,
    X: Any = None,
    cluster_ranges: Sequence[int] | None = None,
    n_jobs: int = 1,
    show_cluster_time: bool = True,
    *,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw how compact clusters are over their number; copies of the clusterer are fitted. Logged as "elbow_curve".

    Args:
        clusterer: One such as KMeans; it need not be fitted, and is not touched.
        X: (n, features).
        cluster_ranges: The numbers of clusters; 1, 2, 4, ... 16 by default.
        n_jobs: How many fits run at once.
        show_cluster_time: Whether the time of each fit is drawn, too.
        run: The run; the active one by default.
    """
    drawing = partial(_elbow, clusterer, X, cluster_ranges, n_jobs, has_time=show_cluster_time)
    return show("elbow_curve", drawing, run)


def _elbow(
    clusterer: Any, features: Any, ranges: Sequence[int] | None, n_jobs: int, *, has_time: bool = True
) -> CustomChart:
    return draw.elbow(clusters.elbow(clusterer, features, ranges, n_jobs), has_time=has_time)


def plot_silhouette(  # noqa: PLR0913 - W&B's signature
    clusterer: Any = None,
    X: Any = None,
    cluster_labels: Any = None,
    labels: Sequence[Any] | None = None,
    metric: str = "euclidean",
    kmeans: bool = True,  # noqa: ARG001 - W&B's argument; any clusterer will do
    *,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw how much closer each example is to its own cluster than to the next one; logged as "silhouette".

    Args:
        clusterer: A fitted clusterer; asked for the clusters if they are not given.
        X: (n, features).
        cluster_labels: The cluster of each example, (n,).
        labels: The names of the clusters, in their order.
        metric: The distance, one of `sklearn.metrics.pairwise_distances`.
        kmeans: Accepted: any clusterer will do.
        run: The run; the active one by default.
    """

    def drawing() -> CustomChart:
        found = clusters.labels_of(clusterer, X) if cluster_labels is None else cluster_labels
        return _silhouette(X, found, labels, metric)

    return show("silhouette", drawing, run)


def _silhouette(
    features: Any, cluster_labels: Any, labels: Sequence[Any] | None, metric: str = "euclidean"
) -> CustomChart:
    return draw.silhouette(*clusters.silhouette(features, cluster_labels, labels, metric=metric))
