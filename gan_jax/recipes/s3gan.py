"""S3GAN (Lucic et al. 2019, arXiv 1903.02271): self-supervised and semi-supervised, from labels of a few images.

The discriminator learns classes from the labelled images, tells those of the others, and judges all of them by a
projection of the class; turns are told as in SS-GAN. `data.labelled` hides labels; without `phases.rotation` it is the
paper's S2GAN. Form: compare_gan, gans/s3gan.py. Residual networks, family `biggan`.
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
