"""Spectral normalisation (Miyato et al., arXiv 1802.05957) as BigGAN-PyTorch's layers.py runs it.

One power iteration in every call, in evaluation too, always from the stored `u` of the collection `spectral`.
The advanced `u` is written only if the caller made that collection mutable, so two calls with the same variables
normalise by the same sigma.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.remat import statistic


def spectral_norm(module: nn.Module, matrix: jax.Array, eps: float) -> jax.Array:
    """Estimates the largest singular value of a weight, keeping `u` [out] in `module`'s collection `spectral`.

    Args:
        module: the layer that owns the weight, inside its compact call.
        matrix: the weight as float32 [rest, out].
        eps: lower bound of the norms that divide u and v.

    Returns:
        sigma, a float32 scalar, differentiable through `matrix` while u and v count as constants.
    """
    # Unnormalised at first, as published: the first iteration removes its length.
    u = module.variable("spectral", "u", lambda: jax.random.normal(module.make_rng("params"), matrix.shape[-1:]))
    v = statistic(jax.lax.stop_gradient(_normalize(_product(matrix, u.value), eps)))
    image = statistic(_product(v, matrix))
    advanced = jax.lax.stop_gradient(_normalize(image, eps))
    if module.is_mutable_collection("spectral") and not module.is_initializing():
        u.value = advanced
    return jnp.sum(image * advanced)


def _normalize(x, eps):
    return x / jnp.maximum(jnp.linalg.norm(x), eps)


def _product(a, b):
    # Accelerators would round the operands to 16 or 19 bits; a matrix-vector product is cheap enough for all 32.
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
