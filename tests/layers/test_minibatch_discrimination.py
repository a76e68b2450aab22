"""Minibatch discrimination: the published sums, over the whole batch wherever it lies."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.engine import sharding
from gan_jax.layers.minibatch_discrimination import MinibatchDiscrimination
from tests.slopes import slopes

X = np.random.RandomState(0).standard_normal((8, 6)).astype(np.float32)
LAYER = MinibatchDiscrimination(kernels=4, size=3)


def variables():
    drawn = LAYER.init(jax.random.key(0), X)["params"]
    log_scale = np.random.RandomState(1).standard_normal(drawn["log_scale"].shape).astype(np.float32)
    return {"params": {**drawn, "log_scale": log_scale}}


def published(params, x):
    """Image by image, kernel by kernel."""
    theta, log_scale = np.asarray(params["theta"]), np.asarray(params["log_scale"])
    kernel = theta * np.exp(log_scale) / np.sqrt((theta**2).sum(0))
    m = np.tensordot(x, kernel, 1)
    nearness = np.zeros((len(x), kernel.shape[1]))
    for i in range(len(x)):
        for j in range(len(x)):
            if j != i:
                nearness[i] += np.exp(-np.abs(m[i] - m[j]).sum(-1))
    return np.concatenate([x, nearness + np.asarray(params["bias"])], 1)


def test_it_is_the_published_one():
    given = variables()
    np.testing.assert_array_equal(given["params"]["bias"], -np.ones(4))
    np.testing.assert_allclose(LAYER.apply(given, X), published(given["params"], X), rtol=1e-4, atol=1e-5)


def test_its_gradients_are_those_of_the_published_one():
    params, x, weights = variables()["params"], X[:4], np.cos(np.arange(40)).reshape(4, 10)
    found = jax.jit(jax.grad(lambda given: (weights * LAYER.apply({"params": given[0]}, given[1])).sum()))((params, x))
    params = jax.tree.map(np.float64, params)
    for name, value in params.items():
        expected = slopes(lambda w, name=name: (weights * published({**params, name: w}, x)).sum(), value)
        np.testing.assert_allclose(found[0][name], expected, rtol=1e-3, atol=1e-4)
        assert np.abs(expected).max() > 0.01
    expected = slopes(lambda x: (weights * published(params, x)).sum(), x)
    np.testing.assert_allclose(found[1], expected, rtol=1e-3, atol=1e-4)


def test_images_that_are_all_alike_are_told():
    alike = np.tile(X[:1], (8, 1))
    np.testing.assert_allclose(LAYER.apply(variables(), alike)[:, 6:], 7 - 1, rtol=1e-5)


def test_gradients_are_finite_where_images_are_alike():
    alike = jnp.tile(X[:1], (8, 1))
    gradient = jax.grad(lambda x: LAYER.apply(variables(), x)[:, 6:].sum())(alike)
    np.testing.assert_array_equal(gradient, 0)


def test_a_batch_on_four_devices_is_one_batch():
    mesh = sharding.data_mesh(4)
    spread = jax.device_put(X, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data")))
    given = variables()
    found = jax.jit(LAYER.apply)(given, spread)
    np.testing.assert_allclose(found, LAYER.apply(given, X), rtol=1e-4, atol=1e-5)
