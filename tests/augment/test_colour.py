"""Colour transforms on closed forms; the vectors of test_ada.py have the rest."""

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.augment.colour import colour_matrix, recolour
from gan_jax.errors import ConfigError

COLOURS = np.array([[0.5, -0.2, 0.1], [1, 1, 1]], np.float32).reshape(1, 1, 2, 3)


def recoloured(**strengths):
    matrix = colour_matrix({name: jnp.full(1, value) for name, value in strengths.items()})
    return np.asarray(recolour(COLOURS, matrix))[0, 0]


def test_a_third_of_a_turn_of_hue_moves_the_channels_on():
    np.testing.assert_allclose(recoloured(hue=2 * np.pi / 3), [[0.1, 0.5, -0.2], [1, 1, 1]], atol=1e-6)


def test_saturation_scales_what_differs_from_grey():
    grey = COLOURS[0, 0].mean(1, keepdims=True)
    np.testing.assert_allclose(recoloured(saturation=2.0), 2 * COLOURS[0, 0] - grey, atol=1e-6)


def test_the_luma_flip_turns_brightness_around_and_keeps_the_chroma():
    grey = COLOURS[0, 0].mean(1, keepdims=True)
    np.testing.assert_allclose(recoloured(lumaflip=1.0), COLOURS[0, 0] - 2 * grey, atol=1e-6)


def test_brightness_comes_before_contrast():
    np.testing.assert_allclose(recoloured(contrast=2.0, brightness=0.25), 2 * (COLOURS[0, 0] + 0.25), atol=1e-6)


def test_colours_of_four_channels_are_refused():
    with pytest.raises(ConfigError, match="these images have 4; leave the group color out"):
        recolour(jnp.zeros((1, 2, 2, 4)), colour_matrix({"hue": jnp.zeros(1)}))
