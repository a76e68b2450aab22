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
    return _surprise(logits, labels).mean()


def labelled_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The same over the images that have a label: int32 [n], -1 for none, or float32 [n, num_classes], zeros for none.

    0 where no image has one.
    """
    known = labels.any(-1) if jnp.issubdtype(labels.dtype, jnp.floating) else labels >= 0
    surprise = _surprise(logits, jnp.where(known.reshape(-1, *[1] * (labels.ndim - 1)), labels, 0))
    return jnp.where(known, surprise, 0).sum() / jnp.maximum(known.sum(), 1)


def _surprise(logits, labels):
    targets = rows(jnp.eye(logits.shape[-1]), labels)
    return -(targets * jax.nn.log_softmax(logits)).sum(-1)
