"""Resampling: the published operations, adjointness, derivatives, and what is refused or kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers import fir
from tests.reference import arrays, assert_array, cases, nchw, normal, uniform

CONFIG = cases("ops")["ops"]["config"]
SEED = CONFIG["input_seed"]
X = normal("x", (2, 4, 7, 9), SEED).transpose(0, 2, 3, 1)


def pair(value):
    """[x, y] of the published code to our (y, x)."""
    return value if isinstance(value, int) else tuple(value[::-1])


@pytest.mark.parametrize("number", range(len(CONFIG["upfirdn2d"])))
def test_upfirdn_is_the_published_one(number):
    case = CONFIG["upfirdn2d"][number]
    taps = case["f"]
    if isinstance(taps, str):
        taps = uniform(f"f{number}", tuple(int(size) for size in taps.partition(":")[2].split(",")), SEED)
    else:
        taps = fir.normalized(taps)
    left, right, top, bottom = case["padding"]
    result = fir.upfirdn(
        X,
        taps,
        pair(case.get("up", 1)),
        pair(case.get("down", 1)),
        (top, bottom, left, right),
        case.get("gain", 1),
        case.get("flip_filter", False),
    )
    assert_array(nchw(result), "ops", "ops", f"upfirdn2d/{number}")


def test_up_and_downsampling_are_the_published_ones():
    assert_array(nchw(fir.upsample(X)), "ops", "ops", "upsample2d")
    assert_array(nchw(fir.downsample(X)), "ops", "ops", "downsample2d")


@pytest.mark.parametrize("number", range(5))
def test_convolutions_joined_with_resampling_are_the_published_ones(number):
    case = CONFIG["conv2d_resample"][number]
    size = case["k"]
    kernel = normal(f"w{number}", (6, 4, size, size), SEED).transpose(2, 3, 1, 0)
    if "up" in case:
        flipped = kernel if case.get("flip_weight", True) else kernel[::-1, ::-1]
        result = fir.conv_up(X, flipped) if size == 3 else fir.upsample(fir.conv(X, kernel))
    elif "down" in case:
        result = fir.conv_down(X, kernel) if size == 3 else fir.conv(fir.downsample(X), kernel)
    else:
        result = fir.conv(X, kernel)
    assert_array(nchw(result), "ops", "ops", f"conv2d_resample/{number}")


SHAPES = [
    (fir.BINOMIAL, 2, 1, (2, 1, 2, 1)),
    (fir.BINOMIAL, 1, 2, (1, 1, 1, 1)),
    (np.array([[1.0, 2.0, 5.0], [0.0, 1.0, -1.0]]), (3, 2), (2, 1), (3, -1, 0, 4)),
    (np.arange(1.0, 13.0), 2, 1, (5, 6, 5, 6)),
    (np.arange(1.0, 13.0), 4, 3, (-2, 9, 1, 0)),
]


@pytest.mark.parametrize(("taps", "up", "down", "padding"), SHAPES)
def test_the_derivative_is_the_adjoint_at_every_order(taps, up, down, padding):
    """<A x, y> = <x, A' y>, and A' is linear with adjoint A."""

    def filtered(x):
        return fir.upfirdn(x, taps, up, down, padding, gain=1.5)

    y, pull = jax.vjp(filtered, X)
    other = jax.random.normal(jax.random.key(0), y.shape)
    np.testing.assert_allclose(jnp.vdot(y, other), jnp.vdot(X, pull(other)[0]), rtol=1e-4)
    # |A' A x|^2 / 2 has the gradient A' A A' A x
    twice = lambda x: jax.vjp(filtered, x)[1](filtered(x))[0]  # noqa: E731
    gradient = jax.grad(lambda x: jnp.sum(twice(x) ** 2) / 2)(X)
    np.testing.assert_allclose(gradient, twice(twice(X)), rtol=1e-4, atol=1e-4 * np.abs(gradient).max())
    np.testing.assert_allclose(jax.vmap(lambda x: filtered(x[None])[0])(X), y, rtol=1e-6)


def test_low_precision_sums_are_exact_before_they_are_rounded():
    x = jnp.asarray(X, jnp.bfloat16)
    full = fir.upfirdn(x.astype(jnp.float32), np.arange(1.0, 4.0), padding=2)
    half = fir.upfirdn(x, np.arange(1.0, 4.0), padding=2)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_array_equal(half, full.astype(jnp.bfloat16))


def test_a_constant_image_stays_constant_away_from_the_edges():
    ones = jnp.ones((1, 8, 8, 1))
    np.testing.assert_allclose(fir.upsample(ones)[0, 2:-2, 2:-2, 0], 1, rtol=1e-6)
    np.testing.assert_allclose(fir.downsample(ones)[0, 1:-1, 1:-1, 0], 1, rtol=1e-6)
    assert arrays("ops")["ops/upsample2d"].shape == (2, 4, 14, 18)
