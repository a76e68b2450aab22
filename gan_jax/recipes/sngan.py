"""SNGAN (Miyato et al. 2018, arXiv 1802.05957): a residual discriminator whose layers all have a largest singular value of 1.

The networks are those of the family `biggan`: a generator of batch normalisations, with a table of classes each where
there are classes, without spectral normalisation; a discriminator of blocks as wide as their output (CIFAR-10) or as
their input (ImageNet), with the projection of arXiv 1802.05637. Form: pfnet-research/sngan_projection, in which the
generator learns from twice the batch.
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
