"""How often transforms fire: always alike, by the images seen, or as much as the discriminator overfits."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Tree = Any


@dataclasses.dataclass(frozen=True)
class Probability:
    """The probability p and the state that it depends on.

    Attributes:
        value: `(aux, images_seen) -> p`.
        aux, observe, adapt: as in `Augmentation`.
    """

    value: Callable[[Tree, jax.Array], Any]
    aux: Callable[[], Tree] = dict
    observe: Callable[[Tree, jax.Array], Tree] = lambda aux, real_logits: aux
    adapt: tuple[int, Callable[[Tree, int], Tree]] | None = None


def constant(p: float) -> Probability:
    """The same p throughout."""
    return Probability(lambda aux, images_seen: p)


def scheduled(start: float, end: float, until: float) -> Probability:
    """Half a cosine from `start` to `end` over the first `until` images; `end` ever after (brownvc/R3GAN)."""

    def value(aux, images_seen):
        progress = jnp.minimum(jnp.asarray(images_seen, jnp.float32) / until, 1)
        return end + (start - end) * (1 + jnp.cos(jnp.pi * progress)) / 2

    return Probability(value)


def adaptive(p: float, target: float, interval: int, horizon: float, most: float = math.inf) -> Probability:
    """Raises p while the discriminator's real logits are positive more often than `target` says, else lowers it.

    arXiv 2006.06676, section 3: the measure is the mean sign of the logits since the last adaptation, which is done
    every `interval` steps; p needs `horizon` images from 0 to 1, never falls below 0 and never
    rises above `most`.
    """

    def aux():
        return {"p": jnp.float32(p), "signs": jnp.float32(0), "count": jnp.float32(0)}

    def observe(aux, real_logits):
        logits = jax.lax.stop_gradient(real_logits)
        return {**aux, "signs": aux["signs"] + jnp.sign(logits).sum(), "count": aux["count"] + logits.size}

    def adapt(aux, images_per_step):
        # Nothing observed makes 0 - 0, no change.
        excess = jnp.sign(aux["signs"] - target * aux["count"])
        nothing = jnp.zeros_like(aux["count"])
        return {
            "p": jnp.clip(aux["p"] + excess * images_per_step * interval / horizon, 0, most),
            "signs": nothing,
            "count": nothing,
        }

    return Probability(lambda aux, images_seen: aux["p"], aux, observe, (interval, adapt))
