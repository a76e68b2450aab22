"""The first GAN (Goodfellow et al. 2014, arXiv 1406.2661): fully connected networks, in the form of goodfeli/adversarial.

The generator maximises log D instead of minimising log(1 - D). The discriminator has dropout in its own updates and in
the generator's.
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
