"""The size of weights, as spectral normalisation measures it."""

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.engine.spectrum import largest_singular_values


def test_the_largest_singular_value_of_every_network_is_found():
    random = np.random.RandomState(0)
    left, _ = np.linalg.qr(random.normal(size=(36, 8)))
    right, _ = np.linalg.qr(random.normal(size=(8, 8)))
    kernel = (left * np.array([7.0, 1, 0.5, 0.2, 0.1, 0.1, 0.1, 0.1])) @ right.T
    params = {
        "G": {
            "a": {"kernel": jnp.asarray(kernel.reshape(3, 3, 4, 8))},
            "b": {"kernel": jnp.eye(4), "bias": jnp.full(4, 99.0)},
        },
        "D": {"a": {"scale": jnp.full(3, 50.0)}},
    }
    found = largest_singular_values(params)
    assert found.keys() == {"spectral_norm/G"}
    assert float(found["spectral_norm/G"]) == pytest.approx(7.0, rel=0.01)
