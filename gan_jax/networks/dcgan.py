"""The generator and discriminator of DCGAN (Radford, Metz and Chintala 2016, arXiv 1511.06434), for any side.

Source: soumith/dcgan.torch, main.lua; martinarjovsky/WassersteinGAN, models/dcgan.py. Convolutions of 4 x 4 without biases
halve or double the side, widths double while it halves down to 4 .. 7 pixels. Kernels N(0, 0.02), scales of batch
normalisation N(1, 0.02) there and 1 here. Labels are class numbers int32 [n] or vectors float32 [n, num_classes].
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
from gan_jax.layers.linear import Dense, Embed
from gan_jax.layers.normalizers import normalizer
from gan_jax.layers.strided import ConvTranspose, StridedConv

_normal = nn.initializers.normal(0.02)


def widths(resolution: int, channels: int) -> tuple[int, ...]:
    """Channels at half the resolution of the images, at a quarter, and so on down to 4 .. 7 pixels.

    Raises:
        ConfigError: the resolution cannot be halved so often, or not once.
    """
    halvings = max(resolution // 4, 1).bit_length() - 1
    if not halvings or resolution % 2**halvings:
        raise ConfigError(
            f"config.data.resolution is {resolution}: DCGAN needs 4 to 7 pixels doubled at least once, such as 16, 28 or 64"
        )
    return tuple(channels * 2**i for i in range(halvings))


class Generator(nn.Module):
    """z [n, d] float32 and labels -> images [n, r, r, image_channels] float32 in [-1, 1].

    Attributes:
        resolution: side of the images, see `widths`.
        num_classes: number of classes, 0 for none.
        dim_z: size of z.
        channels: width at half that side ("ngf").
        embedding: size of an embedding of the label that is joined to z, 0 for none.
        norm: of all layers but the last, see `layers.normalizers`; "categorical" is given the label, others z with the
            embedding.
        kernels: how the weights of all layers are normalised, see `layers.kernels`.
        bn_momentum, bn_unbiased: of batch normalisation; 1 and False for standing statistics.
        image_channels: channels of the images.
        dtype: of the convolutions.
    """

    resolution: int
    num_classes: int = 0
    dim_z: int = 100
    channels: int = 64
    embedding: int = 0
    norm: str = "batch"
    kernels: str = "none"
    bn_momentum: float = 0.1
    bn_unbiased: bool = True
    image_channels: int = 3
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool = True) -> jax.Array:
        deepest, *shallower = reversed(widths(self.resolution, self.channels))
        side = self.resolution >> (1 + len(shallower))
        if self.embedding:
            z = jnp.concatenate([z, Embed(self.num_classes, self.embedding, name="embedding")(labels)], -1)
        norm = self._norm(labels if self.norm == "categorical" else z, train)
        given = {"use_bias": False, "dtype": self.dtype, **kernel_fields(self.kernels)}
        stem = Dense(side * side * deepest, kernel_init=_normal, **given, name="stem")
        x = nn.relu(norm("norm_stem", stem(z).reshape(-1, side, side, deepest)))
        up = functools.partial(ConvTranspose, **given)
        for i, features in enumerate(shallower):
            x = nn.relu(norm(f"norm_{i}", up(features, name=f"up_{i}")(x)))
        return jnp.tanh(up(self.image_channels, name="output")(x).astype(jnp.float32))

    def _norm(self, condition, train):
        make = normalizer(self.norm, self.num_classes, momentum=self.bn_momentum, unbiased=self.bn_unbiased)
        return lambda name, x: make(name=name)(x, condition, train=train)


class Discriminator(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] and labels -> `Verdict`; its features are the last map, flattened.

    Attributes:
        channels: width at half the side of the images ("ndf").
        embedding: size of an embedding of the label that is joined to every pixel behind the first convolution, 0 for none.
        norm: of all layers but the first and the last; one that wants no condition.
        head: fields of `layers.heads.Head`.

    The others are those of `Generator`.
    """

    resolution: int
    num_classes: int = 0
    channels: int = 64
    embedding: int = 0
    norm: str = "batch"
    kernels: str = "none"
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = True) -> Verdict:
        normalised = kernel_fields(self.kernels)
        down = functools.partial(StridedConv, use_bias=False, dtype=self.dtype, **normalised)
        norm = normalizer(self.norm)
        first, *deeper = widths(self.resolution, self.channels)
        x = nn.leaky_relu(down(first, name="down_0")(images), 0.2)
        if self.embedding:
            embedding = Embed(self.num_classes, self.embedding, normalised.get("sn_eps"), name="embedding")(labels)
            spread = jnp.broadcast_to(embedding[:, None, None], (*x.shape[:3], self.embedding))
            x = jnp.concatenate([x, spread.astype(x.dtype)], -1)
        for i, features in enumerate(deeper, start=1):
            x = down(features, name=f"down_{i}")(x)
            x = nn.leaky_relu(norm(name=f"norm_{i}")(x, train=train), 0.2)
        features = x.reshape(len(x), -1)
        return Head(**{"use_bias": False, "kernel_init": _normal, **normalised, **dict(self.head)}, name="head")(
            features, labels
        )
