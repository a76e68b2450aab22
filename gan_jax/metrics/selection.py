"""Instance selection (DeVries, Drozdzal and Taylor 2020, arXiv 2007.15255): the images where a data set is densest.

A Gaussian is fitted to the features of each class, and of each class the share with the highest likelihood is kept. Form:
uoguelph-mlrg/instance_selection_for_gans, instance_selection.py.
"""

import numpy as np
from scipy.linalg import cho_factor, solve_triangular

from gan_jax.errors import ConfigError

_RIDGE = 1e-5  # added to the variances, lest few images or useless features make the covariance singular


def log_likelihood(rows: np.ndarray) -> np.ndarray:
    """Of rows [n, d] under the Gaussian with their mean and covariance, float64 [n], up to a constant."""
    centred = rows.astype(np.float64) - rows.mean(0, dtype=np.float64)
    covariance = centred.T @ centred / len(rows) + _RIDGE * np.eye(rows.shape[1])
    factor, _ = cho_factor(covariance, lower=True)
    return -np.square(solve_triangular(factor, centred.T, lower=True)).sum(0) / 2


def densest(rows: np.ndarray, classes: np.ndarray, share: float) -> np.ndarray:
    """Places int64 [m], rising, of the share of each class with the highest likelihood, at least one of each.

    Args:
        rows: features [n, d].
        classes: int [n]; those without a class, -1, are one class.
        share: above 0, below 1.

    Raises:
        ConfigError: another share.
    """
    if not 0 < share < 1:
        raise ConfigError(f"--keep is {share}: expected a share above 0 and below 1, such as 0.5")
    kept = []
    for number in np.unique(classes):
        members = np.flatnonzero(classes == number)
        order = np.argsort(-log_likelihood(rows[members]), kind="stable")
        kept.append(members[order[: max(1, round(share * len(members)))]])
    return np.sort(np.concatenate(kept))
