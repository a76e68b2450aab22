"""Bias and activation: the published values."""

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.layers.bias_act import bias_act
from tests.reference import assert_array, cases, nchw, normal

SEED = cases("ops")["ops"]["config"]["input_seed"]
X = normal("x", (2, 4, 7, 9), SEED).transpose(0, 2, 3, 1)
BIAS = normal("b", (4,), SEED)


@pytest.mark.parametrize("name", ["linear", "relu", "lrelu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"])
def test_activations_are_the_published_ones(name):
    result = bias_act(X, BIAS, {"lrelu": "leaky_relu"}.get(name, name))
    assert_array(nchw(result)[:1], "ops", "ops", f"bias_act/{name}")


def test_slope_gain_and_clamp():
    result = bias_act(X, BIAS, slope=0.1, gain=0.7, clamp=0.6)
    assert_array(nchw(result)[:1], "ops", "ops", "bias_act/lrelu_alpha0.1_gain0.7_clamp0.6")


def test_the_dtype_of_the_input_stays():
    assert bias_act(jnp.asarray(X, jnp.bfloat16), BIAS).dtype == jnp.bfloat16
    np.testing.assert_array_equal(bias_act(X, activation="linear"), X)


def test_another_activation_is_refused():
    with pytest.raises(ConfigError, match="activation is 'nonsense': expected one of"):
        bias_act(X, activation="nonsense")
