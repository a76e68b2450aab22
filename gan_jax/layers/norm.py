"""Batch normalisation, plain and conditioned on a class or a latent, and standing statistics.

Moments are taken over all axes but the last, of the global batch: under `jit` a mean over a sharded batch is one
over all devices. The collection `batch_stats` holds the running `mean` and `var` [c]; it is written in training
mode if the caller made it mutable. Everything is computed in float32; the output has the dtype of the input.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer

from gan_jax.layers.linear import Dense, Embed
from gan_jax.layers.remat import statistic


class BatchNorm(nn.Module):
    """Batch normalisation with a learned scale and bias per channel.

    Attributes:
        eps: added to the variance.
        momentum: weight of the batch in the running moments (PyTorch's convention).
        unbiased: the running variance takes the batch's n/(n-1) variance; the normalisation never does. With
            `momentum=1, unbiased=False` a call in training mode writes exactly the moments it normalised by.
    """

    eps: float = 1e-5
    momentum: float = 0.1
    unbiased: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None = None, *, train: bool) -> jax.Array:
        """Normalises x [n, ..., c] by its own moments (`train`) or the running ones; `condition` is not used."""
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:])
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
        return self.normalize(x, scale[None], bias[None], train)

    def normalize(self, x: jax.Array, scale: jax.Array, bias: jax.Array, train: bool) -> jax.Array:
        """Standardises x [n, ..., c], then applies scale and bias [n or 1, c]."""
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, x.shape[-1:])
        running_var = self.variable("batch_stats", "var", jnp.ones, x.shape[-1:])
        mean, var = running_mean.value, running_var.value
        values = x.astype(jnp.float32)
        if train:
            mean, var = _moments(values, shift=mean)
            if self.is_mutable_collection("batch_stats") and not self.is_initializing():
                count = x.size // x.shape[-1]
                correction = count / max(count - 1, 1) if self.unbiased else 1.0
                running_mean.value = (1 - self.momentum) * running_mean.value + self.momentum * mean
                running_var.value = (1 - self.momentum) * running_var.value + self.momentum * correction * var
        scale, bias = (jnp.expand_dims(a, tuple(range(1, x.ndim - 1))) for a in (scale, bias))
        return ((values - mean) * (jax.lax.rsqrt(var + self.eps) * scale) + bias).astype(x.dtype)


class ConditionalBatchNorm(BatchNorm):
    """Batch normalisation whose scale 1 + W_g c and bias W_b c are linear in a condition c (BigGAN).

    Attributes:
        sn_eps: epsilon of the spectral normalisation of both linear maps, None for none.
        kernel_init: their initialiser.
    """

    sn_eps: float | None = None
    kernel_init: Initializer = nn.initializers.orthogonal()

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array, *, train: bool) -> jax.Array:
        """Normalises x [n, ..., c] given a condition [n, d] float32."""

        def linear(name):
            return Dense(x.shape[-1], sn_eps=self.sn_eps, use_bias=False, kernel_init=self.kernel_init, name=name)(
                condition
            )

        return self.normalize(x, 1 + linear("gain"), linear("bias"), train)


class CategoricalBatchNorm(BatchNorm):
    """Batch normalisation with a scale 1 + table and a bias per class (SNGAN, SAGAN; BigGAN without sharing).

    Attributes:
        num_classes: rows of the two tables.
        embedding_init: their initialiser.
    """

    num_classes: int = 1
    embedding_init: Initializer = nn.initializers.zeros

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array, *, train: bool) -> jax.Array:
        """Normalises x [n, ..., c] given labels, int32 [n] or float32 [n, num_classes] (see `linear.rows`)."""

        def table(name):
            return Embed(self.num_classes, x.shape[-1], embedding_init=self.embedding_init, name=name)(condition)

        return self.normalize(x, 1 + table("gain"), table("bias"), train)


def _moments(x, shift):
    """Mean and biased variance [c] in one pass over x, so that a sharded batch costs one all-reduce.

    Differences to the running mean are small, which keeps E[d^2] - E[d]^2 from cancelling as E[x^2] - E[x]^2 would.
    """
    axes = tuple(range(x.ndim - 1))
    difference = x - shift
    mean = statistic(difference.mean(axes))
    var = statistic(jnp.square(difference).mean(axes)) - jnp.square(mean)
    return shift + mean, jnp.maximum(var, 0)


def standing_statistics(
    apply: Callable[..., Any], variables: Mapping[str, Any], latents: jax.Array, labels: jax.Array
) -> dict[str, Any]:
    """Replaces running moments by the averages of those of k batches (BigGAN, arXiv 1809.11096, section 3.1).

    Args:
        apply: `module.apply` of a network whose batch normalisations have `momentum=1, unbiased=False`.
        variables: its collections; those other than `params` advance from batch to batch.
        latents: float32 [k, n, d].
        labels: int32 [k, n] or float32 [k, n, num_classes].

    Returns:
        The variables with new `batch_stats` and the other statistics as the last batch left them.
    """
    params = variables["params"]

    def accumulate(stats, batch):
        _, changed = apply({"params": params, **stats}, *batch, train=True, mutable=list(stats))
        return {**stats, **changed}, changed["batch_stats"]

    stats = {name: tree for name, tree in variables.items() if name != "params"}
    stats, moments = jax.lax.scan(accumulate, stats, (latents, labels))
    return {"params": params, **stats, "batch_stats": jax.tree.map(lambda m: m.mean(0), moments)}


def standing(
    generator: nn.Module, variables: Mapping[str, Any], latents: jax.Array, labels: jax.Array
) -> dict[str, Any]:
    """`standing_statistics` of a generator with the fields `bn_momentum` and `bn_unbiased`, called as `(z, labels)`."""
    moments = generator.clone(bn_momentum=1.0, bn_unbiased=False)
    return standing_statistics(moments.apply, variables, latents, labels)


def pixel_norm(x: jax.Array, eps: float = 1e-8) -> jax.Array:
    """x [..., c] with a mean square of one over the last axis (ProGAN, arXiv 1710.10196, section 4.2), in its dtype."""
    values = x.astype(jnp.float32)
    return (values * jax.lax.rsqrt(jnp.square(values).mean(-1, keepdims=True) + eps)).astype(x.dtype)
