"""Fully connected networks: those of the first GAN (Goodfellow et al. 2014, arXiv 1406.2661).

Source: goodfeli/adversarial, mnist.yaml; of the conditional ones arXiv 1411.1784, section 4.1. The generator has ReLUs and a
sigmoid, which is tanh(x/2) on images in [-1, 1]; the discriminator has maxout layers with dropout.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.dropout import keeping
from gan_jax.layers.heads import Head, Verdict
from gan_jax.layers.linear import Dense, Embed


def uniform(bound: float) -> nn.initializers.Initializer:
    """U(-bound, bound)."""
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(key, shape, dtype, -bound, bound)


class Generator(nn.Module):
    """z [n, d] float32 and labels -> images [n, r, r, image_channels] float32 in [-1, 1].

    Attributes:
        resolution: side of the images.
        num_classes: number of classes, 0 for none.
        dim_z: size of z.
        widths: of the hidden layers.
        embedding: size of a table of classes that is joined to z, 0 for none.
        image_channels: channels of the images.
        dtype: of the products.
    """

    resolution: int
    num_classes: int = 0
    dim_z: int = 100
    widths: tuple[int, ...] = (1200, 1200)
    embedding: int = 0
    image_channels: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool = True) -> jax.Array:
        init = {"kernel_init": uniform(0.05), "bias_init": nn.initializers.zeros, "dtype": self.dtype}
        if self.embedding:
            z = jnp.concatenate([z, Embed(self.num_classes, self.embedding, name="embedding")(labels)], -1)
        for i, width in enumerate(self.widths):
            z = nn.relu(Dense(width, **init, name=f"hidden_{i}")(z))
        shape = (self.resolution, self.resolution, self.image_channels)
        pixels = Dense(shape[0] * shape[1] * shape[2], **init, name="output")(z)
        return jnp.tanh(pixels.astype(jnp.float32).reshape(-1, *shape) / 2)


class Discriminator(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] and labels -> `Verdict`, by maxout layers.

    Attributes:
        widths: of the hidden layers. pieces: linear maps of which each unit takes the largest; 1 for a ReLU.
        keep_input, keep_hidden: shares of the pixels and of the hidden units that dropout keeps; 1 for no dropout.
        embedding: size of a table of classes that is joined to the pixels, 0 for none.
        head: fields of `layers.heads.Head`.
    """

    resolution: int
    num_classes: int = 0
    widths: tuple[int, ...] = (240, 240)
    pieces: int = 5
    keep_input: float = 0.8
    keep_hidden: float = 0.5
    embedding: int = 0
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = True) -> Verdict:
        x = self._drop((images.reshape(len(images), -1) + 1) / 2, self.keep_input, train)
        if self.embedding:
            x = jnp.concatenate([x, Embed(self.num_classes, self.embedding, name="embedding")(labels)], -1)
        init = {"kernel_init": uniform(0.005), "bias_init": nn.initializers.zeros, "dtype": self.dtype}
        for i, width in enumerate(self.widths):
            x = Dense(width * self.pieces, **init, name=f"hidden_{i}")(x)
            x = nn.relu(x) if self.pieces == 1 else x.reshape(-1, width, self.pieces).max(-1)
            x = self._drop(x, self.keep_hidden, train)
        return Head(**{"kernel_init": uniform(0.005), **dict(self.head)}, name="head")(x, labels)

    def _drop(self, x, keep, train):
        return keeping(keep, still=not train or self.is_initializing())(x)
