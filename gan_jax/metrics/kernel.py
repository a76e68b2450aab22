"""Distances between sets of features by kernels: KID (Binkowski et al. 2018) and CMMD (Jayasumana et al. 2024).

Both are squared maximum mean discrepancies, mean k(x, x') + mean k(y, y') - 2 mean k(x, y). All sums are float64, over
tiles of 2,048 x 2,048 values of the kernel (about 200 MB with 2,048 features), whatever the number of rows.
"""

from collections.abc import Callable

import numpy as np

from gan_jax.errors import UserError
from gan_jax.metrics.rows import checked, checked_pair

_TILE = 2048
_BANDWIDTH = 10.0
_SCALE = 1000.0

Kernel = Callable[[np.ndarray], np.ndarray]  # of inner products


def kid(
    real: np.ndarray, fake: np.ndarray, subsets: int = 100, size: int = 1000, seed: int = 2020
) -> tuple[float, float]:
    """Mean and (population) standard deviation of the unbiased estimate over subsets of the rows [n, d] and [m, d].

    Close sets may give negative values. Each subset draws `size` real rows, then as many generated ones, without
    replacement: with the default seed those of torch-fidelity.

    Raises:
        UserError: a set has fewer rows than a subset, a subset fewer than two, or the rows are not usable.
    """
    real, fake = checked_pair(real, fake)
    if size < 2:
        raise UserError(f"KID by subsets of {size} images: expected at least 2")
    for rows, name in ((real, "real"), (fake, "generated")):
        if len(rows) < size:
            raise UserError(
                f"KID by subsets of {size:,} images needs as many, but {len(rows):,} are {name}: take more images or smaller "
                "subsets (--config.evaluate.settings.kid_size)"
            )
    random = np.random.RandomState(seed)
    values = []
    for _ in range(subsets):
        chosen = real[random.choice(len(real), size, replace=False)]
        values.append(_unbiased(chosen, fake[random.choice(len(fake), size, replace=False)]))
    return float(np.mean(values)), float(np.std(values))


def mmd2_unbiased(real: np.ndarray, fake: np.ndarray) -> float:
    """KID's estimate from all rows [n, d] and [m, d] at once, without the noise of subsets.

    Raises:
        UserError: a set has fewer than two rows, or the rows are not usable.
    """
    return _unbiased(*checked_pair(real, fake, least=2))


def cmmd(real: np.ndarray, fake: np.ndarray) -> float:
    """1,000 times the discrepancy by exp(-|x - y|^2 / 200) of rows [n, d] and [m, d], each divided by its length.

    The biased estimate, with the diagonals, as published (google-research, cmmd).

    Raises:
        UserError: the rows are not usable, or one is zero.
    """
    real, fake = _unit(real, "real features"), _unit(fake, "generated features")
    checked_pair(real, fake)

    def gaussian(products: np.ndarray) -> np.ndarray:
        return np.exp((products - 1) / _BANDWIDTH**2)  # |x - y|^2 = 2 - 2 x.y

    within = sum(_total(rows, rows, gaussian) / len(rows) ** 2 for rows in (real, fake))
    return _SCALE * float(within - 2 * _total(real, fake, gaussian) / (len(real) * len(fake)))


def _unit(rows: np.ndarray, name: str) -> np.ndarray:
    rows = checked(rows, name).astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not lengths.all():
        raise UserError(
            f"{int((lengths == 0).sum()):,} rows of the {name} are zero: expected a direction, look at the images"
        )
    return rows / lengths


def _unbiased(real: np.ndarray, fake: np.ndarray) -> float:
    def cubic(products: np.ndarray) -> np.ndarray:
        kernel = products / real.shape[1] + 1
        return kernel * kernel * kernel  # numpy's power is far slower

    def within(rows: np.ndarray) -> float:
        diagonal = cubic(np.square(rows, dtype=np.float64).sum(axis=1)).sum()
        return (_total(rows, rows, cubic) - diagonal) / (len(rows) * (len(rows) - 1))

    return float(within(real) + within(fake) - 2 * _total(real, fake, cubic) / (len(real) * len(fake)))


def _total(a: np.ndarray, b: np.ndarray, kernel: Kernel) -> float:
    """The sum of the kernel over all pairs of rows; where both sets are one, tiles off the diagonal count twice."""
    total = 0.0
    for i in range(0, len(a), _TILE):
        rows = a[i : i + _TILE].astype(np.float64)
        for j in range(i if a is b else 0, len(b), _TILE):
            columns = rows if a is b and i == j else b[j : j + _TILE].astype(np.float64)
            total += kernel(rows @ columns.T).sum() * (2 if a is b and i != j else 1)
    return float(total)
