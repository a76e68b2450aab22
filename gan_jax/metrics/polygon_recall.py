"""Recall by inversion: how near a generator can come to given images when its latents are free.

For each target Adam searches the latents that make the nearest image (Lucic et al. 2018, arXiv 1711.10337, section 5),
from several draws of the prior and from the best of a thousand. Whatever the search misses lowers the recall, so the
budget belongs to the number.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax.errors import UserError
from gan_jax.metrics.polygon_distance import checked, pixels

CANDIDATES = 1000  # draws of the prior; the one nearest to a target is one of its starts
RATE = 0.05  # of Adam, falling to 0 as a cosine
CHUNK = 256  # searches at a time

Synthesize = Callable[[jax.Array], jax.Array]
Prior = Callable[[jax.Array, int], jax.Array]


@dataclasses.dataclass(frozen=True)
class Budget:
    """How long to search.

    Attributes:
        targets: number of images.
        restarts: draws of the prior from which each is searched, beside the best of a thousand.
        steps: of Adam.
        doubled: number of targets that are searched again with twice the steps, to see whether it was long enough.
    """

    targets: int
    restarts: int
    steps: int = 500
    doubled: int = 48


STUDY = Budget(targets=256, restarts=4)  # to compare many models
HEADLINE = Budget(targets=1024, restarts=10, doubled=128)  # to report one


def invert(
    targets: np.ndarray, synthesize: Synthesize, prior: Prior, budget: Budget, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances of targets, float [m, 28, 28] in [0, 1], to the nearest images that a generator can make.

    It takes m * (restarts + 1) * steps images, forward and backward. The loop over steps is on the host, as XLA's
    convolutions on CPU are slow inside its own loops.

    Args:
        synthesize: `latents [n, ...] -> images` float [n, 28, 28, 1] in [-1, 1], pure. What is outside that range is
            clipped before distances are compared, but not before gradients are taken.
        prior: `(key, n) -> latents [n, ...]`; the search may leave what the prior draws.

    Returns:
        distances: float64 [m], the least that each target's searches met.
        doubled: float64 [budget.doubled], of the first targets from the same starts, with twice the steps.

    Raises:
        UserError: targets or images have another size, or hold NaN or infinite numbers.
    """
    targets = checked(targets)
    starts = _starts(targets, synthesize, prior, budget.restarts, seed)
    search = _search(synthesize)
    first = slice(budget.doubled)
    return search(targets, starts, budget.steps), search(targets[first], starts[first], 2 * budget.steps)


def _starts(targets, synthesize, prior, restarts, seed):
    """Latents [m, restarts + 1, ...]: the best candidate, then fresh draws."""
    key_candidates, key_restarts = jax.random.split(jax.random.key(seed))
    candidates = prior(key_candidates, CANDIDATES)
    draw = jax.jit(lambda latents: pixels(synthesize(latents)))
    images = [checked(draw(candidates[first : first + CHUNK])) for first in range(0, CANDIDATES, CHUNK)]
    images = np.clip(np.concatenate(images), 0, 1).reshape(CANDIDATES, -1)
    scores = np.square(images).sum(axis=1) - 2 * targets.reshape(len(targets), -1) @ images.T
    best = candidates[scores.argmin(axis=1)][:, None]
    fresh = prior(key_restarts, len(targets) * restarts).reshape(len(targets), restarts, *candidates.shape[1:])
    return jnp.concatenate([best, fresh], axis=1)


def _search(synthesize):
    """`(targets [m, 28, 28], starts [m, s, ...], steps) -> distances [m]`, compiled once."""
    adam = optax.scale_by_adam()

    def loss(latents, targets):
        images = pixels(synthesize(latents))
        distances = jnp.square(jnp.clip(images, 0, 1) - targets).sum(axis=(1, 2))
        return jnp.square(images - targets).sum(), distances

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, targets, rate):
        latents, memory, least = state
        gradient, distances = jax.grad(loss, has_aux=True)(latents, targets)
        direction, memory = adam.update(gradient, memory)
        return latents - rate * direction, memory, jnp.minimum(least, distances)

    @jax.jit
    def begin(latents):
        return latents, adam.init(latents), jnp.full(len(latents), jnp.inf)

    def search(targets, starts, steps):
        each, latents = np.repeat(targets, starts.shape[1], axis=0), starts.reshape(-1, *starts.shape[2:])
        rates = RATE * (1 + np.cos(np.pi * np.arange(steps + 1) / steps)) / 2  # the last one, 0, only compares
        found = []
        for first in range(0, len(each), CHUNK):
            # A last chunk that is not full repeats its last search.
            rows = np.minimum(np.arange(first, first + CHUNK), len(each) - 1)
            chunk, state = jnp.asarray(each[rows]), begin(latents[rows])
            for rate in rates.astype(np.float32):
                state = step(state, chunk, rate)
            found.append(np.asarray(state[-1], np.float64)[: len(each) - first])
        distances = np.concatenate(found)
        if not np.isfinite(distances).all():
            raise UserError("the generator made NaN or infinite pixels while it was inverted: expected [-1, 1]")
        return distances.reshape(starts.shape[:2]).min(axis=1)

    return search
