"""SAGAN (Zhang et al. 2019, arXiv 1805.08318): self-attention and spectral normalisation in both networks, two rates.

The networks are those of the family `biggan` with tables of classes; the discriminator learns four times as fast as the
generator, one step each (TTUR, arXiv 1706.08500). Form: brain-research/self-attention-gan.
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
