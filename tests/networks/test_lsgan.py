"""LSGAN's networks: shapes at the published side and at the smallest."""

import jax
import jax.numpy as jnp
import pytest

from gan_jax.errors import ConfigError
from gan_jax.networks.lsgan import Discriminator, Generator

LABELS = jnp.zeros(2, jnp.int32)


@pytest.mark.parametrize("side", [16, 112])
def test_images_and_verdicts_have_their_shapes(side):
    generator, discriminator = Generator(side, channels=2, image_channels=1), Discriminator(side, channels=2)
    images, _ = jax.eval_shape(generator.init_with_output, jax.random.key(0), jnp.zeros((2, 8)), LABELS)
    assert images.shape == (2, side, side, 1)
    verdict, _ = jax.eval_shape(discriminator.init_with_output, jax.random.key(0), images, LABELS)
    assert verdict.features.shape == (2, (side // 16) ** 2 * 16)


def test_other_sides_are_refused():
    for network, x in ((Generator(40), jnp.zeros((1, 8))), (Discriminator(8), jnp.zeros((1, 8, 8, 3)))):
        with pytest.raises(ConfigError, match="LSGAN's networks need a multiple of 16"):
            network.init(jax.random.key(0), x, LABELS[:1])
