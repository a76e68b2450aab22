"""EBGAN's discriminator (Zhao, Mathieu and LeCun 2017, arXiv 1609.03126): an autoencoder, whose error is an image's energy.

Strided convolutions down to 4 .. 7 pixels and back, as DCGAN's; the generator is DCGAN's.
"""

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.heads import Verdict
from gan_jax.layers.normalizers import normalizer
from gan_jax.layers.strided import ConvTranspose, StridedConv
from gan_jax.networks.dcgan import Generator, widths

__all__ = ["Discriminator", "Generator"]


class Discriminator(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] -> `Verdict`: the energy as logits, low for real images, the code as features.

    Attributes:
        resolution: side of the images, see `dcgan.widths`.
        num_classes: not used. head: must ask nothing.
        channels: width at half that side.
        norm: of all layers but the first and the last, see `layers.normalizers`.
        dtype: of the convolutions.
    """

    resolution: int
    num_classes: int = 0
    channels: int = 64
    norm: str = "batch"
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    energies = True  # low for real images, where logits are high

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = True) -> Verdict:
        if any(dict(self.head).values()):
            raise ConfigError(
                "EBGAN's discriminator says nothing but energies, and is asked for more: set config.phases.conditioning.name "
                'to "none", and rotation and minibatch_discrimination to 0'
            )
        down, up = (functools.partial(layer, dtype=self.dtype) for layer in (StridedConv, ConvTranspose))
        norm = normalizer(self.norm)
        first, *deeper = widths(self.resolution, self.channels)
        x = nn.leaky_relu(down(first, name="down_0")(images), 0.2)
        for i, features in enumerate(deeper, start=1):
            x = nn.leaky_relu(norm(name=f"norm_{i}")(down(features, name=f"down_{i}")(x), train=train), 0.2)
        code = x.astype(jnp.float32).reshape(len(x), -1)
        for i, features in enumerate((first, *deeper)[-2::-1]):
            x = nn.leaky_relu(norm(name=f"norm_up_{i}")(up(features, name=f"up_{i}")(x), train=train), 0.2)
        rebuilt = up(images.shape[-1], name="output")(x).astype(jnp.float32)
        return Verdict(jnp.square(images - rebuilt).mean((1, 2, 3)), code, {})
