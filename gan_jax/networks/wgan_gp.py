"""The small convolutional generator and critic of WGAN-GP's MNIST experiment, for 28 x 28 images.

Source: arXiv 1704.00028; igul222/improved_wgan_training, gan_mnist.py. No normalisation anywhere.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp


class Generator(nn.Module):
    """z [n, d] float32 -> images [n, 28, 28, image_channels] float32 in [-1, 1].

    Attributes:
        channels: unit of all widths (64 as published).
        image_channels: channels of the images.
        dtype: of the convolutions.
    """

    channels: int = 64
    image_channels: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        x = nn.relu(nn.Dense(16 * 4 * self.channels, dtype=self.dtype)(z)).reshape(-1, 4, 4, 4 * self.channels)
        x = nn.relu(self._double(2 * self.channels)(x))[:, :7, :7]
        x = nn.relu(self._double(self.channels)(x))
        x = self._double(self.image_channels)(x).astype(jnp.float32)
        return jnp.tanh(x / 2)  # the published sigmoid, scaled from [0, 1] to [-1, 1]

    def _double(self, features: int) -> nn.ConvTranspose:
        return nn.ConvTranspose(features, (5, 5), strides=(2, 2), dtype=self.dtype)


class Critic(nn.Module):
    """Images [n, 28, 28, c] float32 in [-1, 1] -> float32 scores [n]. Attributes as in `Generator`."""

    channels: int = 64
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        x = images.astype(self.dtype)
        for factor in (1, 2, 4):
            x = nn.Conv(factor * self.channels, (5, 5), strides=(2, 2), dtype=self.dtype)(x)
            x = nn.leaky_relu(x, 0.2)
        return nn.Dense(1)(x.astype(jnp.float32).reshape(len(x), -1))[:, 0]
