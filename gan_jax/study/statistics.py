"""What some runs say of a method: the best that a search of k settings finds, and with which certainty.

A random search of k settings ends with the best of k draws (Lucic et al. 2018, arXiv 1711.10337, section 5.2). Of n drawn
settings, its mean is estimated without bias by the mean over all subsets of k, which has a closed form; the interval
of that estimate is the percentile bootstrap's over the settings. All scores here are such that less is better: those of
which more is better come with a changed sign.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 2000
FEWEST = 4  # settings of which the bootstrap says anything: of one or two its interval is a point, or nearly so
SPREAD = (0.1, 0.9)  # the shares of searches between which most of them end


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean, its confidence interval, and between which values most of what it is the mean of lies."""

    mean: float
    low: float
    high: float
    spread: tuple[float, float]

    def below(self, other: "Interval") -> bool:
        """Whether it lies below the other as a whole."""
        return self.high < other.low


def best_of(values: Sequence[float], budget: int, seed: int = 0) -> Interval:
    """The least of `budget` draws from what `values` [n] are draws of; the budget is n at most."""
    ordered = np.sort(np.asarray(values, np.float64))
    weights = chances(len(ordered), budget)
    picked = np.random.default_rng(seed).integers(len(ordered), size=(RESAMPLES, len(ordered)))
    resampled = np.sort(ordered[picked], axis=1) @ weights
    low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    least, most = (float(ordered[np.searchsorted(np.cumsum(weights) + 1e-9, share)]) for share in SPREAD)
    return Interval(float(ordered @ weights), float(low), float(high), (least, most))


def chances(count: int, budget: int) -> np.ndarray:
    """Of each of `count` ordered values the chance [count] to be the least of a random subset of `budget`."""
    subsets = math.comb(count, budget)
    return np.array([math.comb(count - 1 - index, budget - 1) / subsets for index in range(count)])


def mean_of(values: Sequence[float]) -> Interval:
    """The mean of what two or more `values` are draws of, with Student's interval."""
    array = np.asarray(values, np.float64)
    error = float(array.std(ddof=1)) / math.sqrt(len(array))
    width = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(array) - 1)) * error
    mean = float(array.mean())
    return Interval(mean, mean - width, mean + width, (float(array.min()), float(array.max())))


def told_apart(intervals: Mapping[str, Interval]) -> dict[str, list[str]]:
    """Of every method those that it is better than: whose intervals lie above its own, as a whole."""
    return {name: [other for other in intervals if intervals[name].below(intervals[other])] for name in intervals}


def without_failures(scores: Mapping[str, Sequence[float | None]]) -> dict[str, list[float]]:
    """The scores of every method with the worst that any method has in place of those that are missing: failed runs."""
    known = [value for values in scores.values() for value in values if value is not None]
    worst = max(known, default=0.0)
    return {name: [worst if value is None else value for value in values] for name, values in scores.items()}
