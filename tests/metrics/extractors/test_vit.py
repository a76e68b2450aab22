"""The vision transformer; that its numbers are the published ones is in test_dinov2.py and test_clip.py."""

import math

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.metrics.extractors import clip, dinov2, vit
from tests.reference import cases
from tests.transformers import FILE, small

MASK_TOKEN = 1024  # numbers of a tensor that the file has and the network does not


def count(network, side):
    return sum(math.prod(shape) for shape in vit.shapes(network, side).values())


def test_the_published_networks_have_the_published_sizes():
    assert count(dinov2.NETWORK, dinov2.TRAINED_SIDE) + MASK_TOKEN == cases(FILE)["sizes"]["dinov2"] == 304_368_640
    assert count(clip.NETWORK, clip.SIDE) == cases(FILE)["sizes"]["clip"] == 303_507_456 + 1024 * 768


def test_activations():
    """Against x Phi(x) and x / (1 + exp(-1.702 x))."""
    x = np.linspace(-4, 4, 33)
    normal = np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x])
    np.testing.assert_allclose(vit.exact_gelu(jnp.asarray(x)), x * normal, atol=1e-6)
    np.testing.assert_allclose(vit.quick_gelu(jnp.asarray(x)), x / (1 + np.exp(-1.702 * x)), atol=1e-6)


@pytest.mark.parametrize(
    ("network", "case", "side"), [(dinov2.NETWORK, "dinov2_tiny", 28), (clip.NETWORK, "clip_tiny", 28)]
)
def test_every_product_is_of_the_highest_precision(network, case, side):
    """A device that has a faster one must not take it."""
    network = small(network, case)
    images = jnp.zeros((1, side, side, 3))
    variables = jax.eval_shape(network.init, jax.random.key(0), images)
    products = jax.jit(network.apply).trace(variables, images).jaxpr.eqns
    precisions = [
        e.params["precision"] for e in flat(products) if "dot" in e.primitive.name or "conv_" in e.primitive.name
    ]
    assert len(precisions) == 1 + 2 * (6 if network.fused else 8) + bool(network.projection)
    assert all(p in (jax.lax.Precision.HIGHEST, (jax.lax.Precision.HIGHEST,) * 2) for p in precisions)


def flat(equations):
    """The equations with those of every function that they call."""
    for equation in equations:
        yield equation
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            yield from flat(inner.eqns)


def test_images_are_scaled_by_channel_and_grey_ones_repeated():
    images = np.array([[[[0, 51, 255]]]], np.float32)
    scaled = vit.scaled(images, (0.1, 0.2, 0.5), (0.5, 1.0, 0.25))
    np.testing.assert_allclose(scaled[0, 0, 0], [-0.2, 0.0, 2.0], atol=1e-7)
    assert vit.scaled(images[..., :1], (0.1, 0.2, 0.5), (0.5, 1.0, 0.25)).shape == (1, 1, 1, 3)
