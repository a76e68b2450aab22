"""Equalised learning rate: what the layers compute, how they begin, and what Adam does to them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.layers import fir
from gan_jax.layers.equalized import EqualizedConv, EqualizedDense

X = np.random.RandomState(0).normal(size=(4, 6)).astype(np.float32)


def test_a_dense_layer_scales_weights_and_bias_at_run_time():
    layer = EqualizedDense(5, gain=3.0, lr_multiplier=0.01, bias_init=2.0)
    params = layer.init(jax.random.key(0), X)["params"]
    np.testing.assert_allclose(params["bias"] * 0.01, 2, rtol=1e-6)
    expected = X @ (params["kernel"] * 3 * 0.01 / 6**0.5) + 2
    np.testing.assert_allclose(layer.apply({"params": params}, X), expected, rtol=1e-4, atol=1e-5)


def test_outputs_begin_with_the_variance_of_the_inputs_whatever_the_multiplier():
    x = jax.random.normal(jax.random.key(0), (512, 400))
    for multiplier in (1.0, 0.01):
        layer = EqualizedDense(400, lr_multiplier=multiplier)
        y, variables = layer.init_with_output(jax.random.key(1), x)
        np.testing.assert_allclose(y.std(), 1, rtol=0.03)
        np.testing.assert_allclose(variables["params"]["kernel"].std() * multiplier, 1, rtol=0.03)


@pytest.mark.parametrize("size", [1, 3])
def test_a_convolution_scales_by_its_fan_in(size):
    x = np.random.RandomState(1).normal(size=(2, 4, 4, 3)).astype(np.float32)
    layer = EqualizedConv(5, size, gain=2**0.5)
    params = layer.init(jax.random.key(0), x)["params"]
    expected = fir.conv(x, params["kernel"] * (2 / (size * size * 3)) ** 0.5)
    np.testing.assert_allclose(layer.apply({"params": params}, x), expected, rtol=1e-5, atol=1e-6)


def test_a_downsampling_convolution_halves_the_size_without_a_shift():
    """A constant image stays constant in the middle, with the sum of the scaled kernel."""
    x, layer = jnp.ones((1, 8, 8, 1)), EqualizedConv(1, 3, down=True, use_bias=False)
    params = layer.init(jax.random.key(0), x)["params"]
    y = layer.apply({"params": params}, x)
    assert y.shape == (1, 4, 4, 1)
    np.testing.assert_allclose(y[0, 1:3, 1:3, 0], params["kernel"].sum() / 3, rtol=1e-5)


def test_precision_is_that_of_the_operands():
    layer = EqualizedConv(5, 3, dtype=jnp.bfloat16)
    y, variables = layer.init_with_output(jax.random.key(0), jnp.ones((1, 4, 4, 3)))
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


def test_a_layer_without_weights_is_a_sentence():
    with pytest.raises(ConfigError, match=r"weight of shape \(6, 0\): a width in config.model is too small"):
        EqualizedDense(0).init(jax.random.key(0), X)
