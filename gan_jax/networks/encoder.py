"""A convolutional encoder: DCGAN's discriminator with a vector in the place of the logit."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.linear import Dense
from gan_jax.layers.normalizers import normalizer
from gan_jax.layers.strided import StridedConv
from gan_jax.networks.dcgan import widths


class Encoder(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] -> float32 [n, outputs].

    Attributes:
        resolution: side of the images, see `dcgan.widths`.
        outputs: size of the vector.
        channels: width at half that side.
        norm: of all layers but the first and the last, see `layers.normalizers`.
        dtype: of the convolutions.
    """

    resolution: int
    outputs: int
    channels: int = 64
    norm: str = "batch"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = True) -> jax.Array:
        down, norm = functools.partial(StridedConv, dtype=self.dtype), normalizer(self.norm)
        first, *deeper = widths(self.resolution, self.channels)
        x = nn.leaky_relu(down(first, name="down_0")(images), 0.2)
        for i, features in enumerate(deeper, start=1):
            x = nn.leaky_relu(norm(name=f"norm_{i}")(down(features, name=f"down_{i}")(x), train=train), 0.2)
        normal, zeros = nn.initializers.normal(0.02), nn.initializers.zeros
        flat = x.astype(jnp.float32).reshape(len(x), -1)
        return Dense(self.outputs, kernel_init=normal, bias_init=zeros, name="output")(flat)
