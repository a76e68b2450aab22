"""Minibatch discrimination: tells a discriminator how near an image is to the others of its batch (arXiv 1606.03498, 3.2)."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class MinibatchDiscrimination(nn.Module):
    """Features float32 [n, d] -> [n, d + kernels]: the features, and for each kernel how near the other images are.

    M_i = x_i T with a weight-normalised T [d, kernels, size]; the new features are sum_(j != i) exp(-|M_i - M_j|_1) + b, b from
    -1 (openai/improved-gan, nn.py, MinibatchLayer). Its first scales by the distances of a first batch are left out:
    parameters are born without data here.

    All images of the batch count, wherever they are: each device gathers M of all (4 n kernels size bytes, 200 kB for
    100 images) and has its own rows of the n x n distances, 3 n^2 kernels size operations in all. So the answer to an
    image depends on the others; real and generated images want calls of their own.

    Attributes:
        kernels: number of new features.
        size: of the vectors whose distances they are made of.
    """

    kernels: int = 100
    size: int = 5

    @nn.compact
    def __call__(self, features: jax.Array) -> jax.Array:
        shape = (features.shape[-1], self.kernels, self.size)
        theta = self.param("theta", nn.initializers.normal(0.05), shape)
        log_scale = self.param("log_scale", nn.initializers.zeros, shape[1:])
        bias = self.param("bias", nn.initializers.constant(-1.0), (self.kernels,))
        kernel = theta * (jnp.exp(log_scale) * jax.lax.rsqrt(jnp.square(theta).sum(0)))
        m = jnp.einsum("nd,dks->nks", features, kernel, precision=jax.lax.Precision.HIGHEST)
        nearness = jnp.exp(-jnp.abs(m[:, None] - m[None]).sum(-1)).sum(1) - 1  # an image is at no distance from itself
        return jnp.concatenate([features, nearness + bias], axis=-1)
