"""The generator and discriminator of R3GAN: residual blocks of grouped convolutions, without any normalisation.

Source: arXiv 2501.05441, section 4; brownvc/R3GAN, R3GAN/Networks.py. Stages go from 4 pixels up, each with twice the
resolution of the one before; the discriminator mirrors the generator. Neither network keeps statistics. Labels are
class numbers int32 [n] or vectors float32 [n, num_classes], see `layers.linear.rows`.

Both networks take `widths`, `groups` and `blocks` with one entry per stage, from 4 pixels up.
"""

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers import fir
from gan_jax.layers.heads import Verdict, told
from gan_jax.layers.linear import Dense, Embed

BASE = 4  # pixels of the lowest stage
EXPANSION = 2  # channels inside a block over those between blocks
ACTIVATION_GAIN = (2 / (1 + 0.2**2)) ** 0.5

_activation = functools.partial(nn.leaky_relu, negative_slope=0.2)


def _normal(gain: float = 1.0) -> nn.initializers.Initializer:
    """N(0, gain / sqrt(fan_in)); all zeros for a gain of 0."""
    return nn.initializers.variance_scaling(gain**2, "fan_in", "normal") if gain else nn.initializers.zeros


# A 1x1 convolution is a matrix product over the channels.
_pointwise = functools.partial(Dense, use_bias=False, kernel_init=_normal())


