"""Kernels by name: what weight normalisation divides by, and what cannot be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.layers.kernels import kernel_fields
from gan_jax.layers.linear import Conv, Dense
from gan_jax.layers.strided import ConvTranspose, StridedConv

X = np.random.RandomState(0).standard_normal((2, 6, 6, 3)).astype(np.float32)
LAYERS = {
    "Dense": lambda **fields: Dense(5, **fields),
    "Conv": lambda **fields: Conv(5, 3, **fields),
    "StridedConv": lambda **fields: StridedConv(5, **fields),
    "ConvTranspose": lambda **fields: ConvTranspose(5, **fields),
}


@pytest.mark.parametrize("name", LAYERS)
def test_every_output_has_a_vector_of_its_own_length(name):
    """g v / |v|, and the length of v counts for nothing."""
    layer = LAYERS[name](**kernel_fields("weight"), use_bias=False)
    params = layer.init(jax.random.key(0), X)["params"]
    np.testing.assert_array_equal(params["scale"], np.ones(5))
    v, g = np.asarray(params["kernel"]), np.arange(1.0, 6.0, dtype=np.float32)
    expected = g * v / np.sqrt((v.reshape(-1, 5) ** 2).sum(0))
    plain = LAYERS[name](use_bias=False).apply({"params": {"kernel": expected}}, X)
    for length in (1.0, 40.0):
        found = layer.apply({"params": {"kernel": length * v, "scale": g}}, X)
        np.testing.assert_allclose(found, plain, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_go_through_the_length(name):
    """They are those of a plain layer whose kernel is g v / |v|."""
    layer, plain = LAYERS[name](**kernel_fields("weight")), LAYERS[name]()
    params = layer.init(jax.random.key(0), X)["params"]
    v = np.random.RandomState(1).standard_normal(params["kernel"].shape).astype(np.float32)
    params = {**params, "kernel": v, "scale": np.arange(1.0, 6.0, dtype=np.float32)}

    def normalised(params):
        v = params["kernel"]
        return {"kernel": v * (params["scale"] / (v**2).sum(range(v.ndim - 1)) ** 0.5), "bias": params["bias"]}

    def gradients(call):
        return jax.grad(lambda x, params: jnp.sin(call(x, params)).sum(), argnums=(0, 1))

    @jax.jit
    def both(*given):
        found = gradients(lambda x, params: layer.apply({"params": params}, x))(*given)
        return found, gradients(lambda x, params: plain.apply({"params": normalised(params)}, x))(*given)

    found, expected = both(X, params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3), found, expected)


@pytest.mark.parametrize("name", LAYERS)
def test_names_choose_what_a_layer_keeps(name):
    kept = {
        how: jax.eval_shape(LAYERS[name](**kernel_fields(how)).init, jax.random.key(0), jnp.asarray(X))
        for how in ("none", "spectral", "weight")
    }
    assert [set(kept[how]) for how in kept] == [{"params"}, {"params", "spectral"}, {"params"}]
    assert [set(kept[how]["params"]) - {"kernel", "bias"} for how in kept] == [set(), set(), {"scale"}]


def test_other_names_and_two_at_once_are_sentences():
    with pytest.raises(ConfigError, match="kernels is 'layer': expected one of 'none', 'spectral', 'weight'"):
        kernel_fields("layer")
    with pytest.raises(ConfigError, match="spectral and weight normalisation: choose one"):
        Dense(2, sn_eps=1e-6, weight_norm=True).init(jax.random.key(0), X)
