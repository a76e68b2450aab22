"""Convolution: values and derivatives of every order are those of lax."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers.convolution import Window, correlate, transposed

WINDOWS = [
    (3, Window(1, 1)),
    (3, Window(2, 0)),
    (3, Window(1, 2)),
    (1, Window(1, 0)),
    (4, Window(1, 0)),
    (2, Window(1, 1)),
]
X = jnp.asarray(np.random.RandomState(0).normal(size=(2, 7, 9, 3)), jnp.float32)


def plain(x, kernel, window):
    padding = ((window.padding, window.padding),) * 2
    return jax.lax.conv_general_dilated(
        x, kernel, (window.stride,) * 2, padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def kernel_of(size):
    return jnp.asarray(np.random.RandomState(1).normal(size=(size, size, 3, 5)), jnp.float32)


def energy(fn, *args):
    return jnp.sum(jnp.sin(fn(*args)))


def penalty(fn, *args):
    return jnp.sum(jnp.square(jax.grad(functools.partial(energy, fn))(*args)))


def close(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5 * np.abs(b).max())


@pytest.mark.parametrize(("size", "window"), WINDOWS)
def test_values_gradients_and_gradients_of_gradients_are_those_of_lax(size, window):
    kernel = kernel_of(size)
    mine = functools.partial(correlate, window=window)
    theirs = functools.partial(plain, window=window)
    close([mine(X, kernel)], [theirs(X, kernel)])
    for objective in (energy, penalty):
        both = [jax.jit(jax.grad(functools.partial(objective, fn), (0, 1)))(X, kernel) for fn in (mine, theirs)]
        close(*both)


@pytest.mark.parametrize(("size", "window"), WINDOWS)
def test_the_transposed_convolution_is_the_adjoint_with_its_derivatives(size, window):
    kernel = kernel_of(size)
    y = jnp.cos(plain(X, kernel, window))

    def mine(y, kernel):
        return transposed(y, kernel, window, X.shape[1:3])

    def theirs(y, kernel):
        return jax.vjp(lambda x: plain(x, kernel, window), X)[1](y)[0]

    close([mine(y, kernel)], [theirs(y, kernel)])
    for objective in (energy, penalty):
        both = [jax.jit(jax.grad(functools.partial(objective, fn), (0, 1)))(y, kernel) for fn in (mine, theirs)]
        close(*both)


@pytest.mark.parametrize(("size", "window"), WINDOWS)
def test_no_derivative_has_a_window_larger_than_its_image(size, window):
    """What XLA on CPU is slow at."""
    fn = functools.partial(penalty, functools.partial(correlate, window=window))
    text = str(jax.make_jaxpr(jax.grad(fn, (0, 1)))(X, kernel_of(size)))
    jaxpr = jax.make_jaxpr(jax.grad(fn, (0, 1)))(X, kernel_of(size)).jaxpr
    assert "conv_general_dilated" in text
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            numbers = equation.params["dimension_numbers"]
            image, kernel = (v.aval.shape for v in equation.invars)
            stretched = [
                1 + d * (image[axis] - 1)
                for axis, d in zip(numbers.lhs_spec[2:], equation.params["lhs_dilation"], strict=True)
            ]
            assert all(
                kernel[axis] <= max(length, size) for axis, length in zip(numbers.rhs_spec[2:], stretched, strict=True)
            )


def test_low_precision_stays():
    kernel = kernel_of(3).astype(jnp.bfloat16)
    gradients = jax.grad(lambda x, k: jnp.sum(correlate(x, k, Window(1, 1)) ** 2), (0, 1))(
        X.astype(jnp.bfloat16), kernel
    )
    assert {g.dtype for g in gradients} == {jnp.dtype("bfloat16")}