def grouped_conv(x: jax.Array, kernel: jax.Array, groups: int) -> jax.Array:
    """Correlation within groups of channels, zeros beyond the edges: [n, h, w, c], [k, k, c/groups, d] -> [n, h, w, d].

    XLA on CPU takes 10 to 40 times longer for the gradients of a grouped convolution than for those of as many plain
    ones, so it gets these. They cost compile time, which grows with the number of groups.
    """
    conv = functools.partial(
        jax.lax.conv_general_dilated,
        window_strides=(1, 1),
        padding="SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )

    def one_by_one(x, kernel):
        parts = zip(jnp.split(x, groups, axis=-1), jnp.split(kernel, groups, axis=-1), strict=True)
        return jnp.concatenate([conv(*part) for part in parts], axis=-1)

    return jax.lax.platform_dependent(
        x, kernel, cpu=one_by_one, default=functools.partial(conv, feature_group_count=groups)
    )


class GroupedConv(nn.Module):
    """3x3 convolution within groups of channels, and a bias: [n, h, w, c] -> [n, h, w, c]."""

    groups: int
    kernel_init: nn.initializers.Initializer
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        kernel = self.param("kernel", self.kernel_init, (3, 3, channels // self.groups, channels))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        return grouped_conv(x.astype(self.dtype), kernel.astype(self.dtype), self.groups) + bias.astype(self.dtype)


class ResidualBlock(nn.Module):
    """x plus a bottleneck turned inside out, 1x1, grouped 3x3, 1x1: [n, h, w, c] -> [n, h, w, c].

    The last layer begins at zero, so the block begins as the identity.

    Attributes:
        groups: of the 3x3 convolution ("cardinality").
        depth: number of blocks in the network. Weights begin smaller by depth^(-1/4), since two layers of each block
            begin with weights (Fixup, arXiv 1901.09321).
        dtype: of the operands and the output.
    """

    groups: int
    depth: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        init = _normal(ACTIVATION_GAIN * self.depth**-0.25)
        h = Dense(
            EXPANSION * channels, kernel_init=init, bias_init=nn.initializers.zeros, dtype=self.dtype, name="conv1"
        )(x)
        h = GroupedConv(self.groups, init, self.dtype, name="conv2")(_activation(h))
        return x + _pointwise(channels, kernel_init=_normal(0), dtype=self.dtype, name="conv3")(_activation(h))


class Generator(nn.Module):
    """z [n, d] float32 and labels -> images [n, r, r, image_channels] float32, nominally in [-1, 1], not clipped.

    Attributes:
        resolution: side of the images, 4 * 2^(stages - 1).
        num_classes: number of classes; 0 makes an unconditional generator that ignores the labels.
        widths: channels of each stage.
        groups: groups of the 3x3 convolutions of each stage; the published networks have 16 channels in a group, or
            32 on ImageNet.
        blocks: residual blocks of each stage.
        embedding_dim: size of the class embedding, which is joined to z.
        image_channels: channels of the images.
        float32_stages: so many of the lowest stages compute in float32 whatever `dtype` says.
        dtype: of the other stages.
    """

    resolution: int
    num_classes: int
    widths: tuple[int, ...]
    groups: tuple[int, ...]
    blocks: tuple[int, ...]
    embedding_dim: int = 64
    image_channels: int = 3
    float32_stages: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array) -> jax.Array:
        _check(self)
        if self.num_classes:
            embedding = Embed(self.num_classes, self.embedding_dim, embedding_init=_table(1.0), name="embedding")
            z = jnp.concatenate([z, embedding(labels)], axis=-1)
        basis = self.param("basis", nn.initializers.normal(1.0), (BASE, BASE, self.widths[0]))
        x = basis * _pointwise(self.widths[0], name="coefficients")(z)[:, None, None, :]
        for stage, width in enumerate(self.widths):
            side, dtype = BASE << stage, _dtype(self, stage)
            x = x.astype(dtype)
            if width != x.shape[-1]:
                x = _pointwise(width, dtype=dtype, name=f"up_{side}")(x)
            if stage:
                x = fir.upsample(x)
            x = _blocks(self, stage, x)
        return _pointwise(self.image_channels, dtype=x.dtype, name="output")(x).astype(jnp.float32)


class Discriminator(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] and labels -> `Verdict`.

    With classes, a logit is the product of the image's features and the embedding of its label (projection).
    Attributes as in `Generator`; `embedding_dim` is the number of those features, and does nothing without classes; `head`:
    what is asked beside logits, see `layers.heads.told`.
    """

    resolution: int
    num_classes: int
    widths: tuple[int, ...]
    groups: tuple[int, ...]
    blocks: tuple[int, ...]
    embedding_dim: int = 768
    float32_stages: int = 1
    head: Mapping[str, Any] = ()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array) -> Verdict:
        _check(self)
        top = len(self.widths) - 1
        x = _pointwise(self.widths[top], dtype=_dtype(self, top), name="input")(images)
        for stage in reversed(range(top + 1)):
            side, dtype = BASE << stage, _dtype(self, stage)
            x = _blocks(self, stage, x.astype(dtype))
            if stage:
                x = fir.downsample(x)
                if self.widths[stage - 1] != x.shape[-1]:
                    x = _pointwise(self.widths[stage - 1], dtype=dtype, name=f"down_{side}")(x)
        # A depthwise 4x4 convolution without padding, of 4x4 pixels.
        basis = self.param("basis", nn.initializers.normal(1 / BASE), (BASE, BASE, self.widths[0]))
        features = jnp.sum(x.astype(jnp.float32) * basis, axis=(1, 2))

        def logits(features):
            if not self.num_classes:
                return _pointwise(1, name="features")(features)[:, 0]
            features = _pointwise(self.embedding_dim, name="features")(features)
            table = _table(self.embedding_dim**-0.5)
            embedding = Embed(self.num_classes, self.embedding_dim, embedding_init=table, name="embedding")(labels)
            return jnp.sum(features * embedding, axis=-1)

        return told(features, logits, **dict(self.head))


def _blocks(network, stage, x):
    """The residual blocks of a stage."""
    for i in range(network.blocks[stage]):
        name = f"block_{BASE << stage}_{i}"
        x = ResidualBlock(network.groups[stage], sum(network.blocks), x.dtype, name=name)(x)
    return x


def _dtype(network, stage):
    return network.dtype if stage >= network.float32_stages else jnp.float32


def _table(gain: float) -> nn.initializers.Initializer:
    """A class table [classes, features] as the weight of a linear layer of one-hot vectors begins."""

    def init(key, shape, dtype=jnp.float32):
        return gain * shape[0] ** -0.5 * jax.random.normal(key, shape, dtype)

    return init


def _check(network) -> None:
    """Raises ConfigError where stages, resolution, widths and groups do not fit."""
    lengths = {name: len(getattr(network, name)) for name in ("widths", "groups", "blocks")}
    if len(set(lengths.values())) > 1 or BASE << lengths["widths"] != 2 * network.resolution:
        raise ConfigError(
            f"config.data.resolution is {network.resolution} and config.model has {lengths} entries: R3GAN needs one "
            f"entry of each per stage, and images of {BASE} pixels doubled in every stage but the first"
        )
    for width, groups in zip(network.widths, network.groups, strict=True):
        if width < 1 or groups < 1 or EXPANSION * width % groups:
            raise ConfigError(
                f"config.model has widths {network.widths} and groups {network.groups}: expected positive ones, and "
                f"{EXPANSION} x width a multiple of groups"
            )
