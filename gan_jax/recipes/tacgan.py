"""TAC-GAN (Gong et al. 2019, arXiv 1907.02690): a twin classifier keeps an auxiliary one from making classes too alike.

The twin learns the classes of generated images, and the generator works against it, which takes out the bias of AC-GAN
towards images that are easy to classify. Residual networks of the family `biggan`, as PyTorch-StudioGAN's
"ACGAN-Mod-TAC".
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
