"""BigGAN's generator and discriminator (arXiv 1809.11096, appendix B), in BigGAN-PyTorch's form (BigGAN.py).

By their options these are also the networks of SAGAN (unshared tables, `weight_init="xavier"`) and of BigGAN-PyTorch's
SNGAN (the same with `wide=False`, no attention), and, with `equal_width_shortcut=False`, compare_gan's
discriminators of 256 and 512 pixels. Labels are class numbers int32 [n] or vectors float32 [n, num_classes], see
`layers.linear.rows`. Batch normalisation statistics live in `batch_stats`, the vectors of spectral normalisation in
`spectral`.

Convolutions of size 1 commute with nearest upsampling and with average pooling. The shortcuts use that: they
convolve on the small side, which is the published function at a quarter of the cost.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.attention import SelfAttention
from gan_jax.layers.heads import Head, Verdict, pooled
from gan_jax.layers.initializers import initializer
from gan_jax.layers.linear import Conv, Dense, Embed
from gan_jax.layers.norm import BatchNorm, CategoricalBatchNorm, ConditionalBatchNorm
from gan_jax.layers.normalizers import CONDITIONED, kind_of, normalizer
from gan_jax.layers.remat import rematted
from gan_jax.layers.resample import average_pool2, upsample2

# Widths in multiples of `channels`: of the 4x4 input, then of the output of every block. Each block doubles.
_GENERATOR_WIDTHS = {
    16: (4, 4, 4),
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
# Widths of the outputs of the blocks, and how many of the blocks, from the first, halve the resolution.
_DISCRIMINATOR_WIDTHS = {
    16: ((4, 4, 4), 2),
    32: ((4, 4, 4, 4), 2),
    64: ((1, 2, 4, 8, 16), 4),
    128: ((1, 2, 4, 8, 16, 16), 5),
    256: ((1, 2, 4, 8, 8, 16, 16), 6),
    512: ((1, 1, 2, 4, 8, 8, 16, 16), 7),
}


def generator_widths(resolution: int) -> tuple[int, ...]:
    """Widths of the 4x4 input and of every doubling, in multiples of `channels`; ConfigError if there are none."""
    return _lookup(_GENERATOR_WIDTHS, resolution)


def discriminator_widths(resolution: int) -> tuple[tuple[int, ...], int]:
    """Widths of the blocks in multiples of `channels`, and the number of halvings; ConfigError if there are none."""
    return _lookup(_DISCRIMINATOR_WIDTHS, resolution)


def _lookup(table, resolution):
    if resolution not in table:
        raise ConfigError(f"BigGAN's resolution is {resolution}: expected one of {', '.join(map(str, table))}")
    return table[resolution]


def check_attention(attention: tuple[int, ...], resolutions: list[int]) -> None:
    """Raises ConfigError if attention is asked for at a resolution that no block puts out."""
    if not set(attention) <= set(resolutions):
        raise ConfigError(f"attention is {attention}: expected resolutions among {sorted(set(resolutions))}")


class GeneratorBlock(nn.Module):
    """Residual block that doubles the resolution: [n, h, w, c] -> [n, 2h, 2w, features]."""

    features: int
    conv: Callable[..., nn.Module]
    norm: Callable[..., nn.Module]

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None, *, train: bool) -> jax.Array:
        h = nn.relu(self.norm(name="norm1")(x, condition, train=train))
        h = self.conv(self.features, 3, name="conv1")(upsample2(h))
        h = nn.relu(self.norm(name="norm2")(h, condition, train=train))
        h = self.conv(self.features, 3, name="conv2")(h)
        return h + upsample2(self.conv(self.features, 1, name="shortcut")(x))


class ImageOutput(nn.Module):
    """Normalisation, ReLU, 3x3 convolution, tanh: [n, h, w, c] -> float32 images in [-1, 1].

    Attributes:
        image_channels: channels of the images.
        conv_channels: outputs of the convolution, of which the first `image_channels` are kept.
    """

    image_channels: int
    conv_channels: int
    conv: Callable[..., nn.Module]
    norm: Callable[..., nn.Module]

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None = None, *, train: bool) -> jax.Array:
        x = nn.relu(self.norm(name="norm")(x, condition, train=train))
        x = self.conv(self.conv_channels, 3, name="conv")(x)[..., : self.image_channels]
        return jnp.tanh(x.astype(jnp.float32))


class Generator(nn.Module):
    """BigGAN's generator.

    Attributes:
        resolution: side of the images: 16, 32, 64, 128, 256 or 512. The widths of 16 are ours: those of 32 with
            one block fewer.
        num_classes: number of classes; 0 makes an unconditional generator that ignores the labels.
        channels: unit of all widths ("ch").
        dim_z: requested size of z; see `latent_dim`.
        shared_dim: size of the shared class embedding, 0 for `dim_z`.
        hierarchical: split z into equal chunks, one for the first layer and one for every block.
        shared_embedding: one class embedding that the conditional normalisations map linearly; without it every
            normalisation has a table of its own, and z cannot be hierarchical.
        norm: a normalisation in the place of all others, see `layers.normalizers`: "categorical" is given the labels, another
            that wants a condition z and, where there are classes, their shared embedding; "" for batch normalisation
            conditioned as above.
        attention: resolutions whose block is followed by self-attention.
        bn_eps: epsilon of the conditional batch normalisations.
        output_bn_eps: epsilon of the last batch normalisation, 1e-5 in BigGAN-PyTorch whatever `bn_eps` is.
        bn_momentum, bn_unbiased: see `BatchNorm`; 1 and False for standing statistics.
        sn_eps: epsilon of spectral normalisation, None for none.
        weight_init: initialiser of kernels and tables, see `initializer`.
        image_channels: channels of the images.
        remat: activations that the backward pass computes anew, see `layers.remat`.
        dtype: of the convolutions, the first layer and the attention.
    """

    resolution: int
    num_classes: int
    channels: int = 96
    dim_z: int = 120
    shared_dim: int = 128
    hierarchical: bool = True
    shared_embedding: bool = True
    norm: str = ""
    attention: tuple[int, ...] = ()
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
        """The size that z must have: `dim_z`, or if hierarchical the largest multiple of the chunks within it."""
        chunks = len(generator_widths(self.resolution))
        if self.hierarchical and self.dim_z < chunks:
            raise ConfigError(
                f"config.model.G.dim_z is {self.dim_z}: expected {chunks} or more, a number for each chunk of a hierarchical z"
            )
        return self.dim_z // chunks * chunks if self.hierarchical else self.dim_z

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool = True) -> jax.Array:
        """Maps z [n, latent_dim] float32 and labels to images [n, r, r, image_channels] in [-1, 1]."""
        widths = generator_widths(self.resolution)
        check_attention(self.attention, [8 << i for i in range(len(widths) - 1)])
        kernel_init = initializer(self.weight_init)
        conv = functools.partial(Conv, sn_eps=self.sn_eps, kernel_init=kernel_init, dtype=self.dtype)
        batch_norm = {"momentum": self.bn_momentum, "unbiased": self.bn_unbiased}

        first, conditions = self._conditions(z, labels, len(widths) - 1)
        if self.norm:
            norm = output_norm = normalizer(self.norm, self.num_classes, eps=self.bn_eps, **batch_norm)
        else:
            norm = functools.partial(self._conditional_norm(), eps=self.bn_eps, **batch_norm)
            output_norm = functools.partial(BatchNorm, eps=self.output_bn_eps, **batch_norm)
        stem = Dense(
            16 * widths[0] * self.channels, self.sn_eps, kernel_init=kernel_init, dtype=self.dtype, name="stem"
        )
        x = stem(first).reshape(-1, 4, 4, widths[0] * self.channels)
        for i, width in enumerate(widths[1:]):
            block = GeneratorBlock(width * self.channels, conv, norm, name=f"block_{i}")
            x = rematted(block, self.remat, 2 * x.shape[1])(x, conditions[i], train=train)
            if x.shape[1] in self.attention:
                x = rematted(SelfAttention(conv, name=f"attention_{i}"), self.remat, x.shape[1])(x)
        output = ImageOutput(self.image_channels, self.image_channels, conv, output_norm, name="output")
        return rematted(output, self.remat, x.shape[1])(x, conditions[-1] if self.norm else None, train=train)

    def _conditions(self, z, labels, blocks):
        """The input of the first layer, and what conditions each block: a vector, labels, or None."""
        if self.num_classes and self.hierarchical and not self.shared_embedding:
            raise ConfigError("BigGAN's generator: hierarchical=True needs shared_embedding=True; change one of them")
        if self.hierarchical and kind_of(self.norm) not in ("", "conditional", "self_modulated"):
            raise ConfigError(
                f"BigGAN's generator: hierarchical=True hands z to the normalisations, which {self.norm!r} does "
                "not take; change one of them"
            )
        first, *chunks = jnp.split(z, blocks + 1, axis=-1) if self.hierarchical else [z]
        if self.norm == "categorical" or (not self.norm and self.num_classes and not self.shared_embedding):
            return first, [labels] * blocks
        if self.norm and not self.hierarchical:
            chunks = [z] * blocks
        if self.num_classes == 0 or kind_of(self.norm) not in ("", *CONDITIONED):
            return first, chunks or [None] * blocks
        embedding = Embed(
            self.num_classes, self.shared_dim or self.dim_z, embedding_init=initializer(self.weight_init), name="shared"
        )(labels)
        if not chunks:
            return first, [embedding] * blocks
        return first, [jnp.concatenate([embedding, chunk], axis=-1) for chunk in chunks]

    def _conditional_norm(self):
        """The layer that takes what `_conditions` returns."""
        init = initializer(self.weight_init)
        if self.hierarchical or (self.num_classes and self.shared_embedding):
            return functools.partial(ConditionalBatchNorm, sn_eps=self.sn_eps, kernel_init=init)
        if self.num_classes:
            return functools.partial(CategoricalBatchNorm, num_classes=self.num_classes, embedding_init=init)
        return BatchNorm


def projection_head(num_classes: int) -> dict[str, Any]:
    """The fields of a head with a projection of the labels, if there are any."""
    return {"num_classes": num_classes, "projection": num_classes > 0}


class DiscriminatorBlock(nn.Module):
    """Residual block [n, h, w, c] -> [n, h, w, features], half as high and wide if `downsample`.

    Attributes:
        features, hidden: output channels of the second and of the first convolution.
        preactivation: ReLU in front of the first convolution; images have none.
        equal_width_shortcut: see `Discriminator`.
        norm: in front of every ReLU and of the shortcut's convolution.
    """

    features: int
    hidden: int
    downsample: bool
    preactivation: bool
    equal_width_shortcut: bool
    conv: Callable[..., nn.Module]
    norm: Callable[..., nn.Module]

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        h = nn.relu(self.norm(name="norm1")(x, train=train)) if self.preactivation else x
        h = self.conv(self.hidden, 3, name="conv1")(h)
        h = nn.relu(self.norm(name="norm2")(h, train=train))
        h = self.conv(self.features, 3, name="conv2")(h)
        equal_width = x.shape[-1] == self.features
        convolved = (self.equal_width_shortcut and self.downsample) or not equal_width
        if convolved and self.preactivation:
            x = self.norm(name="norm_shortcut")(x, train=train)
        if self.downsample:
            h, x = average_pool2(h), average_pool2(x)
        if equal_width and not self.equal_width_shortcut:
            return h
        if convolved and not self.preactivation:  # images are pooled first, as published
            x = self.norm(name="norm_shortcut")(x, train=train)
        return h + (self.conv(self.features, 1, name="shortcut")(x) if convolved else x)


class Discriminator(nn.Module):
    """BigGAN's discriminator.

    Attributes:
        wide: the first convolution of a block is as wide as its output, otherwise as its input (SNGAN).
        wide_input: it is in the block at the images in any case (sngan_projection; in BigGAN-PyTorch's form of it that is as
            wide as its input too, which has three channels).
        equal_width_shortcut: with it, a block whose width does not change has the identity as its shortcut, or a
            1x1 convolution if it downsamples (BigGAN-PyTorch); without it no shortcut (compare_gan).
        norm: see `layers.normalizers`; one that wants no condition. PyTorch-StudioGAN has "batch" where there is no
            spectral normalisation.
        embedding: size of an embedding of the label that is joined to every pixel half way, behind the third of six blocks, 0
            for none (pfnet-research/sngan_projection, snresnet.py: 128).
        pool: how the last map becomes features, see `layers.heads.pooled`.
        output_bias: of the logit and of what else the head says.
        head: fields of `layers.heads.Head`; None for the projection of the labels, if there are any.

    The others are those of `Generator`, with `attention` listing resolutions after a block. BigGAN-PyTorch's
    "D_attn 16" at 32 pixels puts attention after every block: write (16, 8) for it.
    """

    resolution: int
    num_classes: int
    channels: int = 96
    wide: bool = True
    wide_input: bool = False
    attention: tuple[int, ...] = ()
    equal_width_shortcut: bool = True
    norm: str = "none"
    embedding: int = 0
    pool: str = "sum"
    output_bias: bool = True
    head: Mapping[str, Any] | None = None
    sn_eps: float | None = 1e-6
    weight_init: str = "ortho"
    remat: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = True) -> Verdict:
        """Judges images [n, r, r, c] in [-1, 1], given labels.

        `train` is for the normalisations; whether `spectral` advances is up to `mutable`.
        """
        widths, halvings = discriminator_widths(self.resolution)
        check_attention(self.attention, [self.resolution >> min(i + 1, halvings) for i in range(len(widths))])
        kernel_init = initializer(self.weight_init)
        conv = functools.partial(Conv, sn_eps=self.sn_eps, kernel_init=kernel_init, dtype=self.dtype)
        norm = normalizer(self.norm)
        x = images
        for i, width in enumerate(widths):
            features = width * self.channels
            block = DiscriminatorBlock(
                features=features,
                hidden=features if self.wide or (self.wide_input and i == 0) else x.shape[-1],
                downsample=i < halvings,
                preactivation=i > 0,
                equal_width_shortcut=self.equal_width_shortcut,
                conv=conv,
                norm=norm,
                name=f"block_{i}",
            )
            x = rematted(block, self.remat, x.shape[1])(x, train=train)
            if x.shape[1] in self.attention:
                x = rematted(SelfAttention(conv, name=f"attention_{i}"), self.remat, x.shape[1])(x)
            if self.embedding and i == len(widths) // 2 - 1:
                embed = Embed(
                    self.num_classes, self.embedding, self.sn_eps, embedding_init=kernel_init, name="embedding"
                )
                spread = jnp.broadcast_to(embed(labels)[:, None, None], (*x.shape[:3], self.embedding))
                x = jnp.concatenate([x, spread.astype(x.dtype)], -1)
        head = projection_head(self.num_classes) if self.head is None else self.head
        layers = {"sn_eps": self.sn_eps, "kernel_init": kernel_init, "bias_init": None, "use_bias": self.output_bias}
        output = Head(**{**layers, **dict(head)}, name="output")
        return output(pooled(x, self.pool), labels)
