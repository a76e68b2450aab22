"""Distances between two images as a person might see them."""

import jax
import jax.numpy as jnp

from gan_jax.layers.fir import downsample, upsample

SMALLEST = 4  # side of the coarsest level in pixels


def perceptual_distance(a: jax.Array, b: jax.Array) -> jax.Array:
    """Distance of images float [n, r, r, c] in [-1, 1]: float32 [n], 0 for equal ones, differentiable.

    The Laplacian pyramid loss (Bojanowski et al. 2018, arXiv 1707.05776): the mean absolute difference of every octave
    of detail, summed over the octaves, so that coarse shapes count as much as fine ones. It stands in for LPIPS, whose
    network needs weights: it knows no objects, and unlike LPIPS minds fine texture that has shifted by a pixel.
    """
    difference = (a - b).astype(jnp.float32)  # the pyramid is linear: that of the difference is the difference
    total = jnp.zeros(len(difference))
    while difference.shape[1] > SMALLEST and difference.shape[1] % 2 == 0:
        coarser = downsample(difference)
        total += jnp.abs(difference - upsample(coarser)).mean((1, 2, 3))
        difference = coarser
    return total + jnp.abs(difference).mean((1, 2, 3))
