"""AC-GAN (Odena, Olah and Shlens 2017, arXiv 1610.09585): the discriminator also tells the class, and both players gain by it.

The paper's networks are DCGAN's with an embedding of the class joined to z, PyTorch-StudioGAN's residual ones with
conditional batch normalisation. `phases.conditioning` "auxiliary" says whether the classifier learns from generated
images too (the paper) or from real ones only (PyTorch-StudioGAN).
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
