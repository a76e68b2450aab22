"""Amplified bands against filters written out in numpy."""

import jax
import numpy as np
import pytest

from gan_jax.augment.bands import amplify
from gan_jax.augment.wavelets import filter_bank

amplified = jax.jit(amplify)


def images_of(*shape):
    return np.random.RandomState(0).uniform(-1, 1, shape).astype(np.float32)


def expected(images, factors):
    power = np.array([10, 1, 1, 1]) / 13
    gains = np.ones((len(factors), 4))
    for band in range(4):
        each = np.where(np.arange(4) == band, factors, 1)
        gains *= each / np.sqrt((power * each**2).sum(1, keepdims=True))
    result = np.pad(images, ((0, 0), (21, 21), (21, 21), (0, 0)), mode="reflect")
    for axis in (0, 1):
        result = np.stack(
            [
                np.apply_along_axis(np.convolve, axis, image, taps, "valid")
                for image, taps in zip(result, gains @ filter_bank(), strict=True)
            ]
        )
    return result


@pytest.mark.parametrize("shape", [(2, 24, 30, 3), (1, 12, 140, 1)])  # mirrored more than once; several blocks
def test_every_image_is_filtered_by_its_own_sum_of_bands(shape):
    factors = np.exp2(np.random.RandomState(1).normal(size=(shape[0], 4))).astype(np.float32)
    images = images_of(*shape)
    np.testing.assert_allclose(amplified(images, factors), expected(images, factors), atol=1e-5)


def test_factors_of_one_change_nothing():
    images = images_of(2, 16, 16, 3)
    np.testing.assert_allclose(amplified(images, np.ones((2, 4), np.float32)), images, atol=1e-6)
