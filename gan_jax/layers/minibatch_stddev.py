"""Minibatch standard deviation: tells a discriminator how much the images of a group differ (ProGAN, section 3)."""

import jax
import jax.numpy as jnp


def minibatch_stddev(x: jax.Array, group: int | None, features: int = 1) -> jax.Array:
    """x [n, h, w, c] -> [n, h, w, c + features], in its dtype.

    Images m, m + n/g, m + 2n/g ... form a group of g (NVlabs/stylegan2-ada-pytorch, networks.py): strided as published,
    so on several devices a group spans them, at the cost of a small all-reduce. The standard deviation over a group
    (epsilon 1e-8 inside the root, float32) is averaged over all pixels and over c/features channels.

    Args:
        group: images in a group; it divides n. None, or more than n, takes the whole batch.
        features: channels to add; it divides c.
    """
    n, h, w, c = x.shape
    group = n if group is None else min(group, n)
    if n % group:
        raise ValueError(f"a batch of {n} images cannot be divided into minibatch-stddev groups of {group}")
    values = x.astype(jnp.float32).reshape(group, n // group, h, w, features, c // features)
    deviation = jnp.sqrt(jnp.square(values - values.mean(0)).mean(0) + 1e-8).mean((1, 2, 4))
    deviation = jnp.broadcast_to(deviation[None, :, None, None], (group, n // group, h, w, features))
    return jnp.concatenate([x, deviation.reshape(n, h, w, features).astype(x.dtype)], axis=-1)
