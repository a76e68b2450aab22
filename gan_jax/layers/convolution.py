"""Convolution whose derivatives of every order run as fast as those of the first.

<correlate(x, k), y> is linear in each of x, k and y, so there are three operations, one for each argument left out, and
every derivative of one is one of the others. Autodiff of `lax` knows them too, but writes some weight gradients with
the larger of two images as the window, which XLA on CPU runs 30 to 100 times slower: those in R1 and path length, and
of transposed or widely padded convolutions. Measurements: benchmarks/stylegan.md.
"""

import functools
from typing import NamedTuple

import jax

from gan_jax.layers.remat import convolved


class Window(NamedTuple):
    """How a kernel moves: its stride, and the zeros beyond every edge."""

    stride: int = 1
    padding: int = 0


def correlate(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """x [n, h, w, c] with a kernel [k, k, c, d] -> [n, h', w', d], in their dtype; h' = (h + 2 padding - k)/stride + 1."""
    return convolved(_correlate(x, kernel, window))


def transposed(y: jax.Array, kernel: jax.Array, window: Window, size: tuple[int, int]) -> jax.Array:
    """The adjoint of `correlate` by x: y [n, h', w', d] with a kernel [k, k, c, d] -> [n, *size, c]."""
    return convolved(_transposed(y, kernel, window, size))


def _plain(x, kernel, window):
    padding = ((window.padding, window.padding),) * 2
    strides = (window.stride, window.stride)
    return jax.lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


_correlate = jax.custom_vjp(_plain, nondiff_argnums=(2,))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _transposed(y, kernel, window, size):
    x = jax.ShapeDtypeStruct((len(y), *size, kernel.shape[2]), y.dtype)
    return jax.linear_transpose(lambda x: _plain(x, kernel, window), x)(y)[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _kernel_gradient(x, y, window, size):
    """The adjoint of `correlate` by the kernel: x [n, h, w, c] and y [n, h', w', d] -> [size, size, c, d]."""
    if window.stride == 1 and 2 * window.padding > size - 1:
        # y is larger than x: the other way round, the same sums belong to a convolution from y to x.
        mirrored = _kernel_gradient(y, x, Window(1, size - 1 - window.padding), size)
        return mirrored[::-1, ::-1].swapaxes(2, 3)
    kernel = jax.ShapeDtypeStruct((size, size, x.shape[-1], y.shape[-1]), x.dtype)
    return jax.linear_transpose(lambda kernel: _plain(x, kernel, window), kernel)(y)[0]


_correlate.defvjp(
    lambda x, kernel, window: (_correlate(x, kernel, window), (x, kernel)),
    lambda window, saved, y: (
        _transposed(y, saved[1], window, saved[0].shape[1:3]),
        _kernel_gradient(saved[0], y, window, len(saved[1])),
    ),
)
_transposed.defvjp(
    lambda y, kernel, window, size: (_transposed(y, kernel, window, size), (y, kernel)),
    lambda window, size, saved, x: (
        _correlate(x, saved[1], window),
        _kernel_gradient(x, saved[0], window, len(saved[1])),
    ),
)
_kernel_gradient.defvjp(
    lambda x, y, window, size: (_kernel_gradient(x, y, window, size), (x, y)),
    lambda window, size, saved, kernel: (
        _transposed(saved[1], kernel, window, saved[0].shape[1:3]),
        _correlate(saved[0], kernel, window),
    ),
)
