"""MHGAN (Kavalerov, Czaja and Chellappa 2021, arXiv 1912.04216): one hinge loss over classes and "generated" in place of two.

The discriminator has a logit for each class and one for generated images; each should lead the others by 1. The
generator also matches mean features. BigGAN's networks, as PyTorch-StudioGAN's "MHGAN".
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
