"""ContraGAN (Kang and Park 2020, arXiv 2006.12681): classes by the likeness of images to each other.

An embedding of each image is drawn to the proxy of its class and to the other images of the class in the batch (the
loss "2C"), for both players. A generator can settle on a permutation of few classes: `positives` of
`losses.conditional.contrastive`. BigGAN's networks, as PyTorch-StudioGAN's "ContraGAN".
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
