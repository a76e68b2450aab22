"""Resampling by two."""

import numpy as np

from gan_jax.layers.resample import average_pool2, max_pool2, upsample2

X = np.arange(2 * 4 * 6 * 3, dtype=np.float32).reshape(2, 4, 6, 3)


def test_upsampling_repeats_every_pixel():
    np.testing.assert_array_equal(upsample2(X), X.repeat(2, axis=1).repeat(2, axis=2))


def test_pooling_takes_the_mean_or_maximum_of_every_cell():
    cells = np.stack([X[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])
    np.testing.assert_allclose(average_pool2(X), cells.mean(0))
    np.testing.assert_array_equal(max_pool2(X), cells.max(0))
