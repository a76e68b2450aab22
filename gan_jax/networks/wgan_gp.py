"""The small convolutional generator and critic of WGAN-GP's MNIST experiment, for 28 x 28 images.

Source: arXiv 1704.00028; igul222/improved_wgan_training, gan_mnist.py. No normalisation anywhere. Labels are not used but by
the critic's head.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.heads import Head, Verdict

SIDE = 28


def _check(resolution: int) -> None:
    if resolution != SIDE:
        raise ConfigError(f"config.data.resolution is {resolution}: the networks of wgan_gp make {SIDE} pixels")


class Generator(nn.Module):
    """z [n, d] float32 -> images [n, 28, 28, image_channels] float32 in [-1, 1].

    Attributes:
        resolution: 28.
        num_classes: not used.
        dim_z: size of z.
        channels: unit of all widths (64 as published).
        image_channels: channels of the images.
        dtype: of the convolutions.
    """

    resolution: int = SIDE
    num_classes: int = 0
    dim_z: int = 128
    channels: int = 64
    image_channels: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool = True) -> jax.Array:
        _check(self.resolution)
        x = nn.relu(nn.Dense(16 * 4 * self.channels, dtype=self.dtype)(z)).reshape(-1, 4, 4, 4 * self.channels)
        x = nn.relu(self._double(2 * self.channels)(x))[:, :7, :7]
        x = nn.relu(self._double(self.channels)(x))
        x = self._double(self.image_channels)(x).astype(jnp.float32)
        return jnp.tanh(x / 2)  # the published sigmoid, scaled from [0, 1] to [-1, 1]

    def _double(self, features: int) -> nn.ConvTranspose:
        return nn.ConvTranspose(features, (5, 5), strides=(2, 2), dtype=self.dtype)


class Discriminator(nn.Module):
    """Images [n, 28, 28, c] float32 in [-1, 1] and labels -> `Verdict`.

    Attributes:
        head: fields of `layers.heads.Head`. The others are those of `Generator`.
    """

    resolution: int = SIDE
    num_classes: int = 0
    channels: int = 64
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = True) -> Verdict:
        _check(self.resolution)
        x = images.astype(self.dtype)
        for factor in (1, 2, 4):
            x = nn.Conv(factor * self.channels, (5, 5), strides=(2, 2), dtype=self.dtype)(x)
            x = nn.leaky_relu(x, 0.2)
        head = Head(**{"kernel_init": nn.initializers.lecun_normal(), **dict(self.head)}, name="head")
        return head(x.reshape(len(x), -1), labels)
