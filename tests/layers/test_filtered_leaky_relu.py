"""The filtered leaky ReLU: the published numbers, its derivative, and how little it aliases."""

import ast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers.filtered_leaky_relu import filtered_leaky_relu
from gan_jax.networks.stylegan3_filters import low_pass
from tests.reference import assert_array, cases, nchw, normal, uniform

CONFIG = cases("stylegan3")["ops"]["config"]
CASES = ast.literal_eval(CONFIG["filtered_lrelu"].partition(": ")[2])
SEED = CONFIG["input_seed"]
X = normal("x", (2, 3, 9, 8), SEED).transpose(0, 2, 3, 1)
BIAS = normal("b", (3,), SEED)


def published(number):
    """Arguments of a case: (up, down, [x0, x1, y0, y1], taps up, taps down, clamp, slope)."""
    up, down, padding, taps_up, taps_down, clamp, slope = CASES[number]
    if padding != 0:
        left, right, top, bottom = padding
        padding = (top, bottom, left, right)

    def taps(name, count):
        shape = (count, count) if name == "fd" and number == 1 else (count,)
        return uniform(f"{name}{number}", shape, SEED) * 2 / count ** len(shape) if count > 1 else np.ones(1)

    filters = taps("fu", taps_up), taps("fd", taps_down)
    gain = 2**0.5 if slope != 1 else 1.0
    return filters, {"up": up, "down": down, "padding": padding, "clamp": clamp, "slope": slope, "gain": gain}


@pytest.mark.parametrize("number", range(len(CASES)))
def test_it_is_the_published_one(number):
    filters, options = published(number)
    result = jax.jit(lambda x, bias: filtered_leaky_relu(x, bias, *filters, **options))(X, BIAS)
    assert_array(nchw(result), "stylegan3", "ops", f"filtered_lrelu{number}")


def test_the_derivative_is_that_of_the_function_although_nothing_is_kept():
    filters, options = published(0)
    function = jax.jit(lambda x, bias: jnp.sum(filtered_leaky_relu(x, bias, *filters, **options) ** 2))
    gradients = jax.jit(jax.grad(function, (0, 1)))(X, BIAS)
    directions, step = (normal("dx", X.shape, 0), normal("db", BIAS.shape, 0)), 1e-2
    ahead, behind = (
        function(*(a + sign * step * d for a, d in zip((X, BIAS), directions, strict=True))) for sign in (1, -1)
    )
    slope = sum(np.vdot(g, d) for g, d in zip(gradients, directions, strict=True))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), rtol=1e-3)
    kept = jax.make_jaxpr(lambda x: jax.vjp(lambda x: filtered_leaky_relu(x, BIAS, *filters, **options), x)[1])(X)
    assert max(value.aval.size for value in kept.jaxpr.outvars) <= X.size


def test_it_hardly_aliases_where_the_plain_one_does():
    """A wave of 5 periods becomes one of 5, 10, 15 ...; whatever shows up in between is a frequency that folded back."""
    rate, cutoff = 32, 6.0
    taps = low_pass(12, cutoff, 2 * (rate / 2 - cutoff), 2 * rate)
    wave = np.sin(2 * np.pi * 5 * np.arange(3 * rate) / rate + 0.3) + 0.5
    x = jnp.asarray(np.broadcast_to(wave[None, :, None, None], (1, 3 * rate, 3 * rate, 1)), jnp.float32)

    def folded(y):
        amplitudes = np.abs(np.fft.rfft(y[0, rate : 2 * rate, rate, 0]))
        return np.delete(amplitudes, [0, 5, 10, 15]).max() / amplitudes[5]

    plain = folded(jnp.maximum(x, 0.2 * x))
    filtered = folded(
        filtered_leaky_relu(x, jnp.zeros(1), taps, taps, up=2, down=2, padding=(11, 10, 11, 10), gain=1.0)
    )
    assert filtered < 0.2 * plain, (filtered, plain)


def test_low_precision_stays_low_and_near():
    filters, options = published(0)
    full = filtered_leaky_relu(X, BIAS, *filters, **options)
    half = filtered_leaky_relu(jnp.asarray(X, jnp.bfloat16), BIAS, *filters, **options)
    assert half.dtype == jnp.bfloat16
    assert 0 < np.abs(half.astype(jnp.float32) - full).max() < 0.02 * np.abs(full).max()
