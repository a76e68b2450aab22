"""Gradient penalties on a critic: pure functions of `critic: images [n, ...] -> logits [n]` and images.

The gradient of each sample is that of the sum of all logits: exact unless layers couple the samples of a batch, as
batch normalisation and minibatch standard deviation do; the published codes ignore that.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Critic = Callable[[jax.Array], jax.Array]


def gradient_penalty(
    critic: Critic, real: jax.Array, fake: jax.Array, alpha: jax.Array, target: float = 1.0
) -> jax.Array:
    """WGAN-GP: mean of (|gradient|/target - 1)^2 at x = real + alpha (fake - real), without its weight of 10.

    Source: arXiv 1704.00028, equation 3; igul222/improved_wgan_training, which has no epsilon inside the root.

    Args:
        critic: float32 images [n, ...] to logits [n].
        real, fake: images [n, ...].
        alpha: uniform in [0, 1], [n].
        target: the norm that costs nothing; other than 1 in ProGAN, loss.py of tkarras/progressive_growing_of_gans.
    """
    alpha = jnp.expand_dims(alpha, tuple(range(1, real.ndim)))
    squares = _squared_gradient_norms(critic, real + alpha * (fake - real))
    # The root's slope is infinite at zero; a gradient of exactly zero gets slope zero instead of NaN.
    positive = squares > 0
    norms = jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1)), 0)
    return jnp.square(norms / target - 1).mean()


def zero_centred_penalty(critic: Critic, images: jax.Array) -> jax.Array:
    """Mean of |gradient|^2 at `images` [n, ...]; R1 is gamma/2 times it on real, R2 on generated images.

    Source: arXiv 1801.04406, equation 9.
    """
    return _squared_gradient_norms(critic, images).mean()


def drift(real: jax.Array) -> jax.Array:
    """Mean square of a critic's logits [n] of real images, which keeps them near zero; its weight is 0.001 in ProGAN.

    Source: arXiv 1710.10196, appendix A.1.
    """
    return jnp.square(real).mean()


def _squared_gradient_norms(critic, images):
    gradients = jax.grad(lambda x: critic(x).sum())(images)
    return jnp.square(gradients).sum(tuple(range(1, images.ndim)))
