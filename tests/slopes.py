"""Gradients by differences, for formulas that are written in numpy."""

from collections.abc import Callable

import numpy as np


def slopes(formula: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The gradient of a formula by an array, entry by entry in float64: it must be smooth there."""
    at = np.array(at, np.float64)
    found = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        around = []
        for moved in (at[index] + step, at[index] - step):
            there = at.copy()
            there[index] = moved
            around.append(formula(there))
        found[index] = (around[0] - around[1]) / (2 * step)
    return found
