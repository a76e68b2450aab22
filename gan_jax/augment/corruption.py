"""Noise and missing squares."""

import jax
import jax.numpy as jnp


def cut_out(images: jax.Array, centre: jax.Array, size: float) -> jax.Array:
    """Sets a rectangle of every image [n, h, w, c] to 0, the middle of the range.

    Args:
        centre: x and y as fractions of the width and height, [n, 2]; far outside of 0 to 1 nothing is cut.
        size: width and height as fractions of the image's.
    """
    height, width = images.shape[1:3]
    x, y = ((jnp.arange(length) + 0.5) / length for length in (width, height))
    keep_x = jnp.abs(x - centre[:, :1]) >= size / 2
    keep_y = jnp.abs(y - centre[:, 1:]) >= size / 2
    return jnp.where((keep_y[:, :, None] | keep_x[:, None, :])[..., None], images, 0)


def add_noise(images: jax.Array, strength: jax.Array, noise: jax.Array) -> jax.Array:
    """Adds noise [n, h, w, c] times strength [n]."""
    return images + strength[:, None, None, None] * noise
