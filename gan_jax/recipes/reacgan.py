"""ReACGAN (Kang et al. 2021, arXiv 2111.01118): AC-GAN rebooted, with a classifier that compares images on a sphere.

The data-to-data cross-entropy draws an image's embedding, of length 1, to the proxy of its class and away from images
of other classes, and no further than margins, for both players. BigGAN's networks, as PyTorch-StudioGAN's "ReACGAN".
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
