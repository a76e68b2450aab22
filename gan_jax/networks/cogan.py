"""Coupled networks (Liu and Tuzel 2016, arXiv 1606.07536): two generators with the same first layers, two discriminators with
the same last ones.

DCGAN's layers. The two of a pair differ where images are: in the last layer of the generators and the first of the
discriminators.
"""

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.heads import Head, Verdict
from gan_jax.layers.linear import Dense
from gan_jax.layers.norm import BatchNorm
from gan_jax.layers.strided import ConvTranspose, StridedConv
from gan_jax.networks.dcgan import widths


class Generator(nn.Module):
    """z [n, d] float32 -> images of two domains, each [n, r, r, image_channels] float32 in [-1, 1].

    Attributes:
        resolution: side of the images, see `dcgan.widths`.
        dim_z: size of z.
        channels: width at half that side.
        image_channels: channels of the images.
        dtype: of the convolutions.
    """

    resolution: int
    dim_z: int = 100
    channels: int = 64
    image_channels: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, train: bool = True) -> tuple[jax.Array, jax.Array]:
        deepest, *shallower = reversed(widths(self.resolution, self.channels))
        side = self.resolution >> (1 + len(shallower))
        up = functools.partial(ConvTranspose, use_bias=False, dtype=self.dtype)
        stem = Dense(side * side * deepest, use_bias=False, kernel_init=nn.initializers.normal(0.02), name="stem")
        x = stem(z).reshape(-1, side, side, deepest)
        for i, features in enumerate([*shallower, None]):
            x = nn.relu(BatchNorm(name=f"norm_{i}")(x, train=train))
            if features:
                x = up(features, name=f"up_{i}")(x)
        first, second = (up(self.image_channels, name=f"output_{domain}")(x) for domain in "ab")
        return jnp.tanh(first.astype(jnp.float32)), jnp.tanh(second.astype(jnp.float32))


class Discriminator(nn.Module):
    """Images of either domain, each [n, r, r, c] float32 in [-1, 1] -> a `Verdict` of either.

    Attributes:
        head: what both are asked beside logits, see `layers.heads.Head`, which they share.
    """

    resolution: int
    channels: int = 64
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, first: jax.Array, second: jax.Array, train: bool = True) -> tuple[Verdict, Verdict]:
        width, *deeper = widths(self.resolution, self.channels)
        down = [
            StridedConv(features, use_bias=False, dtype=self.dtype, name=f"down_{i}")
            for i, features in enumerate(deeper, 1)
        ]
        head = Head(**dict(self.head), name="head")

        def judge(images, domain):
            x = nn.leaky_relu(StridedConv(width, dtype=self.dtype, name=f"input_{domain}")(images), 0.2)
            for layer in down:
                x = nn.leaky_relu(layer(x), 0.2)
            return head(x.reshape(len(x), -1), None)

        return judge(first, "a"), judge(second, "b")
