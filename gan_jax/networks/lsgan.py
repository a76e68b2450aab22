"""The generator and discriminator of LSGAN (Mao et al. 2017, arXiv 1611.04076, figure 5), made for 112 pixels.

Source: xudonmao/LSGAN, vgg.py. Labels are not used but by the discriminator's head.
"""

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.heads import Head, Verdict
from gan_jax.layers.linear import Dense
from gan_jax.layers.normalizers import normalizer
from gan_jax.layers.strided import ConvTranspose, StridedConv

_normal = nn.initializers.truncated_normal(0.02)
# Widths of the generator's layers in multiples of `channels`, and their strides.
_LAYERS = ((4, 2), (4, 1), (4, 2), (4, 1), (2, 2), (1, 2))


def _check(resolution: int) -> None:
    if resolution < 16 or resolution % 16:
        raise ConfigError(
            f"config.data.resolution is {resolution}: LSGAN's networks need a multiple of 16, such as 112"
        )


class Generator(nn.Module):
    """z [n, d] float32 -> images [n, r, r, image_channels] float32 in [-1, 1].

    Attributes:
        resolution: side of the images, a multiple of 16.
        num_classes: not used.
        dim_z: size of z.
        channels: width at the resolution of the images.
        bn_momentum, bn_unbiased: of batch normalisation; 1 and False for standing statistics.
        image_channels: channels of the images.
        dtype: of the convolutions.
    """

    resolution: int
    num_classes: int = 0
    dim_z: int = 1024
    channels: int = 64
    bn_momentum: float = 0.1
    bn_unbiased: bool = True
    image_channels: int = 3
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool = True) -> jax.Array:
        _check(self.resolution)
        batch_norm = normalizer("batch", momentum=self.bn_momentum, unbiased=self.bn_unbiased)
        up = functools.partial(ConvTranspose, kernel_size=3, kernel_init=_normal, dtype=self.dtype)
        side, width = self.resolution // 16, _LAYERS[0][0] * self.channels
        zeros = nn.initializers.zeros
        stem = Dense(side * side * width, kernel_init=_normal, bias_init=zeros, dtype=self.dtype, name="stem")
        x = nn.relu(batch_norm(name="norm_stem")(stem(z).reshape(-1, side, side, width), train=train))
        for i, (factor, stride) in enumerate(_LAYERS):
            x = up(factor * self.channels, stride=stride, name=f"up_{i}")(x)
            x = nn.relu(batch_norm(name=f"norm_{i}")(x, train=train))
        return jnp.tanh(up(self.image_channels, stride=1, name="output")(x).astype(jnp.float32))


class Discriminator(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] and labels -> `Verdict`; its features are the last map, flattened.

    Attributes:
        channels: width of the first layer; each of the other three doubles it.
        norm: of all layers but the first, see `layers.normalizers`.
        head: fields of `layers.heads.Head`.
    """

    resolution: int
    num_classes: int = 0
    channels: int = 64
    norm: str = "batch"
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = True) -> Verdict:
        _check(self.resolution)
        norm = normalizer(self.norm)
        x = images
        for i in range(4):
            down = StridedConv(
                self.channels << i, kernel_size=5, kernel_init=_normal, dtype=self.dtype, name=f"down_{i}"
            )
            x = down(x)
            x = nn.leaky_relu(norm(name=f"norm_{i}")(x, train=train) if i else x, 0.2)
        return Head(**{"kernel_init": _normal, **dict(self.head)}, name="head")(x.reshape(len(x), -1), labels)
