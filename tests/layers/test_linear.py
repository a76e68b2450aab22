"""Convolution, dense layer and embedding, plain and spectrally normalised."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.layers.linear import Conv, Dense, Embed, rows

LAYERS = {
    "Conv": (lambda sn_eps: Conv(6, 3, sn_eps), np.random.RandomState(0).standard_normal((2, 5, 5, 4))),
    "Dense": (lambda sn_eps: Dense(6, sn_eps), np.random.RandomState(0).standard_normal((2, 4))),
    "Embed": (lambda sn_eps: Embed(6, 4, sn_eps, jax.nn.initializers.normal(1.0)), np.array([5, 0])),
}


def matrix(params):
    """The weight as [rest, out]; singular values do not care which is which."""
    weight = params["embedding"].T if "embedding" in params else params["kernel"]
    return np.asarray(weight).reshape(-1, weight.shape[-1])


def random_variables(layer, x):
    variables = layer.init(jax.random.key(0), x)
    params = jax.tree.map(lambda p: jax.random.normal(jax.random.key(1), p.shape), variables["params"])
    return {**variables, "params": params}


@pytest.mark.parametrize("name", LAYERS)
def test_calls_that_advance_u_divide_the_weight_by_its_largest_singular_value(name):
    make, x = LAYERS[name]
    layer = make(1e-12)
    variables = random_variables(layer, x)
    advance = jax.jit(lambda variables: layer.apply(variables, x, mutable=["spectral"])[1])
    for _ in range(100):
        variables |= advance(variables)
    sigma = np.linalg.svd(matrix(variables["params"]), compute_uv=False)[0]
    plain = make(None)
    bias = variables["params"].get("bias", 0)
    expected = (plain.apply({"params": variables["params"]}, x) - bias) / sigma + bias
    np.testing.assert_allclose(layer.apply(variables, x), expected, atol=1e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_one_iteration_from_the_stored_u_in_every_call(name):
    """Also where u may not be written; then two calls give the same."""
    make, x = LAYERS[name]
    layer = make(1e-12)
    variables = random_variables(layer, x)
    weight, u = matrix(variables["params"]), np.asarray(variables["spectral"]["u"])
    v = weight @ u / np.linalg.norm(weight @ u)
    sigma = np.linalg.norm(v @ weight)
    zero_bias = {**variables["params"], "bias": jnp.zeros(6)} if "bias" in variables["params"] else variables["params"]
    expected = make(None).apply({"params": zero_bias}, x) / sigma
    y, advanced = layer.apply({**variables, "params": zero_bias}, x, mutable=["spectral"])
    np.testing.assert_allclose(y, expected, atol=1e-5)
    np.testing.assert_allclose(advanced["spectral"]["u"], v @ weight / sigma, atol=1e-6)
    np.testing.assert_array_equal(layer.apply({**variables, "params": zero_bias}, x), y)


def test_gradient_of_sigma_treats_u_and_v_as_constants():
    layer = Dense(6, 1e-12, use_bias=False)
    x = jnp.eye(4)
    variables = random_variables(layer, x)
    weight = np.asarray(variables["params"]["kernel"])
    v = weight @ variables["spectral"]["u"]
    v /= np.linalg.norm(v)
    u = v @ weight / np.linalg.norm(v @ weight)
    direction = np.random.RandomState(2).standard_normal((4, 6)).astype(np.float32)

    def project(kernel):
        return jnp.sum(layer.apply({**variables, "params": {"kernel": kernel}}, x) * direction)

    sigma = v @ weight @ u
    expected = direction / sigma - np.sum(direction * weight) / sigma**2 * np.outer(v, u)
    np.testing.assert_allclose(jax.grad(project)(weight), expected, atol=1e-5)


def test_init_does_not_advance_u():
    """A fresh u is N(0, 1), as published; an advanced one would have length one."""
    u = Dense(400, 1e-12).init(jax.random.key(0), jnp.ones((1, 4)))["spectral"]["u"]
    assert abs(np.linalg.norm(u) / 20 - 1) < 0.2


def test_convolution_keeps_the_size_and_pads_with_zeros():
    layer = Conv(1, 3, kernel_init=jax.nn.initializers.ones, bias_init=jax.nn.initializers.zeros)
    y, _ = layer.init_with_output(jax.random.key(0), jnp.ones((1, 3, 3, 1)))
    np.testing.assert_array_equal(y[0, :, :, 0], [[4, 6, 4], [6, 9, 6], [4, 6, 4]])


@pytest.mark.parametrize("layer", [Conv(1000, 3), Dense(1000)])
def test_biases_are_uniform_within_the_root_of_the_fan_in(layer):
    x = jnp.ones((1, 3, 3, 4)) if isinstance(layer, Conv) else jnp.ones((1, 36))
    bias = layer.init(jax.random.key(0), x)["params"]["bias"]
    assert np.abs(bias).max() <= 1 / 6
    assert abs(bias.std() - 1 / 6 / 3**0.5) < 0.01


def test_operands_and_output_have_the_compute_dtype_and_parameters_float32():
    layer = Conv(2, 3, 1e-6, dtype=jnp.bfloat16)
    y, variables = layer.init_with_output(jax.random.key(0), jnp.ones((1, 4, 4, 3)))
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


def test_a_one_hot_vector_takes_the_row_of_its_class_and_several_labels_the_sum_of_theirs():
    table = np.random.RandomState(0).standard_normal((6, 400)).astype(np.float32)
    labels = np.array([[5, 0, 3], [1, 1, 4]])
    np.testing.assert_array_equal(rows(jnp.asarray(table), labels), table[labels])
    np.testing.assert_array_equal(rows(jnp.asarray(table), np.eye(6, dtype=np.float32)[labels]), table[labels])
    several = np.array([[0, 1, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(rows(table, several), [table[1] + table[4] + table[5], np.zeros(400)], atol=1e-6)


def test_the_gradient_of_a_table_is_the_same_for_numbers_and_one_hot_vectors():
    table, labels = jnp.ones((6, 4)), np.array([5, 0, 5])
    weights = np.random.RandomState(0).standard_normal((3, 4)).astype(np.float32)

    def gradient(labels):
        return jax.grad(lambda table: jnp.sum(rows(table, labels) * weights))(table)

    np.testing.assert_allclose(gradient(np.eye(6, dtype=np.float32)[labels]), gradient(labels), atol=1e-6)


def test_a_number_that_is_no_class_gives_nan_and_does_not_pass_for_another_class():
    y = rows(jnp.ones((3, 2)), np.array([-1, 0, 2, 3]))
    np.testing.assert_array_equal(np.isnan(y), [[True] * 2, [False] * 2, [False] * 2, [True] * 2])


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (Conv(0, 3), jnp.ones((1, 3, 3, 4))),
        (Dense(3), jnp.ones((1, 0))),
        (Embed(3, -1), jnp.zeros(1, jnp.int32)),
    ],
)
def test_a_weight_without_entries_is_a_sentence(layer, x):
    with pytest.raises(ConfigError, match="would have a weight of shape .*: a width in config.model is too small"):
        layer.init(jax.random.key(0), x)
