"""The auxiliary classifier of AC-GAN (Odena, Olah and Shlens 2017, arXiv 1610.09585)."""

import jax
import jax.numpy as jnp

from gan_jax.layers.linear import rows


def class_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean of -log p(label): what both players minimise, the discriminator on real and generated images.

    Args:
        logits: float32 [n, num_classes], not normalised.
        labels: int32 [n], or float32 [n, num_classes], over which the logarithms are summed. A number that is no class
            gives NaN.
    """
    targets = rows(jnp.eye(logits.shape[-1]), labels)
    return -(targets * jax.nn.log_softmax(logits)).sum(-1).mean()
