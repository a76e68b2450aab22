"""BEGAN's networks for sides of 8 or 7 pixels doubled."""

import jax
import jax.numpy as jnp
import pytest

from gan_jax.errors import ConfigError
from gan_jax.networks import began


@pytest.mark.parametrize(("side", "expected"), [(8, (8, 1)), (32, (8, 3)), (7, (7, 1)), (28, (7, 3)), (64, (8, 4))])
def test_the_lowest_map_and_what_is_above_it(side, expected):
    assert began.levels(side) == expected


@pytest.mark.parametrize("side", [4, 24, 30, 0])
def test_other_sides_are_a_sentence(side):
    with pytest.raises(ConfigError, match=f"resolution is {side}: BEGAN needs 8 or 7 pixels"):
        began.levels(side)


def test_images_of_28_pixels_come_back_as_large():
    autoencoder = began.Autoencoder(28, dim_z=4, channels=2, image_channels=1)
    images = jnp.zeros((3, 28, 28, 1))
    assert jax.eval_shape(lambda: autoencoder.init_with_output(jax.random.key(0), images)[0][0]).shape == images.shape
