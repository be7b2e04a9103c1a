"""How well data fall into clusters."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.errors import UsageError
from runhaven_integrations.sklearn.computing.estimator import fitted
from runhaven_integrations.sklearn.framework import base, joblib, metrics, np

if TYPE_CHECKING:
    from collections.abc import Sequence


class Elbow(NamedTuple):
    """A clustering with some number of clusters.

    Attributes:
        clusters: How many.
        inertia: The sum of squared distances to the centres, or the negative score of models that have none.
        seconds: How long the fit took.
    """

    clusters: int
    inertia: float
    seconds: float


def elbow(clusterer: Any, features: Any, cluster_ranges: Sequence[int] | None = None, n_jobs: int = 1) -> list[Elbow]:
    """Fit copies of a clusterer with several numbers of clusters.

    Args:
        clusterer: One that takes `n_clusters` or `n_components`; it is not touched.
        features: (n, features).
        cluster_ranges: The numbers; 1, 2, 4, ... up to 16 by default, as far as there are examples.
        n_jobs: How many fits run at once.

    Raises:
        UsageError: If it takes no such number, or has no score.
    """
    name = number_name(clusterer)
    if name is None:
        message = f"an elbow curve takes a clusterer with n_clusters and score(), such as KMeans, not {type(clusterer).__name__}."
        raise UsageError(message)
    wanted = cluster_ranges if cluster_ranges is not None else (1, *range(2, 17, 2))
    numbers = sorted({int(number) for number in wanted if 1 <= number <= len(features)})
    found = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_fit)(base.clone(clusterer), name, number, features) for number in numbers
    )
    return list(found)


def number_name(clusterer: Any) -> str | None:
    """Return what a clusterer calls its number of clusters; None if it takes none, or cannot be scored."""
    if not hasattr(clusterer, "get_params") or not hasattr(clusterer, "score"):
        return None
    known = clusterer.get_params(deep=False)
    return next((name for name in ("n_clusters", "n_components") if name in known), None)


def labels_of(clusterer: Any, features: Any) -> Any:
    """Return the cluster of each example, as a fitted clusterer sees it."""
    model = fitted(clusterer, "a silhouette")
    return model.predict(features) if hasattr(model, "predict") else model.labels_


def _fit(clusterer: Any, name: str, number: int, features: Any) -> Elbow:
    begun = time.perf_counter()
    clusterer.set_params(**{name: number}).fit(features)
    seconds = time.perf_counter() - begun
    inertia = getattr(clusterer, "inertia_", None)
    return Elbow(number, float(-clusterer.score(features) if inertia is None else inertia), seconds)


class Silhouette(NamedTuple):
    """How much closer an example is to its own cluster than to the next one.

    Attributes:
        place: Where it stands in the chart, clusters one below the other.
        cluster: Its cluster.
        value: From -1 to 1.
    """

    place: int
    cluster: str
    value: float


def silhouette(
    features: Any, cluster_labels: Any, labels: Sequence[Any] | None = None, *, metric: str = "euclidean"
) -> tuple[list[Silhouette], float]:
    """Return the silhouettes of all examples, sorted within each cluster, and their mean.

    Args:
        features: (n, features).
        cluster_labels: The cluster of each, (n,); -1 stands for noise, which is left out.
        labels: The names of the clusters, in their order.
        metric: The distance, one of `sklearn.metrics.pairwise_distances`.

    Raises:
        UsageError: If there are not at least two clusters, or each example is one.
    """
    clusters = np.asarray(cluster_labels).ravel()
    is_kept = clusters != -1 if clusters.dtype.kind in "iuf" else np.ones(len(clusters), bool)
    clusters, table = clusters[is_kept], _rows(features, is_kept)
    present = np.unique(clusters)
    if not 2 <= len(present) < len(clusters):  # noqa: PLR2004 - a silhouette compares with another cluster
        message = f"a silhouette needs 2 to {len(clusters) - 1} clusters, and there are {len(present)}."
        raise UsageError(message)
    values = metrics.silhouette_samples(table, clusters, metric=metric)
    names = {
        one: str(one if labels is None or place >= len(labels) else labels[place])
        for place, one in enumerate(present.tolist())
    }
    order = np.lexsort((-values, clusters))
    found = [Silhouette(place, names[clusters[at].item()], float(values[at])) for place, at in enumerate(order)]
    return found, float(values.mean())


def _rows(features: Any, is_kept: Any) -> Any:
    return features[is_kept] if hasattr(features, "tocsr") else np.asarray(features)[is_kept]
