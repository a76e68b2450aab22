"""WGAN-GP (Gulrajani et al. 2017, arXiv 1704.00028), in the form of igul222/improved_wgan_training.

The Wasserstein loss with a penalty on the norms of the critic's gradients between real and generated images; several
critic steps for each generator step, no averaging of weights. The generator goes first, except in the first step, as
in the published loop. Networks: the family `wgan_gp` (gan_mnist.py), or `biggan` as the ResNet of gan_cifar_resnet.py,
whose generator learns from twice the batch.
"""

from gan_jax.engine.recipe import Recipe
from gan_jax.game.pair import pair


def build(config) -> Recipe:
    return pair(config)
