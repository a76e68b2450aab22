"""Modulated convolution: the published numbers, kernels per image, and float16 without overflow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers import fir
from gan_jax.layers.modulated_conv import modulated_conv
from tests.reference import assert_array, cases, nchw, normal

CONFIG = cases("ops")["ops"]["config"]
SEED = CONFIG["input_seed"]
X = normal("x", (2, 4, 7, 9), SEED).transpose(0, 2, 3, 1)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_it_is_the_published_one_in_either_of_its_forms(number):
    """The fourth case of the vectors, downsampling, occurs in no network."""
    case = CONFIG["modulated_conv2d"][number]
    size = case["k"]
    kernel = normal(f"mw{number}", (5, 4, size, size), SEED).transpose(2, 3, 1, 0)
    up = case["up"] == 2
    styles = normal(f"ms{number}", (2, 4), SEED) + 1
    result = modulated_conv(X, kernel[::-1, ::-1] if up else kernel, styles, demodulate=case["demodulate"], up=up)
    if case["noise"]:
        result += normal(f"mn{number}", (2, 1, *result.shape[1:3]), SEED).transpose(0, 2, 3, 1)
    for form in ("fused", "unfused"):
        assert_array(nchw(result), "ops", "ops", f"modulated_conv2d/{number}/{form}")


def test_every_image_is_convolved_with_a_kernel_of_its_own():
    kernel, styles = normal("k", (3, 3, 4, 5), 0), normal("s", (2, 4), 0)
    own = kernel[None] * styles[:, None, None, :, None]
    own /= np.sqrt(np.square(own).sum((1, 2, 3), keepdims=True) + 1e-8)
    expected = jnp.concatenate([fir.conv(x[None], k) for x, k in zip(jnp.asarray(X), own, strict=True)])
    np.testing.assert_allclose(modulated_conv(jnp.asarray(X), kernel, styles), expected, atol=2e-5)


def test_float16_does_not_overflow_where_plain_sums_would():
    """Sums of 9 x 4 products of 40 x 50 x 100 are beyond 65,504; demodulation makes the scale vanish."""
    x, kernel, styles = 40 * jnp.asarray(X), 50 * normal("k", (3, 3, 4, 5), 0), 100 * normal("s", (2, 4), 0)
    full = modulated_conv(x, kernel, styles)
    half = modulated_conv(x.astype(jnp.float16), kernel, styles)
    assert half.dtype == jnp.float16
    np.testing.assert_allclose(half, full, atol=0.01 * np.abs(full).max())
    assert not jnp.isfinite(modulated_conv(x.astype(jnp.float16), kernel, styles, demodulate=False)).all()


def test_bfloat16_concerns_the_convolution_alone():
    kernel, styles = normal("k", (3, 3, 4, 5), 0), normal("s", (2, 4), 0)
    full = modulated_conv(jnp.asarray(X), kernel, styles)
    half = modulated_conv(jnp.asarray(X, jnp.bfloat16), kernel, styles)
    assert half.dtype == jnp.bfloat16
    assert 0 < np.abs(half.astype(jnp.float32) - full).max() < 0.05 * np.abs(full).max()


def test_the_gradient_reaches_input_kernel_and_styles():
    kernel, styles = normal("k", (3, 3, 4, 5), 0), normal("s", (2, 4), 0)
    gradients = jax.grad(lambda *a: jnp.sum(modulated_conv(*a) ** 3), (0, 1, 2))(jnp.asarray(X), kernel, styles)
    assert all(jnp.isfinite(g).all() and jnp.abs(g).max() > 0 for g in gradients)
