"""SNDCGAN: networks of DCGAN's kind, of which the discriminator is spectrally normalised (arXiv 1802.05957).

Source: compare_gan, architectures/sndcgan.py. Convolutions of 4 x 4 halve or double the side three times; the discriminator
has one of 3 x 3 in front of, between and behind them, and no normalisation but that of its kernels. Kernels N(0, 0.02).
"""

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.heads import Head, Verdict
from gan_jax.layers.kernels import kernel_fields
from gan_jax.layers.linear import Conv, Dense
from gan_jax.layers.normalizers import normalizer
from gan_jax.layers.strided import ConvTranspose, StridedConv

_normal = {"kernel_init": nn.initializers.normal(0.02), "bias_init": nn.initializers.zeros}


def an_eighth(resolution: int) -> int:
    """The side that is left when it has been halved three times.

    Raises:
        ConfigError: it cannot be.
    """
    if resolution % 8:
        raise ConfigError(f"config.data.resolution is {resolution}: these networks need a multiple of 8")
    return resolution // 8


class Generator(nn.Module):
    """z [n, d] float32 and labels -> images [n, r, r, image_channels] float32 in [-1, 1].

    Attributes:
        resolution: side of the images, a multiple of 8.
        num_classes: number of classes, 0 for none.
        dim_z: size of z.
        channels: width at the full side.
        norm: of all layers but the last, one of batches, see `layers.normalizers`; "categorical" is given the label,
            others z.
        bn_momentum, bn_unbiased: of batch normalisation; 1 and False for standing statistics.
        image_channels: channels of the images.
        dtype: of the convolutions.
    """

    resolution: int
    num_classes: int = 0
    dim_z: int = 128
    channels: int = 64
    norm: str = "batch"
    bn_momentum: float = 0.1
    bn_unbiased: bool = True
    image_channels: int = 3
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool = True) -> jax.Array:
        side, condition = an_eighth(self.resolution), labels if self.norm == "categorical" else z
        norm = normalizer(self.norm, self.num_classes, momentum=self.bn_momentum, unbiased=self.bn_unbiased)
        stem = Dense(side * side * 8 * self.channels, **_normal, dtype=self.dtype, name="stem")
        x = nn.relu(norm(name="norm_stem")(stem(z), condition, train=train))  # before it becomes a map, as published
        x = x.reshape(-1, side, side, 8 * self.channels)
        for i, features in enumerate((4 * self.channels, 2 * self.channels, self.channels)):
            x = ConvTranspose(features, dtype=self.dtype, name=f"up_{i}")(x)
            x = nn.relu(norm(name=f"norm_{i}")(x, condition, train=train))
        x = Conv(self.image_channels, 3, **_normal, dtype=self.dtype, name="output")(x)
        return jnp.tanh(x.astype(jnp.float32))


class Discriminator(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] and labels -> `Verdict`; its features are the last map, flattened.

    Attributes:
        channels: width at the full side.
        kernels: how the weights of all layers are normalised, see `layers.kernels`.
        head: fields of `layers.heads.Head`.

    The others are those of `Generator`.
    """

    resolution: int
    num_classes: int = 0
    channels: int = 64
    kernels: str = "spectral"
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = True) -> Verdict:
        an_eighth(self.resolution)
        normalised = kernel_fields(self.kernels)
        conv = functools.partial(Conv, kernel_size=3, **_normal, **normalised, dtype=self.dtype)
        down = functools.partial(StridedConv, **normalised, dtype=self.dtype)
        x = nn.leaky_relu(conv(self.channels, name="conv_0")(images), 0.1)
        for i, features in enumerate((2 * self.channels, 4 * self.channels, 8 * self.channels), start=1):
            x = nn.leaky_relu(down(features, name=f"down_{i}")(x), 0.1)
            x = nn.leaky_relu(conv(features, name=f"conv_{i}")(x), 0.1)
        head = Head(**{**_normal, **normalised, **dict(self.head)}, name="head")
        return head(x.reshape(len(x), -1), labels)
