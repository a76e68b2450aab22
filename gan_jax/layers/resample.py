"""Resampling by factors of two, written as reshapes so that a sharded batch stays where it is."""

import jax
import jax.numpy as jnp


def upsample2(x: jax.Array) -> jax.Array:
    """Nearest neighbour: [n, h, w, c] -> [n, 2h, 2w, c]."""
    n, h, w, c = x.shape
    return jnp.broadcast_to(x[:, :, None, :, None, :], (n, h, 2, w, 2, c)).reshape(n, 2 * h, 2 * w, c)


def average_pool2(x: jax.Array) -> jax.Array:
    """Mean of 2x2 cells: [n, h, w, c] -> [n, h/2, w/2, c]; h and w are even."""
    return _cells(x).mean((2, 4))


def max_pool2(x: jax.Array) -> jax.Array:
    """Maximum of 2x2 cells: [n, h, w, c] -> [n, h/2, w/2, c]; h and w are even."""
    return _cells(x).max((2, 4))


def _cells(x):
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c)
