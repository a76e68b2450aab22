"""BigGAN (Brock, Donahue and Simonyan 2019, arXiv 1809.11096), in the training form of ajbrock/BigGAN-PyTorch.

Hinge loss, class-conditional generator and projection discriminator, both spectrally normalised; one or more
discriminator steps for each generator step; a moving average of the generator, statistics included. Batch statistics
and spectral vectors of both networks advance in the phases of either player, once per microbatch, as published. The
published code concatenates real and generated images, which costs an all-to-all on a sharded batch; here they take turns.
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
