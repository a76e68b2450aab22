"""Precision and recall for distributions: a curve between two histograms (Sajjadi et al. 2018).

Both sets of features are clustered together; what share of each cluster one distribution can explain by the other is
the trade-off that the curve draws. Source: msmsajjadi/precision-recall-distributions.
"""

import numpy as np

from gan_jax.errors import UserError
from gan_jax.metrics.rows import checked_pair
from gan_jax.metrics.threads import one_thread

_ANGLES = 1001


def prd(real: np.ndarray, fake: np.ndarray, clusters: int = 20, runs: int = 10, seed: int = 0) -> tuple[float, float]:
    """(F8, F1/8) of rows [n, d] and [n, d]: F8 weighs recall, F1/8 precision.

    Raises:
        UserError: the sets differ in count, have fewer rows than clusters, or are not usable.
    """
    precision, recall = prd_curve(real, fake, clusters, runs, seed)
    return f_beta(precision, recall, 8), f_beta(precision, recall, 1 / 8)


def prd_curve(
    real: np.ndarray, fake: np.ndarray, clusters: int = 20, runs: int = 10, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall at 1,001 slopes, float64 each, means over clusterings.

    Args:
        real, fake: rows [n, d] and [n, d].
        clusters: of the mini-batch k-means, the best of 10 starts by scikit-learn.
        runs: how many clusterings.
        seed: of the clusterings.

    Raises:
        UserError: as `prd`.
    """
    from sklearn.cluster import MiniBatchKMeans  # takes a second

    real, fake = checked_pair(real, fake)
    if len(real) != len(fake):
        raise UserError(
            f"PRD of {len(real):,} real and {len(fake):,} generated rows: expected equal counts, leave out the rest"
        )
    if len(real) < clusters:
        raise UserError(f"PRD by {clusters} clusters of {len(real):,} rows: expected at least as many rows")
    both, random, curves = np.concatenate([fake, real]), np.random.RandomState(seed), []
    for _ in range(runs):
        with one_thread():
            labels = MiniBatchKMeans(clusters, n_init=10, random_state=random).fit(both).labels_
        of_fake, of_real = (np.bincount(half, minlength=clusters) / len(half) for half in np.split(labels, 2))
        curves.append(histogram_curve(of_real, of_fake))
    precision, recall = np.mean(curves, axis=0)
    return precision, recall


def histogram_curve(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall [1001] of two histograms [bins] that each sum to 1.

    Raises:
        ValueError: they do not.
    """
    if max(abs(np.sum(real) - 1), abs(np.sum(fake) - 1)) > 1e-3:
        raise ValueError("a histogram does not sum to 1")
    slopes = np.tan(np.linspace(1e-10, np.pi / 2 - 1e-10, _ANGLES))
    precision = np.minimum(slopes[:, None] * real, fake).sum(axis=1)
    return np.clip(precision, 0, 1), np.clip(precision / slopes, 0, 1)


def f_beta(precision: np.ndarray, recall: np.ndarray, beta: float) -> float:
    """The largest F score on a curve; beta above 1 weighs recall."""
    return float(np.max((1 + beta**2) * precision * recall / (beta**2 * precision + recall + 1e-10)))
