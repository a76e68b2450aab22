"""SNDCGAN's networks: sizes by hand from the published layers, and what is normalised."""

import jax
import jax.numpy as jnp
import pytest

from gan_jax.errors import ConfigError
from gan_jax.networks.sndcgan import Discriminator, Generator
from tests.networks.counting import count_parameters

# Kernel, input and output channels of the published layers at 32 pixels, and the side of the map behind the stem.
UP = [(4, 512, 256), (4, 256, 128), (4, 128, 64)]
DOWN = [(3, 3, 64), (4, 64, 128), (3, 128, 128), (4, 128, 256), (3, 256, 256), (4, 256, 512), (3, 512, 512)]


def with_biases(layers):
    return sum(kernel**2 * before * after + after for kernel, before, after in layers)


def test_parameter_counts_are_those_of_the_published_layers():
    stem = 128 * 4 * 4 * 512 + 3 * 4 * 4 * 512  # a bias, a scale and a shift for every number
    norms = 2 * (256 + 128 + 64)
    expected = stem + norms + with_biases([*UP, (3, 64, 3)])
    assert count_parameters(Generator(32), jnp.zeros((2, 128))) == expected == 3_828_739
    assert count_parameters(Generator(128), jnp.zeros((2, 128))) == 19_926_019
    assert count_parameters(Discriminator(128), jnp.zeros((2, 128, 128, 3))) == 5_983_745
    expected = with_biases(DOWN) + 4 * 4 * 512 + 1
    assert count_parameters(Discriminator(32), jnp.zeros((2, 32, 32, 3))) == expected == 5_860_865


def test_shapes_and_normalised_kernels():
    z, labels = jnp.ones((2, 5)), jnp.zeros(2, jnp.int32)
    generator = Generator(16, 3, channels=2, image_channels=1, norm="categorical")
    images, variables = generator.init_with_output(jax.random.key(0), z, labels)
    assert images.shape == (2, 16, 16, 1)
    assert set(variables) == {"params", "batch_stats"}
    verdict, variables = Discriminator(16, channels=2).init_with_output(jax.random.key(0), images, labels)
    assert (verdict.logits.shape, verdict.features.shape) == ((2,), (2, 2 * 2 * 16))
    assert set(variables["spectral"]) == set(variables["params"])
    plain = Discriminator(16, channels=2, kernels="none").init(jax.random.key(0), images, labels)
    assert set(plain) == {"params"}


def test_other_sides_are_refused():
    for network, example in ((Generator(28), jnp.zeros((1, 5))), (Discriminator(28), jnp.zeros((1, 28, 28, 1)))):
        with pytest.raises(ConfigError, match="resolution is 28: these networks need a multiple of 8"):
            network.init(jax.random.key(0), example, jnp.zeros(1, jnp.int32))
