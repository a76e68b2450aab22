"""Self-modulation (Chen et al. 2019, arXiv 1810.01365): batch normalisation of the generator is conditioned on z.

The residual networks of the family `biggan`; every batch normalisation, the last one too, takes its scales and biases
from a small network of z, and of an embedding of the class where there are classes. Form: compare_gan, which pools the
discriminator's features by their mean.
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
