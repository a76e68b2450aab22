"""Checksums of arrays, computed where the arrays are: they tell whether what was restored is what was saved.

Each element's bits are mixed with its position in the whole array, and the results summed modulo 2^32. So the sum is the
same however the array is split over devices, and differs after any change of one element, and, but for one chance in
2^32, after any other: exchanged rows, a page of zeros. They guard against damage, not against forgery.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

Tree = Any


@jax.jit
def checksums(tree: Tree) -> Tree:
    """A uint32 for every array of a tree, of any dtype and sharding; computing them reads each array once.

    They are dispatched like any computation, so the arrays may be donated right afterwards. It must be one program:
    where there are several processes, the sums of programs that run side by side wait for each other for ever.
    """
    return jax.tree.map(_checksum, tree)


@jax.jit
def _checksum(array: jax.Array) -> jax.Array:
    mixed = _mix(_bits(array) ^ (_positions(array.shape) * jnp.uint32(0x9E3779B1)))
    return jnp.sum(mixed, dtype=jnp.uint32)


def _bits(array: jax.Array) -> jax.Array:
    """The bits of every element, as uint32 of the same shape."""
    if array.dtype == jnp.bool_:
        return array.astype(jnp.uint32)
    return jax.lax.bitcast_convert_type(array, f"uint{8 * array.dtype.itemsize}").astype(jnp.uint32)


def _positions(shape: tuple[int, ...]) -> jax.Array:
    """The number of every element, in row order, modulo 2^32; one iota per axis, which is split as the array is."""
    strides = [jnp.uint32(math.prod(shape[axis + 1 :]) % 2**32) for axis in range(len(shape))]
    numbers = (jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * stride for axis, stride in enumerate(strides))
    return sum(numbers, start=jnp.uint32(0))


def _mix(x: jax.Array) -> jax.Array:
    """A permutation of the uint32s in which every bit depends on every other: the last steps of MurmurHash3 (public domain)."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)
