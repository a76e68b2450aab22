"""The ResNet generator and discriminator of Mescheder, Geiger and Nowozin 2018, which need no normalisation.

Source: arXiv 1801.04406, appendix H; LMescheder/GAN_stability, gan_training/models/resnet.py, with PyTorch's default
initialisation. Leaky ReLUs of slope 0.2, residual branches times 0.1, widths that double to a maximum while the
resolution halves to 4 .. 7 pixels. Neither network keeps statistics. Labels are class numbers int32 [n] or vectors
float32 [n, num_classes], see `layers.linear.rows`.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.heads import Verdict, told
from gan_jax.layers.linear import Conv, Dense, Embed, rows
from gan_jax.layers.resample import upsample2

# PyTorch's default for convolutions and linear layers: U(+-1/sqrt(fan_in)).
_uniform = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
_activation = functools.partial(nn.leaky_relu, negative_slope=0.2)


def widths(resolution: int, channels: int, max_channels: int) -> tuple[int, ...]:
    """Channels at the resolution of the images, at half of it, and so on down to 4 .. 7 pixels.

    Raises:
        ConfigError: the resolution is below 8 or cannot be halved so often.
    """
    halvings = max(resolution // 4, 1).bit_length() - 1
    if not halvings or resolution % 2**halvings:
        raise ConfigError(
            f"config.data.resolution is {resolution}: the ResNet needs 4 to 7 pixels doubled at least once, such as "
            "16, 28, 64 or 256"
        )
    return tuple(min(channels * 2**i, max_channels) for i in range(halvings + 1))


class ResidualBlock(nn.Module):
    """x + 0.1 f(x) with two 3x3 convolutions: [n, h, w, c] -> [n, h, w, features].

    A shortcut of another width is a 1x1 convolution without bias.
    """

    features: int
    conv: Callable[..., nn.Module]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        h = self.conv(min(x.shape[-1], self.features), 3, name="conv1")(_activation(x))
        h = self.conv(self.features, 3, name="conv2")(_activation(h))
        if x.shape[-1] != self.features:
            x = self.conv(self.features, 1, use_bias=False, name="shortcut")(x)
        return x + 0.1 * h


class Generator(nn.Module):
    """z [n, d] float32 and labels -> images [n, r, r, image_channels] float32 in [-1, 1].

    Attributes:
        resolution: side of the images, see `widths`.
        num_classes: number of classes; 0 makes an unconditional generator that ignores the labels.
        channels: width at the resolution of the images ("nfilter"); it doubles with every halving,
        max_channels: but to no more than this ("nfilter_max").
        embedding_dim: size of the class embedding, which is scaled to length 1 and joined to z.
        image_channels: channels of the images.
        dtype: of the convolutions and the first layer.
    """

    resolution: int
    num_classes: int
    channels: int = 64
    max_channels: int = 1024
    embedding_dim: int = 256
    image_channels: int = 3
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array) -> jax.Array:
        conv = functools.partial(Conv, kernel_init=_uniform, dtype=self.dtype)
        deepest, *shallower = reversed(widths(self.resolution, self.channels, self.max_channels))
        side = self.resolution >> len(shallower)
        if self.num_classes:
            normal = nn.initializers.normal(1.0)
            embedding = Embed(self.num_classes, self.embedding_dim, embedding_init=normal, name="embedding")(labels)
            square = jnp.sum(jnp.square(embedding), axis=-1, keepdims=True)  # zero for a vector of no labels
            z = jnp.concatenate([z, embedding * jax.lax.rsqrt(jnp.maximum(square, 1e-12))], axis=-1)
        x = Dense(side * side * deepest, kernel_init=_uniform, dtype=self.dtype, name="stem")(z)
        x = x.reshape(-1, side, side, deepest)
        for i, features in enumerate(shallower):
            x = upsample2(ResidualBlock(features, conv, name=f"block_{i}")(x))
        x = ResidualBlock(x.shape[-1], conv, name="block_last")(x)
        x = conv(self.image_channels, 3, name="output")(_activation(x))
        return jnp.tanh(x.astype(jnp.float32))


class Discriminator(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] and labels -> `Verdict`.

    The last layer has one logit for each class, and that of the label counts, or the sum over a vector.
    Attributes as in `Generator`; `head`: what is asked beside logits, see `layers.heads.told`.
    """

    resolution: int
    num_classes: int
    channels: int = 64
    max_channels: int = 1024
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array) -> Verdict:
        conv = functools.partial(Conv, kernel_init=_uniform, dtype=self.dtype)
        first, *deeper = widths(self.resolution, self.channels, self.max_channels)
        x = conv(first, 3, name="input")(images)
        x = ResidualBlock(first, conv, name="block_0")(x)
        for i, features in enumerate(deeper, start=1):
            # 3x3 means at every second pixel, zeros beyond the edge counted, as published.
            x = nn.avg_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
            x = ResidualBlock(features, conv, name=f"block_{i}")(x)

        def logits(features):
            outputs = Dense(max(self.num_classes, 1), kernel_init=_uniform, name="output")(features)
            return jnp.sum(outputs * (rows(jnp.eye(self.num_classes), labels) if self.num_classes else 1), axis=-1)

        return told(_activation(x).reshape(len(x), -1), logits, **dict(self.head))
