"""Gradient penalties on a critic: pure functions of `critic: images [n, ...] -> logits [n]` and images.

Where the critic sees more than images, these may be a tree of arrays [n, ...], all of which count.

The gradient of each sample is that of the sum of all logits: exact unless layers couple the samples of a batch, as
batch normalisation and minibatch standard deviation do; the published codes ignore that.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Critic = Callable[[jax.Array], jax.Array]


def gradient_penalty(critic: Critic, real: jax.Array, fake: jax.Array, alpha: jax.Array) -> jax.Array:
    """WGAN-GP: mean of (|gradient| - 1)^2 at x = real + alpha (fake - real), without its weight of 10.

    Source: arXiv 1704.00028, equation 3; igul222/improved_wgan_training, which has no epsilon inside the root.

    Args:
        critic: float32 images [n, ...] to logits [n].
        real, fake: images [n, ...].
        alpha: uniform in [0, 1], [n].
    """
    squares = _squared_gradient_norms(critic, _between(real, fake, alpha))
    # The root's slope is infinite at zero; a gradient of exactly zero gets slope zero instead of NaN.
    positive = squares > 0
    norms = jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1)), 0)
    return jnp.square(norms - 1).mean()


def dragan_penalty(
    critic: Critic, real: jax.Array, alpha: jax.Array, noise: jax.Array, unbiased: bool = False
) -> jax.Array:
    """DRAGAN: mean of (|gradient| - 1)^2 at real + alpha * 0.5 std(real) * noise, without its weight of 10.

    Source: arXiv 1705.07215; the authors' notebook (kodalinaveen3/DRAGAN). The deviation is one number for the whole
    batch, colours, pixels and all.

    Args:
        alpha: uniform in [0, 1], [n].
        noise: uniform in [0, 1], of the shape of the images.
        unbiased: divide the variance by one less than the number of values, as PyTorch-StudioGAN does.
    """
    moved = real + 0.5 * jnp.std(real, ddof=int(unbiased)) * noise
    return gradient_penalty(critic, real, moved, alpha)


def max_gradient_penalty(critic: Critic, real: jax.Array, fake: jax.Array, alpha: jax.Array) -> jax.Array:
    """Largest |gradient|^2 of the batch at x = real + alpha (fake - real): arXiv 1902.05687, equation 9 (LGAN)."""
    return _squared_gradient_norms(critic, _between(real, fake, alpha)).max()


def lecam(real: jax.Array, fake: jax.Array, real_mean: jax.Array, fake_mean: jax.Array) -> jax.Array:
    """LeCam regularisation of logits [n] by the moving means of the logits of either side.

    Mean of relu(real - fake_mean)^2 plus mean of relu(real_mean - fake)^2. Source: arXiv 2104.03310, equation 5, in
    the form of PyTorch-StudioGAN, utils/losses.py.
    """
    above, below = jax.nn.relu(real - fake_mean), jax.nn.relu(real_mean - fake)
    return jnp.square(above).mean() + jnp.square(below).mean()


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


def _between(real, fake, alpha):
    return jax.tree.map(lambda a, b: a + jnp.expand_dims(alpha, tuple(range(1, a.ndim))) * (b - a), real, fake)


def _squared_gradient_norms(critic, images):
    gradients = jax.tree.leaves(jax.grad(lambda x: critic(x).sum())(images))
    return sum(jnp.square(g).sum(tuple(range(1, g.ndim))) for g in gradients)
