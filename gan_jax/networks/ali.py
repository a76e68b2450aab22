"""The discriminator of pairs of an image and a latent: ALI and BiGAN (arXiv 1606.00704, 1605.09782)."""

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.dropout import keeping
from gan_jax.layers.heads import Verdict, told
from gan_jax.layers.linear import Dense
from gan_jax.networks.encoder import Encoder


class Discriminator(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] and latents [n, d] float32 -> `Verdict`.

    Both are turned into vectors, which are joined and judged by two layers with dropout.

    Attributes:
        resolution: side of the images.
        channels: width of the convolutions at half that side.
        width: of the layers behind them.
        norm: of the convolutions, see `layers.normalizers`.
        keep: share of the units that dropout keeps.
        head: what is asked beside logits, see `layers.heads.told`.
        dtype: of the convolutions.
    """

    resolution: int
    channels: int = 64
    width: int = 512
    norm: str = "batch"
    keep: float = 0.8
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, z: jax.Array, train: bool = True) -> Verdict:
        # Weights of 0.02, as in DCGAN, would make latents so faint that pairs are judged by their images alone.
        dense = functools.partial(Dense, kernel_init=nn.initializers.he_normal(), bias_init=nn.initializers.zeros)
        still = not train or self.is_initializing()
        of_image = Encoder(self.resolution, self.width, self.channels, self.norm, self.dtype, name="image")(
            images, train
        )
        of_z = dense(self.width, name="z_2")(nn.leaky_relu(dense(self.width, name="z_1")(z), 0.2))
        x = jnp.concatenate([of_image, of_z], axis=-1)
        for i in (1, 2):
            x = keeping(self.keep, still=still)(nn.leaky_relu(x, 0.2))
            x = dense(self.width, name=f"joint_{i}")(x)
        return told(nn.leaky_relu(x, 0.2), lambda x: dense(1, name="output")(x)[:, 0], **dict(self.head))
