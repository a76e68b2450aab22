"""BigGAN-deep (arXiv 1809.11096, appendix B): BigGAN's training with bottleneck networks of twice the depth."""

from gan_jax.engine.recipe import Recipe
from gan_jax.networks import biggan_deep
from gan_jax.recipes.biggan import describe


def build(config) -> Recipe:
    """BigGAN's recipe with the networks of `gan_jax.networks.biggan_deep`."""
    return describe(config, biggan_deep.Generator, biggan_deep.Discriminator)
