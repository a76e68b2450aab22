"""Self-attention; its numbers are tested with the networks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.layers.attention import SelfAttention
from gan_jax.layers.linear import Conv

X = np.random.RandomState(0).standard_normal((2, 4, 6, 16)).astype(np.float32)


def test_starts_as_the_identity_with_the_published_number_of_parameters():
    module = SelfAttention(functools.partial(Conv, sn_eps=1e-6))
    y, variables = jax.jit(module.init_with_output)(jax.random.key(0), X)
    np.testing.assert_array_equal(y, X)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 1.25 * 16**2 + 1


def test_every_pixel_gets_the_average_of_values_if_all_keys_are_equal():
    module = SelfAttention(Conv)
    params = dict(jax.jit(module.init)(jax.random.key(0), X)["params"])
    params |= {"gamma": jnp.float32(0.5), "key": jax.tree.map(jnp.zeros_like, params["key"])}
    values = X @ params["value"]["kernel"][0, 0]
    pooled = values.reshape(2, 2, 2, 3, 2, 8).max((2, 4)).mean((1, 2))
    expected = X + 0.5 * (pooled @ params["output"]["kernel"][0, 0])[:, None, None]
    np.testing.assert_allclose(module.apply({"params": params}, X), expected, atol=1e-5)
