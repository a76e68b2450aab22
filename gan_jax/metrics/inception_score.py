"""Inception Score: how sure a classifier is of each image, and how varied its judgements are (Salimans et al. 2016)."""

import itertools

import numpy as np

from gan_jax.errors import UserError
from gan_jax.metrics.rows import checked


def inception_score(logits: np.ndarray, splits: int = 10, shuffle_seed: int | None = None) -> tuple[float, float]:
    """exp(mean_i KL(p_i || mean_j p_j)): mean and (population) standard deviation over parts of the images.

    Fewer parts give higher scores, so a score means something only together with their number.

    Args:
        logits: [n, classes] of generated images; the published score takes the 1,008 without bias.
        splits: parts, of n / splits images each; 10 with 50,000 images.
        shuffle_seed: shuffles the rows before (2020 in torch-fidelity); None takes them in order.

    Raises:
        UserError: fewer rows than parts, or not finite.
    """
    logits = checked(logits, "logits")
    if not 1 <= splits <= len(logits):
        raise UserError(
            f"an Inception Score of {len(logits):,} images in {splits:,} parts: expected at least one image in each, take "
            "more images or fewer parts (--config.evaluate.settings.is_splits)"
        )
    if shuffle_seed is not None:
        logits = logits[np.random.RandomState(shuffle_seed).permutation(len(logits))]
    bounds = [part * len(logits) // splits for part in range(splits + 1)]
    scores = [_score(logits[start:end]) for start, end in itertools.pairwise(bounds)]
    return float(np.mean(scores)), float(np.std(scores))


def _score(logits: np.ndarray) -> float:
    logits = logits.astype(np.float64)
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    log_marginal = np.logaddexp.reduce(log_p, axis=0) - np.log(len(log_p))  # finite where the mean of p is 0
    return float(np.exp((np.exp(log_p) * (log_p - log_marginal)).sum(axis=1).mean()))
