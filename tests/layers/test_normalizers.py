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
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("batch", standard(X, (0, 1, 2))),
        ("instance", standard(X, (1, 2))),
        ("layer", standard(X, (1, 2, 3))),
        ("group:3", standard(X.reshape(8, 3, 4, 3, 2), (1, 2, 4)).reshape(X.shape)),
        ("ghost:4", np.concatenate([standard(X[:4], (0, 1, 2)), standard(X[4:], (0, 1, 2))])),
        ("pixel", X / np.sqrt(np.square(X).mean(-1, keepdims=True) + 1e-8)),
        ("none", X),
    ],
)
def test_a_fresh_layer_standardises_what_its_name_says(name, expected):
    np.testing.assert_allclose(normalised(name)[0], expected, atol=1e-4)


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
        ("self_modulated", 100 * LATENT, {}),
    ):
        y, _ = normalised(name, condition=condition, **fields)
        for image in (0, 5):  # a straight line in each channel
            slope = (y[image, 0, 0] - y[image, 1, 1]) / (plain[image, 0, 0] - plain[image, 1, 1])
            shift = y[image, 0, 0] - slope * plain[image, 0, 0]
            np.testing.assert_allclose(y[image], slope * plain[image] + shift, atol=1e-2)
        assert not np.allclose(y, plain, atol=0.05)


def test_a_self_modulated_layer_begins_near_batch_normalisation():
    y, _ = normalised("self_modulated", condition=0 * LATENT)
    np.testing.assert_allclose(y, standard(X, (0, 1, 2)), atol=1e-4)


def test_virtual_batch_normalisation_depends_on_the_reference_and_the_image_alone():
    reference, own = X[:5], X[5:]
    layer = normalizer("virtual")(name="norm")
    variables = layer.init(jax.random.key(0), reference, train=True)
    y, changed = layer.apply(variables, reference, train=True, mutable=["virtual"])
    np.testing.assert_allclose(y, standard(reference, (0, 1, 2)), atol=1e-4)
    found = layer.apply({**variables, **changed}, own, train=False)
    for image, normal in zip(own, found, strict=True):
        mean = (image.mean((0, 1)) + 5 * reference.mean((0, 1, 2))) / 6
        square = ((image**2).mean((0, 1)) + 5 * (reference**2).mean((0, 1, 2))) / 6
        np.testing.assert_allclose(normal, (image - mean) / np.sqrt(square - mean**2 + 1e-5), atol=1e-4)
    alone = layer.apply({**variables, **changed}, own[1:2], train=False)
    np.testing.assert_allclose(alone[0], found[1], atol=1e-6)


def test_half_precision_goes_through_and_comes_out():
    for name, condition in (("batch", None), ("ghost:4", None), ("layer", None), ("virtual", None), ("pixel", None)):
        assert normalised(name, jnp.asarray(X, jnp.bfloat16), condition)[0].dtype == jnp.bfloat16


@pytest.mark.parametrize("name", ["batchnorm", "ghost", "group", "group:0", "group:x", "batch:4", ""])
def test_other_names_are_refused(name):
    with pytest.raises(ConfigError, match="the normalisation is .* expected one of 'batch'"):
        normalizer(name)
