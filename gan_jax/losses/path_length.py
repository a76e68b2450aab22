"""Path length regularisation (StyleGAN2, arXiv 1912.04958, section 3.2 and appendix B)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def path_lengths(synthesize: Callable[[jax.Array], jax.Array], ws: jax.Array, noise: jax.Array) -> jax.Array:
    """How far images move with w, float32 [n]: the root of the mean over layers of |d sum(images noise) / d w|^2.

    Args:
        synthesize: ws [n, layers, d] -> images [n, h, w, c].
        ws: float32 [n, layers, d].
        noise: standard normal, of the shape of the images; it is divided by sqrt(h w) here.
    """
    pixels = noise.shape[1] * noise.shape[2]
    gradients = jax.grad(lambda ws: jnp.sum(synthesize(ws) * noise) / pixels**0.5)(ws)
    return jnp.sqrt(jnp.square(gradients).sum(2).mean(1))


def path_length_penalty(lengths: jax.Array, mean: jax.Array, decay: float) -> tuple[jax.Array, jax.Array]:
    """Mean of (lengths - mean)^2 with the moving mean already moved by `decay` towards these lengths; that mean.

    The gradient flows through the mean too, as in the published code (NVlabs/stylegan2-ada-pytorch, loss.py).
    """
    mean = mean + decay * (lengths.mean() - mean)
    return jnp.square(lengths - mean).mean(), mean
