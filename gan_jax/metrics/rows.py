"""What metrics ask of feature rows before they compute with them."""

import numpy as np

from gan_jax.errors import UserError


def checked(rows: np.ndarray, name: str = "features", least: int = 1) -> np.ndarray:
    """The rows as an array [n, d].

    Raises:
        UserError: they are no table, fewer than `least`, or not finite.
    """
    rows = np.asarray(rows)
    if rows.ndim != 2:
        raise UserError(f"the {name} have shape {rows.shape}: expected [n, d], one row for each image")
    if len(rows) < least:
        raise UserError(f"the {name} have {len(rows):,} rows: expected at least {least:,}, take more images")
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(rows.sum(axis=1, dtype=np.float64))  # a mask of every value would take a byte for each
    if bad := len(rows) - int(finite.sum()):
        raise UserError(
            f"{bad:,} of {len(rows):,} rows of the {name} hold NaN or infinite values: expected finite numbers, look at "
            "the images that they are of"
        )
    return rows


def checked_pair(real: np.ndarray, fake: np.ndarray, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The rows of real and of generated images as arrays [n, d] and [m, d].

    Raises:
        UserError: as `checked`, or their dimensions differ.
    """
    real, fake = checked(real, "real features", least), checked(fake, "generated features", least)
    check_dimensions(real.shape[1], fake.shape[1])
    return real, fake


def check_dimensions(real: int, fake: int) -> None:
    """Refuses features of different extractors.

    Raises:
        UserError: the numbers of dimensions differ.
    """
    if real != fake:
        raise UserError(
            f"the real features have {real:,} dimensions and the generated ones {fake:,}: expected the same of both, "
            "take them from one extractor and output"
        )
