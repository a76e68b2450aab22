"""Batch normalisation on closed forms, over a sharded batch, and standing statistics of BigGAN-PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gan_jax.layers.norm import (
    BatchNorm,
    CategoricalBatchNorm,
    ConditionalBatchNorm,
    pixel_norm,
    standing_statistics,
)
from gan_jax.networks.biggan import Generator
from tests.reference import Peer, assert_array, integers, nchw, normal

X = np.random.RandomState(0).standard_normal((8, 3, 3, 5)).astype(np.float32) * 2 + 1


def started(module, *args):
    return module.init(jax.random.key(0), X, *args, train=True)


def test_training_normalises_by_the_batch_and_updates_the_running_moments():
    module = BatchNorm(eps=1e-3, momentum=0.25)
    y, changed = module.apply(started(module), X, train=True, mutable=["batch_stats"])
    mean, var = X.mean((0, 1, 2)), X.var((0, 1, 2))
    np.testing.assert_allclose(y, (X - mean) / np.sqrt(var + 1e-3), atol=1e-5)
    np.testing.assert_allclose(changed["batch_stats"]["mean"], 0.25 * mean, rtol=1e-5)
    np.testing.assert_allclose(changed["batch_stats"]["var"], 0.75 + 0.25 * var * 72 / 71, rtol=1e-5)


def test_evaluation_uses_the_running_moments_scale_and_bias():
    variables = {
        "params": {"scale": jnp.full(5, 2.0), "bias": jnp.full(5, 1.0)},
        "batch_stats": {"mean": jnp.full(5, 3.0), "var": jnp.full(5, 4.0)},
    }
    y = BatchNorm(eps=0.0).apply(variables, X, train=False)
    np.testing.assert_allclose(y, X - 2, atol=1e-5)


def test_full_momentum_writes_the_biased_moments():
    module = BatchNorm(momentum=1.0, unbiased=False)
    _, changed = module.apply(started(module), X, train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(changed["batch_stats"]["mean"], X.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(changed["batch_stats"]["var"], X.var((0, 1, 2)), rtol=1e-5)


def test_variance_survives_a_mean_far_from_zero():
    """A mean of 3000 standard deviations, which the running mean already knows roughly."""
    x = X + 6000
    variables = {
        "params": {"scale": jnp.ones(5), "bias": jnp.zeros(5)},
        "batch_stats": {"mean": jnp.full(5, 6000.0), "var": jnp.ones(5)},
    }
    y = BatchNorm().apply(variables, x, train=True)
    exact = x.astype(np.float64)
    exact = (exact - exact.mean((0, 1, 2))) / np.sqrt(exact.var((0, 1, 2)) + 1e-5)
    np.testing.assert_allclose(y, exact, atol=2e-3)


def test_gradient_is_that_of_the_two_pass_form():
    module = BatchNorm()
    variables = started(module)
    target = jnp.asarray(X[::-1])

    def two_pass(x):
        centred = x - x.mean((0, 1, 2))
        return centred / jnp.sqrt(jnp.square(centred).mean((0, 1, 2)) + 1e-5)

    ours = jax.grad(lambda x: jnp.sum(module.apply(variables, x, train=True) * target))(X)
    expected = jax.grad(lambda x: jnp.sum(two_pass(x) * target))(X)
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_output_keeps_the_dtype_and_statistics_stay_float32():
    module = BatchNorm()
    y, changed = module.apply(started(module), X.astype(jnp.bfloat16), train=True, mutable=["batch_stats"])
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(changed)} == {jnp.dtype("float32")}


def test_statistics_are_written_only_where_they_are_mutable_and_never_at_init():
    module = BatchNorm()
    variables = started(module)
    np.testing.assert_array_equal(variables["batch_stats"]["mean"], np.zeros(5))
    y = module.apply(variables, X, train=True)
    np.testing.assert_allclose(y.mean((0, 1, 2)), np.zeros(5), atol=1e-5)


def test_conditional_scale_is_one_plus_a_linear_map():
    module = ConditionalBatchNorm()
    c = np.random.RandomState(1).standard_normal((8, 4)).astype(np.float32)
    variables = started(module, c)
    gain, bias = (c @ variables["params"][name]["kernel"] for name in ("gain", "bias"))
    plain = (X - X.mean((0, 1, 2))) / np.sqrt(X.var((0, 1, 2)) + 1e-5)
    y = module.apply(variables, X, c, train=True)
    np.testing.assert_allclose(y, (1 + gain)[:, None, None] * plain + bias[:, None, None], atol=1e-4)


def test_categorical_scale_is_one_plus_a_table():
    module = CategoricalBatchNorm(num_classes=3, embedding_init=jax.nn.initializers.normal(1.0))
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    variables = started(module, labels)
    gain, bias = (variables["params"][name]["embedding"][labels] for name in ("gain", "bias"))
    plain = (X - X.mean((0, 1, 2))) / np.sqrt(X.var((0, 1, 2)) + 1e-5)
    y = module.apply(variables, X, labels, train=True)
    np.testing.assert_allclose(y, (1 + gain)[:, None, None] * plain + bias[:, None, None], atol=1e-4)
    vectors = module.apply(variables, X, np.eye(3, dtype=np.float32)[labels], train=True)
    np.testing.assert_allclose(vectors, y, atol=1e-6)


def test_moments_are_those_of_the_global_batch_in_one_all_reduce():
    module = BatchNorm()
    variables = started(module)
    mesh = Mesh(np.array(jax.devices()), ("data",))
    sharded = jax.device_put(X, NamedSharding(mesh, PartitionSpec("data")))
    apply = jax.jit(lambda v, x: module.apply(v, x, train=True, mutable=["batch_stats"]))
    expected, actual = apply(variables, X), apply(variables, sharded)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), actual, expected)
    hlo = apply.lower(variables, sharded).compile().as_text()
    assert sum(" all-reduce(" in line for line in hlo.splitlines()) == 1
    assert "all-gather" not in hlo


@pytest.fixture(scope="module")
def standing():
    peer = Peer("standing/G")
    module = Generator(32, 4, 4, 12, 6)
    variables = peer.variables()
    # The drawn network keeps sums, which start at zero; ours are replaced.
    variables["batch_stats"] = jax.tree.map(np.zeros_like, variables["batch_stats"])
    latents = np.stack([normal(f"z{k}", (4, 12), 1202) for k in range(3)])
    labels = np.stack([integers(f"y{k}", (4,), 1202, 4) for k in range(3)])
    moments = module.clone(bn_momentum=1.0, bn_unbiased=False)
    advanced = jax.jit(lambda v: standing_statistics(moments.apply, v, latents, labels))(variables)
    return peer, module, advanced


def test_standing_statistics_equal_biggan_pytorch(standing):
    peer, module, variables = standing
    for buffer, batches in (("u0", 1), ("stored_mean", 3), ("stored_var", 3)):
        assert_array(batches * peer.flat(variables, buffer), "biggan", "standing", buffer)
    z, labels = normal("z", (4, 12), 1202), integers("y", (4,), 1202, 4)
    images = jax.jit(lambda v: module.apply(v, z, labels, train=False))(variables)
    assert_array(nchw(images), "biggan", "standing", "G_eval")


def test_pixel_norm_makes_the_mean_square_one():
    x = np.random.RandomState(0).normal(size=(2, 3, 5)).astype(np.float32)
    expected = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(pixel_norm(x), expected, rtol=1e-6)
    assert pixel_norm(jnp.asarray(x, jnp.bfloat16)).dtype == jnp.bfloat16
    assert jnp.isfinite(pixel_norm(jnp.zeros((1, 4)))).all()
