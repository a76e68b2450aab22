"""Losses that hold images to their class, beside or instead of the adversarial one: pure functions, means over the batch.

Labels are class numbers int32 [n]. The contrastive losses compare all images of the batch with each other: on several
devices they cost an all-gather of the embeddings.
"""

import jax
import jax.numpy as jnp
from jax.nn import relu


def multi_hinge(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Crammer and Singer's hinge loss: how far the label's logit is from leading all others by 1.

    MHGAN (arXiv 1912.04216, section 3) gives the discriminator float32 logits [n, num_classes + 1], the last for generated
    images.
    """
    target = _of(logits, labels)
    others = jnp.where(_is(labels, logits.shape[-1]), -jnp.inf, logits)
    return relu(1 + others.max(-1) - target).mean()


def contrastive(
    embedding: jax.Array, proxy: jax.Array, labels: jax.Array, temperature: float, positives: bool = True
) -> jax.Array:
    """ContraGAN's conditional contrastive loss "2C" (arXiv 2006.12681, equation 8).

    -log of the share that the proxy of the class and the other images of the class have of exp(cosine / temperature), in
    all other images and the proxy.

    Args:
        embedding: float32 [n, d]. proxy: float32 [n, d], that of the label of each image.
        positives: whether the images of the class have a part in that share, or the proxy alone. With them generated
            images that agree with each other cost little even at the proxy of another class, and a generator can settle
            on a permutation of the classes; its author advises against them (PyTorch-StudioGAN, issue 81).
    """
    others = 1 - jnp.eye(len(labels))
    pairs = jnp.exp(cosines(embedding, embedding) / temperature) * others
    to_proxy = jnp.exp((_unit(embedding) * _unit(proxy)).sum(-1) / temperature)
    alike = to_proxy + (pairs * _alike(labels)).sum(1) if positives else to_proxy
    return -jnp.log(alike / (to_proxy + pairs.sum(1))).mean()


def data_to_data(
    embedding: jax.Array, proxy: jax.Array, labels: jax.Array, temperature: float, margin: float
) -> jax.Array:
    """ReACGAN's data-to-data cross-entropy (arXiv 2111.01118, equation 7), in the form of PyTorch-StudioGAN, losses.py.

    Draws an image to the proxy of its class and away from images of other classes; neither counts where the cosine is
    beyond the margin already. The code subtracts the largest similarity of an image from those of its negatives alone;
    so does this.

    Args:
        margin: m_p, 0.98 as published: positives are pulled below it, negatives pushed above 1 - margin.
    """
    others = 1 - jnp.eye(len(labels))
    similarity = (cosines(embedding, embedding) + margin - 1) / temperature
    least = (margin - 2) / temperature  # of all similarities: for an image without others
    largest = jnp.where(others > 0, similarity, -jnp.inf).max(1, keepdims=True, initial=least)
    negatives = jnp.exp(relu(similarity) - jax.lax.stop_gradient(largest)) * (1 - _alike(labels))
    pull = relu((margin - (_unit(embedding) * _unit(proxy)).sum(-1)) / temperature)
    return (pull + jnp.log(jnp.exp(-pull) + negatives.sum(1))).mean()


def cosines(a: jax.Array, b: jax.Array) -> jax.Array:
    """Of the angles between rows of float32 [n, d] and of [m, d]: [n, m]."""
    return jnp.matmul(_unit(a), _unit(b).T, precision=jax.lax.Precision.HIGHEST)


def _unit(x):
    return x * jax.lax.rsqrt(jnp.maximum(jnp.square(x).sum(-1, keepdims=True), 1e-16))


def _alike(labels):
    """Float32 [n, n]: 1 where two images have the same label."""
    return (labels[:, None] == labels[None, :]).astype(jnp.float32)


def _is(labels, classes):
    return labels[:, None] == jnp.arange(classes)


def _of(logits, labels):
    return jnp.where(_is(labels, logits.shape[-1]), logits, 0).sum(-1)
