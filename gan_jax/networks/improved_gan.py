"""The networks of "Improved techniques for training GANs" for CIFAR-10 (Salimans et al. 2016, arXiv 1606.03498).

Source: openai/improved-gan, mnist_svhn_cifar10/train_cifar_feature_matching.py. The generator: transposed convolutions of
5 x 5, batch normalisation without scales, a weight-normalised last layer. The discriminator: nine weight-normalised
convolutions and dropout, or noise on the images; its features are means over the last map. Kernels N(0, 0.05). The
published scales of hidden layers stay as a first batch has set them; here they start at 1 and learn. Labels are not used.
"""

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.dropout import keeping
from gan_jax.layers.heads import Head, Verdict
from gan_jax.layers.linear import Conv, Dense
from gan_jax.layers.norm import BatchNorm
from gan_jax.layers.strided import ConvTranspose, StridedConv
from gan_jax.networks.dcgan import widths

_normal = nn.initializers.normal(0.05)
_weight_normed = {"weight_norm": True, "kernel_init": _normal}


class _BatchNorm(BatchNorm):
    """Without a scale, which a ReLU hands on to the next layer anyway."""

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None = None, *, train: bool) -> jax.Array:
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
        return self.normalize(x, jnp.ones((1, x.shape[-1])), bias[None], train)


class Generator(nn.Module):
    """z [n, d] float32 and labels -> images [n, r, r, image_channels] float32 in [-1, 1].

    Attributes:
        resolution: side of the images, see `dcgan.widths`.
        num_classes: not used.
        dim_z: size of z.
        channels: width at half that side.
        bn_momentum, bn_unbiased: of batch normalisation; 1 and False for standing statistics.
        image_channels: channels of the images.
        dtype: of the convolutions.
    """

    resolution: int
    num_classes: int = 0
    dim_z: int = 100
    channels: int = 128
    bn_momentum: float = 0.1
    bn_unbiased: bool = True
    image_channels: int = 3
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool = True) -> jax.Array:
        norm = functools.partial(_BatchNorm, 1e-6, self.bn_momentum, self.bn_unbiased)
        up = functools.partial(ConvTranspose, kernel_size=5, dtype=self.dtype)
        deepest, *shallower = reversed(widths(self.resolution, self.channels))
        side = self.resolution >> (1 + len(shallower))
        stem = Dense(side * side * deepest, use_bias=False, kernel_init=_normal, dtype=self.dtype, name="stem")
        x = stem(z)  # normalised before it becomes a map, as published
        x = nn.relu(norm(name="norm_stem")(x, train=train)).reshape(-1, side, side, deepest)
        for i, features in enumerate(shallower):
            x = up(features, use_bias=False, kernel_init=_normal, name=f"up_{i}")(x)
            x = nn.relu(norm(name=f"norm_{i}")(x, train=train))
        return jnp.tanh(up(self.image_channels, **_weight_normed, name="output")(x).astype(jnp.float32))


class Discriminator(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] and labels -> `Verdict`; its features [n, 2 channels] are means of a map.

    Attributes:
        resolution: side of the images, a multiple of 4 from 12 on.
        num_classes: not used.
        channels: width of the first three convolutions; the others have twice as many.
        keep_input, keep_hidden: shares of the pixels and of the hidden units that dropout keeps; 1 for no dropout.
        noise: standard deviation of noise on the images; with minibatch discrimination 0.2 in the place of their dropout.
        head: fields of `layers.heads.Head`.
        dtype: of the convolutions.
    """

    resolution: int
    num_classes: int = 0
    channels: int = 96
    keep_input: float = 0.8
    keep_hidden: float = 0.5
    noise: float = 0.0
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = True) -> Verdict:
        if self.resolution % 4 or self.resolution < 12:
            raise ConfigError(
                f"config.data.resolution is {self.resolution}: improved-gan's discriminator needs a multiple of 4 from 12 on"
            )
        still, zeros = not train or self.is_initializing(), nn.initializers.zeros
        conv = functools.partial(Conv, **_weight_normed, bias_init=zeros, dtype=self.dtype)
        strided = functools.partial(StridedConv, kernel_size=3, **_weight_normed, dtype=self.dtype)

        if self.noise and not still:
            images = images + self.noise * jax.random.normal(self.make_rng("noise"), images.shape)
        narrow, wide = self.channels, 2 * self.channels
        x = keeping(self.keep_input, still=still)(images)
        for layer in (conv(narrow, 3, name="conv_0"), conv(narrow, 3, name="conv_1"), strided(narrow, name="conv_2")):
            x = nn.leaky_relu(layer(x), 0.2)
        x = keeping(self.keep_hidden, still=still)(x)
        for layer in (conv(wide, 3, name="conv_3"), conv(wide, 3, name="conv_4"), strided(wide, name="conv_5")):
            x = nn.leaky_relu(layer(x), 0.2)
        x = keeping(self.keep_hidden, still=still)(x)
        last = strided(wide, stride=1, padded=False, name="conv_6")
        for layer in (last, conv(wide, 1, name="conv_7"), conv(wide, 1, name="conv_8")):
            x = nn.leaky_relu(layer(x), 0.2)
        features = x.astype(jnp.float32).mean((1, 2))
        return Head(**{**_weight_normed, **dict(self.head)}, name="head")(features, labels)
