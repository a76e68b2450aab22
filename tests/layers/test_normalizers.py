"""Normalisations by name, each against its formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import ConfigError
from gan_jax.layers.normalizers import normalizer

X = np.random.RandomState(0).standard_normal((8, 3, 4, 6)).astype(np.float32) * 2 + 1
LATENT = np.random.RandomState(1).standard_normal((8, 5)).astype(np.float32)
LABELS = np.arange(8, dtype=np.int32) % 3


def normalised(name, x=X, condition=None, train=True, **fields):
    """The output of a fresh layer, and what it changed."""
    layer = normalizer(name, **fields)(name="norm")
    variables = layer.init(jax.random.key(0), x, condition, train=train)
    return layer.apply(variables, x, condition, train=train, mutable=["batch_stats", "virtual"])


def standard(x, axes):
    return (x - x.mean(axes, keepdims=True)) / (x.var(axes, keepdims=True) + 1e-5) ** 0.5


def by_groups(x):
    """Of three groups of two channels."""
    return standard(x.reshape(8, 3, 4, 3, 2), (1, 2, 4)).reshape(x.shape)


def by_halves(x):
    """Of the batch."""
    return jnp.concatenate([standard(x[:4], (0, 1, 2)), standard(x[4:], (0, 1, 2))])


PLAIN = {
    "batch": lambda x: standard(x, (0, 1, 2)),
    "instance": lambda x: standard(x, (1, 2)),
    "layer": lambda x: standard(x, (1, 2, 3)),
    "group:3": by_groups,
    "ghost:4": by_halves,
    "pixel": lambda x: x / (jnp.square(x).mean(-1, keepdims=True) + 1e-8) ** 0.5,
    "none": lambda x: x,
}


def assert_alike(call, plain, *given):
    """Both make the same of what is given, and the gradients by all of it are the same."""
    weights = np.cos(np.arange(X.size)).reshape(X.shape)  # no normalisation takes their sum for nothing

    def weighed(function):
        def loss(*given):
            y = function(*given)
            return (weights[: len(y)] * y).sum(), y

        return jax.jit(jax.grad(loss, argnums=range(len(given)), has_aux=True))(*given)

    found, expected = weighed(call), weighed(plain)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=3e-4), found, expected)
    assert all(np.abs(leaf).max() > 0.01 for leaf in jax.tree.leaves(expected))


@pytest.mark.parametrize("name", PLAIN)
def test_a_fresh_layer_standardises_what_its_name_says(name):
    np.testing.assert_allclose(normalised(name)[0], PLAIN[name](X), atol=1e-4)


@pytest.mark.parametrize("name", ["instance", "layer", "group:3", "ghost:4"])
def test_gradients_are_those_of_the_formula_with_a_scale_and_a_bias(name):
    layer = normalizer(name)(name="norm")
    variables = layer.init(jax.random.key(0), X, train=True)
    leaves, tree = jax.tree.flatten(variables["params"])
    assert len(leaves) == 2
    bias, scale = np.random.RandomState(3).standard_normal((2, 6)).astype(np.float32)  # in the order of their names

    def call(x, *params):
        given = {**variables, "params": jax.tree.unflatten(tree, params)}
        return layer.apply(given, x, train=True, mutable=["batch_stats"])[0]

    assert_alike(call, lambda x, bias, scale: PLAIN[name](x) * scale + bias, X, bias, scale)


def test_ghost_batch_normalisation_keeps_the_mean_of_its_groups_moments():
    _, changed = normalised("ghost:4", momentum=1.0)
    halves = X.reshape(2, 4, 3, 4, 6)
    np.testing.assert_allclose(changed["batch_stats"]["mean"], halves.mean((0, 1, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(changed["batch_stats"]["var"], halves.var((1, 2, 3)).mean(0), rtol=1e-4)
    y, _ = normalised("ghost:4", train=False)
    np.testing.assert_allclose(y, X / np.sqrt(1 + 1e-5), rtol=1e-5)
    with pytest.raises(ConfigError, match="groups of 3 do not divide 8 images"):
        normalised("ghost:3")


def test_conditional_kinds_scale_what_batch_normalisation_makes():
    plain = standard(X, (0, 1, 2))
    for name, condition, fields in (
        ("categorical", LABELS, {"num_classes": 3, "embedding_init": jax.nn.initializers.normal(1.0)}),
        ("conditional", LATENT, {}),
    ):
        y, _ = normalised(name, condition=condition, **fields)
        for image in (0, 5):  # a straight line in each channel
            slope = (y[image, 0, 0] - y[image, 1, 1]) / (plain[image, 0, 0] - plain[image, 1, 1])
            shift = y[image, 0, 0] - slope * plain[image, 0, 0]
            np.testing.assert_allclose(y[image], slope * plain[image] + shift, atol=1e-2)
        assert not np.allclose(y, plain, atol=0.05)


def test_a_self_modulated_layer_and_its_gradients_are_those_of_its_small_network():
    layer = normalizer("self_modulated:4")(name="norm")
    variables = jax.jit(lambda: layer.init(jax.random.key(0), X, LATENT, train=True))()
    params = jax.tree.map(lambda w: w + jnp.sin(jnp.arange(1.0, w.size + 1)).reshape(w.shape), variables["params"])

    def call(x, latent, params):
        return layer.apply({**variables, "params": params}, x, latent, train=True, mutable=["batch_stats"])[0]

    def plain(x, latent, params):
        hidden, gain, bias = (params[name] for name in ("hidden", "gain", "bias"))
        h = jnp.maximum(latent @ hidden["kernel"] + hidden["bias"], 0)
        scale, shift = (h @ each["kernel"] + each["bias"] for each in (gain, bias))
        return standard(x, (0, 1, 2)) * scale[:, None, None] + shift[:, None, None]

    assert_alike(call, plain, X, LATENT, params)


def test_a_self_modulated_layer_begins_near_batch_normalisation():
    y, _ = normalised("self_modulated", condition=0 * LATENT)
    np.testing.assert_allclose(y, standard(X, (0, 1, 2)), atol=1e-4)


def by_reference(own, reference):
    """By the moments of five images of reference and of the image itself."""
    mean = (own.mean((1, 2), keepdims=True) + 5 * reference.mean((0, 1, 2))) / 6
    square = ((own**2).mean((1, 2), keepdims=True) + 5 * (reference**2).mean((0, 1, 2))) / 6
    return (own - mean) / (square - mean**2 + 1e-5) ** 0.5


def test_virtual_batch_normalisation_depends_on_the_reference_and_the_image_alone():
    reference, own = X[:5], X[5:]
    layer = normalizer("virtual")(name="norm")
    variables = layer.init(jax.random.key(0), reference, train=True)
    y, changed = layer.apply(variables, reference, train=True, mutable=["virtual"])
    np.testing.assert_allclose(y, standard(reference, (0, 1, 2)), atol=1e-4)
    found = layer.apply({**variables, **changed}, own, train=False)
    np.testing.assert_allclose(found, by_reference(own, reference), atol=1e-4)
    alone = layer.apply({**variables, **changed}, own[1:2], train=False)
    np.testing.assert_allclose(alone[0], found[1], atol=1e-6)


def test_gradients_of_virtual_batch_normalisation_reach_the_reference():
    layer = normalizer("virtual")(name="norm")
    variables = layer.init(jax.random.key(0), X, train=True)
    scale, bias = np.random.RandomState(3).standard_normal((2, 6)).astype(np.float32)

    def call(own, reference, scale, bias):
        given = {**variables, "params": {"scale": scale, "bias": bias}}
        _, changed = layer.apply(given, reference, train=True, mutable=["virtual"])
        return layer.apply({**given, **changed}, own, train=False)

    def plain(own, reference, scale, bias):
        return by_reference(own, reference) * scale + bias

    assert_alike(call, plain, X[5:], X[:5], scale, bias)


def test_half_precision_goes_through_and_comes_out():
    for name, condition in (("batch", None), ("ghost:4", None), ("layer", None), ("virtual", None), ("pixel", None)):
        assert normalised(name, jnp.asarray(X, jnp.bfloat16), condition)[0].dtype == jnp.bfloat16


@pytest.mark.parametrize("name", ["batchnorm", "ghost", "group", "group:0", "group:x", "batch:4", ""])
def test_other_names_are_refused(name):
    with pytest.raises(ConfigError, match="the normalisation is .* expected one of 'batch'"):
        normalizer(name)
