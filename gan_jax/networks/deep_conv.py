"""PyTorch-StudioGAN's networks of DCGAN, LSGAN and GGAN on CIFAR-10, models/deep_conv.py.

The side is halved and doubled three times, as in SNDCGAN. In the generator nothing normalises the first layer; a block
of the discriminator widens by a convolution of 3 x 3 and halves the side by one of 4 x 4, and the last map is summed over
its pixels.
"""

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.heads import Head, Verdict, pooled
from gan_jax.layers.initializers import initializer
from gan_jax.layers.kernels import kernel_fields
from gan_jax.layers.linear import Conv, Dense
from gan_jax.layers.normalizers import normalizer
from gan_jax.layers.strided import ConvTranspose, StridedConv
from gan_jax.networks.sndcgan import an_eighth


class Generator(nn.Module):
    """z [n, d] float32 and labels -> images [n, r, r, image_channels] float32 in [-1, 1].

    Attributes:
        resolution: side of the images, a multiple of 8.
        num_classes: number of classes, 0 for none.
        dim_z: size of z.
        channels: width at the full side.
        norm: of the maps, see `layers.normalizers`; "categorical" is given the label, others z.
        kernels: how the weights of all layers are normalised, see `layers.kernels`.
        bn_momentum, bn_unbiased: of batch normalisation; 1 and False for standing statistics.
        weight_init: initialiser of all kernels, see `initializer`.
        image_channels: channels of the images.
        dtype: of the convolutions.
    """

    resolution: int
    num_classes: int = 0
    dim_z: int = 128
    channels: int = 64
    norm: str = "batch"
    kernels: str = "none"
    bn_momentum: float = 0.1
    bn_unbiased: bool = True
    weight_init: str = "ortho"
    image_channels: int = 3
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool = True) -> jax.Array:
        side, condition = an_eighth(self.resolution), labels if self.norm == "categorical" else z
        norm = normalizer(self.norm, self.num_classes, momentum=self.bn_momentum, unbiased=self.bn_unbiased)
        given = {"kernel_init": initializer(self.weight_init), "dtype": self.dtype, **kernel_fields(self.kernels)}
        zeros = {"bias_init": nn.initializers.zeros}
        x = Dense(side * side * 8 * self.channels, **given, **zeros, name="stem")(z)
        x = x.reshape(-1, side, side, 8 * self.channels)
        for i, features in enumerate((4 * self.channels, 2 * self.channels, self.channels)):
            x = ConvTranspose(features, **given, name=f"up_{i}")(x)
            x = nn.relu(norm(name=f"norm_{i}")(x, condition, train=train))
        x = Conv(self.image_channels, 3, **given, **zeros, name="output")(x)
        return jnp.tanh(x.astype(jnp.float32))


class Discriminator(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] and labels -> `Verdict`; its features are the last map, summed over pixels.

    Attributes:
        norm: of all maps, one that wants no condition; published without where kernels are spectrally normalised.
        head: fields of `layers.heads.Head`.

    The others are those of `Generator`.
    """

    resolution: int
    num_classes: int = 0
    channels: int = 64
    norm: str = "batch"
    kernels: str = "none"
    weight_init: str = "ortho"
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = True) -> Verdict:
        an_eighth(self.resolution)
        kernels = {"kernel_init": initializer(self.weight_init), **kernel_fields(self.kernels)}
        zeros = {"bias_init": nn.initializers.zeros}
        conv = functools.partial(Conv, kernel_size=3, **kernels, **zeros, dtype=self.dtype)
        norm, x = normalizer(self.norm), images

        def activated(name, x):
            return nn.leaky_relu(norm(name=f"norm_{name}")(x, train=train), 0.1)

        for i, features in enumerate((self.channels, 2 * self.channels, 4 * self.channels)):
            x = activated(f"{i}_conv", conv(features, name=f"conv_{i}")(x))
            x = activated(f"{i}_down", StridedConv(features, **kernels, dtype=self.dtype, name=f"down_{i}")(x))
        x = activated("3_conv", conv(8 * self.channels, name="conv_3")(x))
        return Head(**{**kernels, **zeros, **dict(self.head)}, name="head")(pooled(x, "sum"), labels)
