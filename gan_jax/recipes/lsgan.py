"""LSGAN (Mao et al. 2017, arXiv 1611.04076): least squares in place of cross-entropy, with targets 1 and 0.

The networks of the paper's figure for 112 pixels, for any side that four halvings leave whole. Form: xudonmao/LSGAN,
whose sum over the batch is a mean here.
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
