"""InfoGAN's networks for MNIST (Chen et al. 2016, arXiv 1606.03657, appendix C.1), for sides that 4 divides.

Source: openai/InfoGAN, models/regularized_gan.py. The discriminator's answer "codes" is that of Q, which shares all
its layers but the last two. Labels are not used.
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
from gan_jax.layers.norm import BatchNorm
from gan_jax.layers.strided import ConvTranspose, StridedConv

_normal, _zeros = nn.initializers.normal(0.02), nn.initializers.zeros
_dense = functools.partial(Dense, kernel_init=_normal, bias_init=_zeros)
_leaky = functools.partial(nn.leaky_relu, negative_slope=0.01)


def _quarter(resolution: int) -> int:
    if resolution % 4:
        raise ConfigError(
            f"config.data.resolution is {resolution}: InfoGAN's networks need a multiple of 4, such as 28"
        )
    return resolution // 4


class Generator(nn.Module):
    """z with codes [n, d] float32 -> images [n, r, r, image_channels] float32 in [-1, 1].

    Attributes:
        resolution: side of the images.
        num_classes: not used.
        dim_z: size of z and codes together.
        channels: width at half that side; twice as many at a quarter.
        hidden: width of the first layer.
        bn_momentum, bn_unbiased: of batch normalisation; 1 and False for standing statistics.
        image_channels: channels of the images.
        dtype: of the convolutions.
    """

    resolution: int
    num_classes: int = 0
    dim_z: int = 74
    channels: int = 64
    hidden: int = 1024
    bn_momentum: float = 0.1
    bn_unbiased: bool = True
    image_channels: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool = True) -> jax.Array:
        def norm(name, x):
            return nn.relu(BatchNorm(momentum=self.bn_momentum, unbiased=self.bn_unbiased, name=name)(x, train=train))

        side, width = _quarter(self.resolution), 2 * self.channels
        x = norm("norm_1", _dense(self.hidden, dtype=self.dtype, name="dense_1")(z))
        x = norm("norm_2", _dense(side * side * width, dtype=self.dtype, name="dense_2")(x)).reshape(
            -1, side, side, width
        )
        x = norm("norm_3", ConvTranspose(self.channels, dtype=self.dtype, name="up")(x))
        x = ConvTranspose(self.image_channels, dtype=self.dtype, name="output")(x)
        return jnp.tanh(x.astype(jnp.float32) / 2)  # the published sigmoid, scaled from [0, 1] to [-1, 1]


class Discriminator(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] -> `Verdict` with the answer "codes".

    Attributes:
        codes: how many numbers Q says.
        hidden_q: width of Q's own layer.
        head: fields of `layers.heads.Head`.

    The others are those of `Generator`.
    """

    resolution: int
    num_classes: int = 0
    codes: int = 12
    channels: int = 64
    hidden: int = 1024
    hidden_q: int = 128
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = True) -> Verdict:
        _quarter(self.resolution)
        x = _leaky(StridedConv(self.channels, dtype=self.dtype, name="down_1")(images))
        x = StridedConv(2 * self.channels, dtype=self.dtype, name="down_2")(x)
        x = _leaky(BatchNorm(name="norm_2")(x, train=train)).reshape(len(x), -1)
        x = _leaky(BatchNorm(name="norm_3")(_dense(self.hidden, dtype=self.dtype, name="dense")(x), train=train))
        verdict = Head(**{"kernel_init": _normal, **dict(self.head)}, name="head")(x, labels)
        q = _leaky(BatchNorm(name="norm_q")(_dense(self.hidden_q, name="dense_q")(verdict.features), train=train))
        codes = _dense(self.codes, name="codes")(q)
        return verdict._replace(answers={**verdict.answers, "codes": codes})
