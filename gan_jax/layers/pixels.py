"""Between bytes and floats: images are uint8, or float32 in [-1, 1]."""

import jax
import jax.numpy as jnp


def to_float(images: jax.Array) -> jax.Array:
    """uint8 0..255 -> float32 in [-1, 1]; 0 is -1 and 255 is 1."""
    return images.astype(jnp.float32) / 127.5 - 1.0


def to_uint8(images: jax.Array) -> jax.Array:
    """Float in [-1, 1] -> uint8, floor(127.5 x + 128) clipped: -1, 0, 1 become 0, 128, 255, and `to_float` is undone."""
    return jnp.clip(images * 127.5 + 128, 0, 255).astype(jnp.uint8)
