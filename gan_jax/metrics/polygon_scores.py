"""Precision, recall and F1 of a generator of convex polygons, whose true distribution is known.

Lucic et al. 2018 (arXiv 1711.10337, section 5): an image is precise when its squared distance to the nearest polygon is
below a threshold, and a test image is recalled when the generator can come as near to it. No network judges.
"""

import numpy as np

from gan_jax.errors import UserError
from gan_jax.metrics.polygon_distance import pixels, squared_distances
from gan_jax.metrics.polygon_recall import Budget, Prior, Synthesize, invert

THRESHOLDS = {"": 0.75, "_0.25": 0.25, "_2": 2.0, "_5": 5.0}  # the first is the paper's
QUANTILES = (10, 50, 90)  # percent


def polygon_scores(
    samples: np.ndarray,
    targets: np.ndarray,
    synthesize: Synthesize,
    prior: Prior,
    budget: Budget,
    seed: int = 0,
    vertices: int = 3,
) -> dict[str, float]:
    """The exact scores of a generator of convex polygons at 28 x 28 pixels.

    Noise of standard deviation 0.05 alone costs an image about 1.0, so the headline threshold is strict.

    Args:
        samples: uint8 [n, 28, 28, 1], generated.
        targets: uint8 [m, 28, 28, 1], of the test set; the first `budget.targets` are used.
        synthesize: `latents -> images` float [n, 28, 28, 1] in [-1, 1]; pure and differentiable.
        prior: `(key, n) -> latents [n, ...]`.
        budget: of the inversion, see `gan_jax.metrics.polygon_recall`.
        seed: of the inversion's starts.
        vertices: of the polygons.

    Returns:
        polygon_precision, polygon_recall, polygon_f1: shares below 0.75, and their harmonic mean; at other thresholds
            with the suffixes _0.25, _2 and _5.
        polygon_free_precision, polygon_free_f1: the same where all convex polygons count, see
            `gan_jax.metrics.polygon_manifolds`.
        polygon_distance_10, _50, _90 and polygon_free_distance_...: percentiles of the samples' squared distances;
            polygon_inversion_distance_...: of the targets'.
        polygon_recall_if_doubled: by how much twice the steps change the recall of the first `budget.doubled` targets.

    Raises:
        UserError: images have another size or hold NaN, or there are fewer targets than the budget says.
    """
    if len(targets) < budget.targets:
        raise UserError(
            f"the test set has {len(targets)} images, too few for a recall over {budget.targets}: use a smaller budget"
        )
    samples, targets = pixels(samples), pixels(targets[: budget.targets])
    inverted, doubled = invert(targets, synthesize, prior, budget, seed)
    recalled = {suffix: float(np.mean(inverted < threshold)) for suffix, threshold in THRESHOLDS.items()}
    scores = {f"polygon_recall{suffix}": share for suffix, share in recalled.items()}
    before, after = (np.mean(d[: budget.doubled] < THRESHOLDS[""]) for d in (inverted, doubled))
    scores["polygon_recall_if_doubled"] = float(after - before)
    scores |= _percentiles("polygon_inversion_distance", inverted)
    for manifold, name in (("family", "polygon"), ("free", "polygon_free")):
        distances = squared_distances(samples, manifold, vertices)
        scores |= _percentiles(f"{name}_distance", distances)
        for suffix, threshold in THRESHOLDS.items():
            precision, recall = float(np.mean(distances < threshold)), recalled[suffix]
            scores[f"{name}_precision{suffix}"] = precision
            scores[f"{name}_f1{suffix}"] = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return scores


def _percentiles(name, distances):
    return {f"{name}_{q}": float(np.percentile(distances, q)) for q in QUANTILES}
