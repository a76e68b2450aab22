"""BigGAN-deep (arXiv 1809.11096, appendix B): BigGAN's training with bottleneck networks of twice the depth."""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
