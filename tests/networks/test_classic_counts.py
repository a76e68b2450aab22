"""Published parameter counts of the classic GANs, by the networks that stand for them."""

import jax.numpy as jnp
import pytest

from gan_jax.networks import began, biggan, dcgan, infogan, mlp
from tests.networks.counting import count_parameters, parameters

CIFAR = {"dim_z": 128, "hierarchical": False, "shared_embedding": False, "sn_eps": None}
Z128, IMAGE = jnp.zeros((2, 128)), jnp.zeros((2, 32, 32, 3))
PUBLISHED = {  # network, an example of its input, parameters
    "GAN, generator": (mlp.Generator(28), jnp.zeros((2, 100)), 2_503_984),
    "GAN, discriminator": (mlp.Discriminator(28), jnp.zeros((2, 28, 28, 1)), 1_231_441),
    "DCGAN, generator": (dcgan.Generator(64), jnp.zeros((2, 100)), 3_576_704),
    "DCGAN, discriminator": (dcgan.Discriminator(64), jnp.zeros((2, 64, 64, 3)), 2_765_568),
    "SNGAN on CIFAR-10, generator": (biggan.Generator(32, 0, 64, **CIFAR), Z128, 4_276_739),
    "SNGAN on CIFAR-10, discriminator": (biggan.Discriminator(32, 0, 32, head={"use_bias": False}), IMAGE, 1_053_824),
    "SNGAN on CIFAR-10 with classes, generator": (biggan.Generator(32, 10, 64, **CIFAR), Z128, 4_304_387),
    "SNGAN on CIFAR-10 with classes, discriminator": (
        biggan.Discriminator(32, 10, 32, head={"use_bias": False, "projection": True, "num_classes": 10}),
        IMAGE,
        1_055_104,
    ),
    "SNGAN on ImageNet, generator": (biggan.Generator(128, 1000, 64, **CIFAR), Z128, 41_996_931),
    "WGAN-GP on CIFAR-10, generator": (biggan.Generator(32, 0, 32, **CIFAR), Z128, 1_204_483),
    "WGAN-GP on CIFAR-10, critic": (biggan.Discriminator(32, 0, 32, sn_eps=None), IMAGE, 1_053_825),
    "WGAN-GP on CIFAR-10 with classes, generator": (biggan.Generator(32, 10, 32, **CIFAR), Z128, 1_218_307),
    "WGAN-GP on CIFAR-10 with classes, critic": (
        biggan.Discriminator(32, 10, 32, sn_eps=None, head={"questions": {"classes": 10}}),
        IMAGE,
        1_055_115,
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameter_counts_are_the_published_ones(name):
    network, example, count = PUBLISHED[name]
    assert count_parameters(network, example) == count


@pytest.mark.parametrize(("channels", "g", "d"), [(128, 1_716_611, 13_405_379), (64, 563_395, 4_011_651)])
def test_began_s_counts_are_the_published_ones(channels, g, d):
    assert parameters(began.Generator(64, channels), jnp.zeros((2, 64))) == g
    assert parameters(began.Autoencoder(64, 64, channels), jnp.zeros((2, 64, 64, 3))) == d


def test_infogan_s_counts_are_the_published_ones():
    assert count_parameters(infogan.Generator(28), jnp.zeros((2, 74))) == 6_652_481
    assert count_parameters(infogan.Discriminator(28), jnp.zeros((2, 28, 28, 1))) == 6_559_169 + 133_004  # and Q
