"""The named initialisers."""

import jax
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.layers.initializers import initializer

KEY = jax.random.key(0)


@pytest.mark.parametrize("shape", [(3, 3, 4, 8), (1, 1, 4, 8), (6, 8), (8, 6)])
def test_ortho_has_orthonormal_rows_or_columns(shape):
    matrix = np.asarray(initializer("ortho")(KEY, shape)).reshape(-1, shape[-1])
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-5)


def test_n02_has_a_standard_deviation_of_two_hundredths():
    assert abs(initializer("N02")(KEY, (100, 100)).std() - 0.02) < 0.001


def test_xavier_is_uniform_within_the_root_of_six_over_both_fans():
    values = initializer("xavier")(KEY, (3, 3, 16, 32))
    bound = (6 / (9 * 16 + 9 * 32)) ** 0.5
    assert 0.99 * bound < np.abs(values).max() <= bound


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match=r"'kaiming'.*'ortho'"):
        initializer("kaiming")
