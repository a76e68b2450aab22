"""BEGAN's generator and autoencoder (Berthelot, Schumm and Metz 2017, arXiv 1703.10717).

Source: carpedm20/BEGAN-tensorflow, models.py. ELUs, no normalisation; the lowest map has 8 x 8 pixels, or 7 x 7 for images of
28 or 56. The generator is built as the autoencoder's decoder.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.linear import Conv, Dense
from gan_jax.layers.resample import upsample2
from gan_jax.layers.strided import StridedConv

_LOWEST = (8, 7)  # pixels of the lowest map: the first of them that fits
_glorot, _zeros = nn.initializers.glorot_uniform(), nn.initializers.zeros
_conv = functools.partial(Conv, kernel_size=3, kernel_init=_glorot, bias_init=_zeros)


def levels(resolution: int) -> tuple[int, int]:
    """The side of the lowest map, and how many resolutions there are from there to that of the images.

    Raises:
        ConfigError: it is no power of two times 8 or 7.
    """
    for lowest in _LOWEST:
        times = resolution // lowest
        if times and not resolution % lowest and not times & (times - 1):
            return lowest, times.bit_length()
    raise ConfigError(f"config.data.resolution is {resolution}: BEGAN needs 8 or 7 pixels, doubled any number of times")


class Generator(nn.Module):
    """z [n, d] float32 -> images [n, r, r, image_channels] float32, meant to be in [-1, 1]: nothing bounds them.

    Attributes:
        resolution: side of the images, see `levels`.
        channels: width of all layers ("n").
        image_channels: channels of the images.
        dtype: of the convolutions.
    """

    resolution: int
    channels: int = 128
    image_channels: int = 3
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        conv = functools.partial(_conv, dtype=self.dtype)
        lowest, count = levels(self.resolution)
        stem = Dense(lowest**2 * self.channels, kernel_init=_glorot, bias_init=_zeros, dtype=self.dtype, name="stem")
        x = stem(z).reshape(-1, lowest, lowest, self.channels)
        for level in range(count):
            x = upsample2(x) if level else x
            for i in (1, 2):
                x = nn.elu(conv(self.channels, name=f"conv_{level}_{i}")(x))
        return conv(self.image_channels, name="output")(x).astype(jnp.float32)


class Autoencoder(nn.Module):
    """Images [n, r, r, c] float32 -> as many, and the codes float32 [n, dim_z] of which they are made.

    Attributes:
        dim_z: size of the codes. The others are those of `Generator`; widths of the encoder are 1, 2, 3 ... times `channels`.
    """

    resolution: int
    dim_z: int = 64
    channels: int = 128
    image_channels: int = 3
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        conv = functools.partial(_conv, dtype=self.dtype)
        halve = functools.partial(StridedConv, kernel_size=3, kernel_init=_glorot, dtype=self.dtype)
        x = nn.elu(conv(self.channels, name="input")(images))
        _, count = levels(self.resolution)
        for level in range(count):
            width = self.channels * (level + 1)
            for i in (1, 2):
                x = nn.elu(conv(width, name=f"conv_{level}_{i}")(x))
            if level < count - 1:
                x = nn.elu(halve(width, name=f"halve_{level}")(x))
        codes = Dense(self.dim_z, kernel_init=_glorot, bias_init=_zeros, name="codes")(x.reshape(len(x), -1))
        decoder = Generator(self.resolution, self.channels, self.image_channels, self.dtype, name="decoder")
        return decoder(codes), codes
