"""A blur that fades away in training: its strength is traced, one compiled program serves all of it."""

import jax
import jax.numpy as jnp


def blur(x: jax.Array, sigma: jax.Array) -> jax.Array:
    """Smooths images [n, h, w, c] by 2^-(d / sigma)^2 along both axes, cut off at 3 sigma; zeros lie beyond the edges.

    A sigma below 1/3 leaves images exactly as they are. Products with two dense matrices, as the width of the filter is
    not known when compiling: 4 h w c (h + w) operations an image, 13 GFLOP at 1024 x 1024 pixels.

    Source: NVlabs/stylegan3, loss.py, run_D.

    Args:
        sigma: distance in pixels at which the weight is a half, a float32 scalar from 0 to the side of the images.
    """
    _, h, w, _ = x.shape
    x = jnp.einsum("ij,njwc->niwc", _matrix(h, sigma), x, precision=jax.lax.Precision.HIGHEST)
    return jnp.einsum("ij,nhjc->nhic", _matrix(w, sigma), x, precision=jax.lax.Precision.HIGHEST)


def _matrix(size, sigma):
    """Rows of the filter [size, size]. What it has beyond the edges is missing in a row but counts in its scale."""
    radius = jnp.floor(3 * sigma)
    distances = jnp.arange(size)[:, None] - jnp.arange(size)
    return _weights(distances, sigma, radius) / _weights(jnp.arange(-3 * size, 3 * size + 1), sigma, radius).sum()


def _weights(distances, sigma, radius):
    inside = jnp.abs(distances) <= radius
    return jnp.where(inside, jnp.exp2(-jnp.square(distances / jnp.maximum(sigma, 1e-6))), 0)
