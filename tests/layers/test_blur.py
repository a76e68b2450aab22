"""The fading blur: the published filter, exactly nothing at the end, and a traced strength."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers.blur import blur

SIZE = 40


def published(sigma):
    radius = np.floor(3 * sigma)
    taps = np.exp2(-((np.arange(-radius, radius + 1) / sigma) ** 2))
    return taps / taps.sum()


@pytest.mark.parametrize("sigma", [10.0, 2.5, 0.4])
def test_an_impulse_becomes_the_published_filter(sigma):
    taps = published(sigma)
    impulse = np.zeros((2, SIZE, SIZE + 4, 3), np.float32)
    impulse[1, 18, 25, 2] = 1
    result = np.array(jax.jit(blur)(impulse, jnp.float32(sigma)))
    padded = np.zeros((SIZE + 2 * len(taps), SIZE + 4 + 2 * len(taps)))
    y, x = (centre + len(taps) - len(taps) // 2 for centre in (18, 25))
    padded[y : y + len(taps), x : x + len(taps)] = np.outer(taps, taps)
    expected = padded[len(taps) : -len(taps), len(taps) : -len(taps)]
    np.testing.assert_allclose(result[1, :, :, 2], expected, atol=1e-7)
    result[1, :, :, 2] = 0
    assert not result.any()


@pytest.mark.parametrize("sigma", [0.33, 1e-3, 0.0])
def test_at_the_end_images_pass_untouched(sigma):
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(jax.jit(blur)(images, jnp.float32(sigma)), images)


def test_it_is_its_own_adjoint():
    """As a symmetric filter with zeros beyond the edges is; R1 and the generator differentiate through it."""
    a, b = np.random.default_rng(0).normal(size=(2, 1, 8, 8, 1)).astype(np.float32)
    gradient = jax.grad(lambda x: jnp.vdot(blur(x, jnp.float32(1.5)), b))(a)
    np.testing.assert_allclose(gradient, blur(b, jnp.float32(1.5)), atol=1e-6)
