"""DRAGAN (Kodali et al. 2017, arXiv 1705.07215): a gradient penalty around the real images.

The paper's setting has fully connected networks, as the family `mlp` without dropout and with ReLUs; its form is the
authors' notebook. The penalty itself, `phases.dragan`, goes with any discriminator without batch
normalisation.
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
