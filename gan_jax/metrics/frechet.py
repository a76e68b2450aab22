"""Frechet distance between two sets of features, each taken as a Gaussian (Heusel et al. 2017, equation 6)."""

import numpy as np


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean float64 [d] and unbiased covariance float64 [d, d] of features [n, d].

    With n < d the covariance is singular: the distance is defined, but strongly biased.

    Raises:
        ValueError: fewer than two rows.
    """
    if len(features) < 2:
        raise ValueError(f"{len(features)} feature rows: a covariance needs at least 2")
    features = np.asarray(features, np.float64)
    return features.mean(axis=0), np.cov(features, rowvar=False).reshape(features.shape[1], -1)


def frechet_distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """|mean1 - mean2|^2 + tr(cov1 + cov2 - 2 (cov1 cov2)^(1/2)), in float64.

    The trace of the root is that of (R cov2 R)^(1/2), where R is the symmetric root of cov1: two symmetric eigenvalue
    problems, no complex numbers and no term added to the diagonals. Equal sets give zero up to rounding, which may be
    slightly negative. The distance falls as 1/n, so only equal counts compare.

    Args:
        mean1, mean2: float [d].
        cov1, cov2: symmetric positive semidefinite float [d, d].
    """
    mean1, cov1, mean2, cov2 = (np.asarray(array, np.float64) for array in (mean1, cov1, mean2, cov2))
    values, vectors = np.linalg.eigh(cov1)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov2 @ root), 0)).sum()
    return float(((mean1 - mean2) ** 2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * overlap)
