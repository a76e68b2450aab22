"""BigGAN-deep (arXiv 1809.11096, appendix B), as BigGAN-PyTorch's BigGANdeep.py and as the published TF-Hub modules.

The two generators differ in the last convolution (`wide_rgb`) and in orders only: TF-Hub concatenates [z, class]
where this file has [class, z], and needs its linear layers' input columns swapped on import. TF-Hub's `eps` of 1e-4
is `bn_eps`, `output_bn_eps` and `sn_eps`. Labels are as in `networks.biggan`.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.attention import SelfAttention
from gan_jax.layers.heads import Head, Verdict, pooled
from gan_jax.layers.initializers import initializer
from gan_jax.layers.linear import Conv, Dense, Embed
from gan_jax.layers.norm import BatchNorm, ConditionalBatchNorm
from gan_jax.layers.remat import rematted
from gan_jax.layers.resample import average_pool2, upsample2
from gan_jax.networks.biggan import (
    ImageOutput,
    check_attention,
    discriminator_widths,
    generator_widths,
    projection_head,
)


class GeneratorBlock(nn.Module):
    """Bottleneck block [n, h, w, c] -> [n, h, w, features], twice as high and wide if `upsample`.

    The shortcut keeps the first `features` channels.
    """

    features: int
    upsample: bool
    conv: Callable[..., nn.Module]
    norm: Callable[..., nn.Module]

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array, *, train: bool) -> jax.Array:
        hidden = x.shape[-1] // 4

        def activate(h, name):
            return nn.relu(self.norm(name=name)(h, condition, train=train))

        h = self.conv(hidden, 1, name="conv1")(activate(x, "norm1"))
        h = activate(h, "norm2")
        x = x[..., : self.features]
        if self.upsample:
            h, x = upsample2(h), upsample2(x)
        h = self.conv(hidden, 3, name="conv2")(h)
        h = self.conv(hidden, 3, name="conv3")(activate(h, "norm3"))
        return x + self.conv(self.features, 1, name="conv4")(activate(h, "norm4"))


class Generator(nn.Module):
    """BigGAN-deep's generator: two blocks per doubling, all of z and the class embedding in every normalisation.

    Attributes:
        wide_rgb: the last convolution puts out `channels` maps of which the first `image_channels` are the image
            (TF-Hub); spectral normalisation makes that another function than a narrow convolution.

    The others are those of `biggan.Generator`; `num_classes=0` conditions on z alone.
    """

    resolution: int
    num_classes: int
    channels: int = 128
    dim_z: int = 128
    shared_dim: int = 128
    attention: tuple[int, ...] = ()
    wide_rgb: bool = False
    bn_eps: float = 1e-5
    output_bn_eps: float = 1e-5
    bn_momentum: float = 0.1
    bn_unbiased: bool = True
    sn_eps: float | None = 1e-6
    weight_init: str = "ortho"
    image_channels: int = 3
    remat: str | None = None
    dtype: jnp.dtype = jnp.float32

    @property
    def latent_dim(self) -> int:
        """The size that z must have."""
        return self.dim_z

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool = True) -> jax.Array:
        """Maps z [n, dim_z] float32 and labels to float32 images [n, r, r, image_channels] in [-1, 1]."""
        widths = generator_widths(self.resolution)
        check_attention(self.attention, [8 << i for i in range(len(widths) - 1)])
        kernel_init = initializer(self.weight_init)
        conv = functools.partial(Conv, sn_eps=self.sn_eps, kernel_init=kernel_init, dtype=self.dtype)
        batch_norm = {"momentum": self.bn_momentum, "unbiased": self.bn_unbiased}
        norm = functools.partial(
            ConditionalBatchNorm, eps=self.bn_eps, sn_eps=self.sn_eps, kernel_init=kernel_init, **batch_norm
        )
        output_norm = functools.partial(BatchNorm, eps=self.output_bn_eps, **batch_norm)

        condition = z
        if self.num_classes:
            embed = Embed(self.num_classes, self.shared_dim or self.dim_z, embedding_init=kernel_init, name="shared")
            condition = jnp.concatenate([embed(labels), z], axis=-1)
        stem = Dense(
            16 * widths[0] * self.channels, self.sn_eps, kernel_init=kernel_init, dtype=self.dtype, name="stem"
        )
        x = stem(condition).reshape(-1, 4, 4, widths[0] * self.channels)
        for i, width in enumerate(widths[1:]):
            same = GeneratorBlock(x.shape[-1], False, conv, norm, name=f"block_{2 * i}")
            x = rematted(same, self.remat, x.shape[1])(x, condition, train=train)
            double = GeneratorBlock(width * self.channels, True, conv, norm, name=f"block_{2 * i + 1}")
            x = rematted(double, self.remat, 2 * x.shape[1])(x, condition, train=train)
            if x.shape[1] in self.attention:
                x = rematted(SelfAttention(conv, name=f"attention_{i}"), self.remat, x.shape[1])(x)
        conv_channels = self.channels if self.wide_rgb else self.image_channels
        output = ImageOutput(self.image_channels, conv_channels, conv, output_norm, name="output")
        return rematted(output, self.remat, x.shape[1])(x, train=train)


class DiscriminatorBlock(nn.Module):
    """Bottleneck block [n, h, w, c] -> [n, h, w, features], half as high and wide if `downsample`.

    The shortcut appends a 1x1 convolution of itself where channels are missing.
    """

    features: int
    downsample: bool
    conv: Callable[..., nn.Module]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        hidden = self.features // 4
        h = self.conv(hidden, 1, name="conv1")(nn.relu(x))
        h = self.conv(hidden, 3, name="conv2")(nn.relu(h))
        h = nn.relu(self.conv(hidden, 3, name="conv3")(nn.relu(h)))
        if self.downsample:
            h, x = average_pool2(h), average_pool2(x)
        if missing := self.features - x.shape[-1]:
            x = jnp.concatenate([x, self.conv(missing, 1, name="shortcut")(x)], axis=-1)
        return x + self.conv(self.features, 1, name="conv4")(h)


class Discriminator(nn.Module):
    """BigGAN-deep's projection discriminator: two blocks per halving, from full resolution to 4x4 (32 pixels: 8x8).

    Attributes as of `biggan.Discriminator`. Nothing is published for 16 and 512 pixels: there the widths are those
    of BigGAN's discriminator, as they are at every other resolution.
    """

    resolution: int
    num_classes: int
    channels: int = 128
    attention: tuple[int, ...] = ()
    head: Mapping[str, Any] | None = None
    sn_eps: float | None = 1e-6
    weight_init: str = "ortho"
    remat: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = True) -> Verdict:
        """Judges images [n, r, r, c] in [-1, 1], given labels.

        `train` changes nothing, as in `biggan.Discriminator`.
        """
        del train
        widths, halvings = discriminator_widths(self.resolution)
        check_attention(self.attention, [self.resolution >> min(i + 1, halvings) for i in range(len(widths) - 1)])
        kernel_init = initializer(self.weight_init)
        conv = functools.partial(Conv, sn_eps=self.sn_eps, kernel_init=kernel_init, dtype=self.dtype)
        x = conv(widths[0] * self.channels, 3, name="stem")(images)
        for i, width in enumerate(widths[1:]):
            halve = DiscriminatorBlock(width * self.channels, i < halvings, conv, name=f"block_{2 * i}")
            x = rematted(halve, self.remat, x.shape[1])(x)
            same = DiscriminatorBlock(width * self.channels, False, conv, name=f"block_{2 * i + 1}")
            x = rematted(same, self.remat, x.shape[1])(x)
            if x.shape[1] in self.attention:
                x = rematted(SelfAttention(conv, name=f"attention_{i}"), self.remat, x.shape[1])(x)
        head = projection_head(self.num_classes) if self.head is None else self.head
        layers = {"sn_eps": self.sn_eps, "kernel_init": kernel_init, "bias_init": None}
        return Head(**{**layers, **dict(head)}, name="output")(pooled(x, "sum"), labels)
