"""SS-GAN (Chen et al. 2019, arXiv 1811.11212): the discriminator also tells how images are turned, lest it forget.

Both players gain where turns are recognised: the discriminator on real images (`phases.rotation`, 1), the generator on
its own (`phases.rotation_generator`, 0.2). Residual networks, family `biggan`.
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
