"""Frechet distance between two sets of features, each taken as a Gaussian (Heusel et al. 2017, equation 6).

With features of Inception's last pool it is the FID. It falls as 1/n, so that only equal counts compare, and strongly
so below d rows (`bias_warning`). Equal sets give zero up to rounding, which may be slightly negative.
"""

import numpy as np

from gan_jax.errors import UserError
from gan_jax.metrics.moments import Moments
from gan_jax.metrics.rows import check_dimensions, checked_pair
from gan_jax.metrics.threads import one_thread

_SIZES = 15  # of the subsets through which `frechet_infinity` lays a line
_FLOAT32 = 2.0**-23  # features that vary relatively less do not vary


def frechet_distance(real: Moments, fake: Moments, ddof: int = 1) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of means m and covariances S, in float64.

    The trace of the root is the sum of the square roots of the eigenvalues of H^T S2 H, where H H^T = S1: two symmetric
    eigenvalue problems, no complex numbers and no term added to the diagonals. 3 s for d = 2,048.

    Args:
        ddof: 1 divides scatters by n - 1, 0 by n as StyleGAN3's code does.

    Raises:
        UserError: a set has fewer than two rows, does not vary or is not finite, or the dimensions differ.
    """
    _check(real, "real")
    _check(fake, "generated")
    check_dimensions(len(real.mean), len(fake.mean))
    return _distance(real, _half(real, ddof), fake, ddof)


def frechet_of_rows(real: np.ndarray, fake: np.ndarray) -> float:
    """The distance of rows [n, d] and [m, d].

    With at most d rows in a set the trace of the root is the nuclear norm of A B^T, where A and B are the rows, centred
    and divided by the root of n - 1: exact where the singular covariance would cost half of the digits.

    Raises:
        UserError: as `frechet_distance`.
    """
    real, fake = checked_pair(real, fake, least=2)
    a, b = Moments.of(real), Moments.of(fake)
    if min(len(real), len(fake)) > real.shape[1]:
        return frechet_distance(a, b)
    _check(a, "real")
    _check(b, "generated")
    product = _factor(real, a) @ _factor(fake, b).T
    with one_thread():
        overlap = np.linalg.svd(product, compute_uv=False).sum()
    return _without_overlap(a, b, 1) - 2 * float(overlap)


def frechet_infinity(real: np.ndarray, fake: np.ndarray, seed: int) -> float:
    """The distance that infinitely many generated rows would have to the real ones (Chong and Forsyth 2020).

    Distances of 15 subsets of the generated rows, from a tenth of them (at most 5,000) to all, drawn without
    replacement, lie on a line over 1/n: its value at 0. Source: layer6ai-labs/dgm-eval, FID_inf.

    Raises:
        UserError: as `frechet_distance`, or fewer than 30 generated rows.
    """
    real, fake = checked_pair(real, fake, least=2)
    if len(fake) < 2 * _SIZES:
        raise UserError(
            f"{len(fake)} generated rows: expected at least {2 * _SIZES} to lay a line through subsets of them"
        )
    random, reference = np.random.RandomState(seed), Moments.of(real)
    sizes = np.linspace(min(5000, max(len(fake) // 10, 2)), len(fake), _SIZES).astype(int)
    _check(reference, "real")
    half, distances = _half(reference, 1), []
    for size in sizes:
        subset = Moments.of(fake[random.permutation(len(fake))[:size]])
        _check(subset, "generated")
        distances.append(_distance(reference, half, subset, 1))
    return float(np.polyfit(1 / sizes, distances, 1)[1])


def frechet_per_class(
    real: np.ndarray, real_labels: np.ndarray, fake: np.ndarray, fake_labels: np.ndarray
) -> tuple[float, dict[int, float]]:
    """The mean of the distances within the classes, and each of them by class.

    Classes have few rows, so the values are biased upwards and compare at equal counts only.

    Args:
        real, fake: rows [n, d] and [m, d].
        real_labels, fake_labels: int [n] and [m]; each class as often in both.

    Raises:
        UserError: as `frechet_distance`, or the counts of a class differ.
    """
    real, fake = checked_pair(real, fake)
    real_labels, fake_labels = np.asarray(real_labels), np.asarray(fake_labels)
    for labels, rows, name in ((real_labels, real, "real"), (fake_labels, fake, "generated")):
        if labels.shape != (len(rows),):
            raise UserError(
                f"the {name} labels have shape {labels.shape}: expected one class for each of {len(rows)} rows"
            )
    distances = {}
    for label in np.union1d(real_labels, fake_labels):
        both = real[real_labels == label], fake[fake_labels == label]
        if len(both[0]) != len(both[1]):
            raise UserError(
                f"class {label} has {len(both[0]):,} real and {len(both[1]):,} generated rows: expected equal counts, "
                "generate as many of each class as are real"
            )
        try:
            distances[int(label)] = frechet_of_rows(*both)
        except UserError as error:
            raise UserError(f"class {label}: {error}") from error
    return float(np.mean(list(distances.values()))), distances


def bias_warning(count: int, dimension: int) -> str | None:
    """What to tell whoever reads a distance of so few rows, None where they are enough."""
    if count >= dimension:
        return None
    return (
        f"{count:,} images for {dimension:,} features: their covariance is singular and the distance far above its limit; "
        "it compares only with others of as many images"
    )


def _check(moments: Moments, name: str) -> None:
    if moments.count < 2:
        raise UserError(f"{moments.count} {name} feature rows: expected at least 2 for a covariance, take more images")
    if not (np.isfinite(moments.mean).all() and np.isfinite(moments.scatter).all()):
        raise UserError(f"the {name} features hold NaN or infinite values: expected finite numbers, look at the images")
    if np.trace(moments.scatter) <= moments.count * _FLOAT32**2 * np.square(moments.mean).sum():
        raise UserError(
            f"all {moments.count:,} {name} feature rows are equal: expected ones that vary, look at the images"
        )


def _half(moments: Moments, ddof: int) -> np.ndarray:
    """H with H H^T = covariance."""
    with one_thread():
        values, vectors = np.linalg.eigh(moments.covariance(ddof))
    return vectors * np.sqrt(np.maximum(values, 0))


def _distance(real: Moments, half: np.ndarray, fake: Moments, ddof: int) -> float:
    with one_thread():
        values = np.linalg.eigvalsh(half.T @ fake.covariance(ddof) @ half)
    return _without_overlap(real, fake, ddof) - 2 * float(np.sqrt(np.maximum(values, 0)).sum())


def _without_overlap(real: Moments, fake: Moments, ddof: int) -> float:
    """|m1 - m2|^2 + tr S1 + tr S2."""
    spread = sum(np.trace(one.scatter) / (one.count - ddof) for one in (real, fake))
    return float(np.square(real.mean - fake.mean).sum() + spread)


def _factor(rows: np.ndarray, moments: Moments) -> np.ndarray:
    """F [at most d, d] with F^T F = covariance."""
    centred = (rows - moments.mean) / np.sqrt(moments.count - 1)
    return np.linalg.qr(centred, mode="r") if len(rows) > rows.shape[1] else centred
