"""Turns of images by right angles, for self-supervision."""

import jax
import jax.numpy as jnp


def turned(images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Square images [n, r, r, c], two upright, two turned by 90 degrees, two by 180, two by 270, and so on.

    In twos, so that where images of two kinds come in turns either kind is turned every way.
    Also the number of quarter turns of each, int32 [n].
    """
    turns = jnp.arange(len(images), dtype=jnp.int32) // 2 % 4
    chosen = turns[:, None, None, None]
    result = images
    for count in (1, 2, 3):
        result = jnp.where(chosen == count, jnp.rot90(images, count, axes=(1, 2)), result)
    return result, turns
