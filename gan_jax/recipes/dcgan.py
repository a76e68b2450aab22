"""DCGAN (Radford, Metz and Chintala 2016, arXiv 1511.06434), in the form of soumith/dcgan.torch.

Non-saturating loss, one step of each player, the discriminator first; real and generated images are normalised apart.
The published loop hands the discriminator's generated images on to the generator's step; here they are drawn anew.
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
