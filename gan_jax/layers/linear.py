"""Convolution, dense layer and embedding, plain or with normalised weights.

Parameters are float32, kernels HWIO or (in, out). With `sn_eps` a weight is divided by its largest singular value
(see `spectral_norm`); with None it is used as it is; with `weight_norm` (see `kernels`) by the length of what makes each
output. The division happens in float32, before the cast to `dtype`.

A weight without entries (a width of 0) raises ConfigError.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer

from gan_jax.errors import ConfigError
from gan_jax.layers.initializers import fan_in_uniform
from gan_jax.layers.kernels import normalized
from gan_jax.layers.remat import convolved
from gan_jax.layers.spectral_norm import spectral_norm


class Conv(nn.Module):
    """Convolution with stride 1 and zero padding that keeps the size: [n, h, w, c] -> [n, h, w, features].

    Attributes:
        features: number of output channels.
        kernel_size: side of the kernel.
        sn_eps: epsilon of spectral normalisation, None for a plain convolution.
        use_bias: add a bias.
        kernel_init: initialiser of the kernel [k, k, c, features].
        bias_init: initialiser of the bias, None for U(+-1/sqrt(fan_in)).
        dtype: of the operands and the output.
        weight_norm: weight normalisation.
    """

    features: int
    kernel_size: int
    sn_eps: float | None = None
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.orthogonal()
    bias_init: Initializer | None = None
    dtype: jnp.dtype = jnp.float32
    weight_norm: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = normalized(self, _weight(self, "kernel", self.kernel_init, shape))
        y = jax.lax.conv_general_dilated(
            x.astype(self.dtype),
            kernel.astype(self.dtype),
            window_strides=(1, 1),
            padding="SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return _add_bias(self, convolved(y), shape)


class Dense(nn.Module):
    """Matrix product over the last axis: [..., c] -> [..., features]. Attributes as in `Conv`.

    With float32 operands accelerators compute in full float32: these layers are small, and logits need it.
    """

    features: int
    sn_eps: float | None = None
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.orthogonal()
    bias_init: Initializer | None = None
    dtype: jnp.dtype = jnp.float32
    weight_norm: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (x.shape[-1], self.features)
        kernel = normalized(self, _weight(self, "kernel", self.kernel_init, shape))
        y = jnp.matmul(x.astype(self.dtype), kernel.astype(self.dtype), precision=jax.lax.Precision.HIGHEST)
        return _add_bias(self, y, shape)


def rows(table: jax.Array, labels: jax.Array) -> jax.Array:
    """What a table [k, d] holds for labels: float32 [..., d].

    Class numbers int32 [...] take their rows. Vectors float32 [..., k] sum the rows, each times its entry: a one-hot
    vector takes the row of its class, bit for bit in full float32, several labels take the sum of theirs.

    A number that is no class, the unlabelled -1 among them, gives NaN, so that it ends a run instead of passing for
    some class: indexing would count -1 from the end.
    """
    if jnp.issubdtype(labels.dtype, jnp.floating):
        return jnp.matmul(labels, table, precision=jax.lax.Precision.HIGHEST)
    return jnp.asarray(table).at[labels].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)


class Embed(nn.Module):
    """Table of one float32 row per class: labels, int32 [...] or float32 [..., num_embeddings] -> [..., features].

    See `rows` for what the two forms of labels mean.

    With `sn_eps` the table counts as a (num_embeddings x features) matrix; its `u` has one entry per class.
    """

    num_embeddings: int
    features: int
    sn_eps: float | None = None
    embedding_init: Initializer = nn.initializers.orthogonal()

    @nn.compact
    def __call__(self, labels: jax.Array) -> jax.Array:
        table = _weight(self, "embedding", self.embedding_init, (self.num_embeddings, self.features))
        if self.sn_eps is not None:
            table = table / spectral_norm(self, table.T, self.sn_eps)
        return rows(table, labels)


def _weight(layer, name, init, shape):
    if min(shape) < 1:
        raise ConfigError(
            f"the layer {'/'.join(layer.path)} would have a weight of shape {shape}: a width in config.model is too small"
        )
    return layer.param(name, init, shape)


def _add_bias(layer, y, kernel_shape):
    if not layer.use_bias:
        return y
    fan_in = 1
    for size in kernel_shape[:-1]:
        fan_in *= size
    bias = layer.param("bias", layer.bias_init or fan_in_uniform(fan_in), kernel_shape[-1:])
    return y + bias.astype(layer.dtype)
