"""The encoder of BigBiGAN and its discriminator of images, latents and pairs (Donahue and Simonyan 2019, arXiv 1907.02544).

The paper's encoders are residual networks of the second kind (He et al. 2016, arXiv 1603.05027) with 50 layers, and
reversible ones four times as wide; these are the former, of any depth and width. Generator and image discriminator
are those of `networks.biggan`, without classes.
"""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.linear import Dense
from gan_jax.layers.norm import BatchNorm
from gan_jax.networks import biggan

_he = nn.initializers.variance_scaling(2.0, "fan_in", "truncated_normal")


class Code(NamedTuple):
    """What an encoder says of n images, all float32: normal distributions of latents, and what they are made of.

    Attributes:
        mean, deviation: [n, d], the second positive.
        features: [n, c], means over the pixels of the last map, for linear probes.
    """

    mean: jax.Array
    deviation: jax.Array
    features: jax.Array


class Scores(NamedTuple):
    """What a discriminator says of n images and latents.

    Attributes:
        logits: [n] float32 each, of images, of latents and of both together, high for real images.
        features, answers: of images, see `Verdict`.
    """

    logits: tuple[jax.Array, jax.Array, jax.Array]
    features: jax.Array
    answers: Mapping[str, jax.Array]


class _Bottleneck(nn.Module):
    """Residual block [n, h, w, c] -> [n, h / stride, w / stride, 4 features]: 1x1, 3x3 and 1x1 behind their normalisations."""

    features: int
    stride: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        conv = functools.partial(nn.Conv, use_bias=False, kernel_init=_he, dtype=self.dtype)
        first = nn.relu(BatchNorm(name="norm1")(x, train=train))
        h = nn.relu(BatchNorm(name="norm2")(conv(self.features, (1, 1), name="conv1")(first), train=train))
        h = conv(self.features, (3, 3), self.stride, name="conv2")(h)
        h = conv(4 * self.features, (1, 1), name="conv3")(nn.relu(BatchNorm(name="norm3")(h, train=train)))
        if self.stride > 1 or x.shape[-1] != 4 * self.features:
            x = conv(4 * self.features, (1, 1), self.stride, name="shortcut")(first)
        return x + h


class Encoder(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] -> `Code`.

    Attributes:
        dim_z: size of the latents.
        blocks: of every stage; each but the first halves the resolution. (3, 4, 6, 3) are 50 layers.
        channels: width of the first stage's bottlenecks; a stage's are twice as wide as those before.
        stem: kernel size of the first convolution; with 7 it halves the resolution, and a pooling does so again.
        width: of the layers behind the pooled features, four in two residual blocks (appendix of the paper).
        dtype: of the convolutions.
    """

    dim_z: int
    blocks: tuple[int, ...] = (3, 4, 6, 3)
    channels: int = 64
    stem: int = 7
    width: int = 2048
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = True) -> Code:
        halves = self.stem >= 7
        stem = nn.Conv(
            self.channels,
            (self.stem, self.stem),
            2 if halves else 1,
            use_bias=False,
            kernel_init=_he,
            dtype=self.dtype,
            name="stem",
        )
        x = stem(images)
        if halves:
            x = nn.max_pool(x, (3, 3), (2, 2), "SAME")
        for i, count in enumerate(self.blocks):
            for j in range(count):
                stride = 2 if i and not j else 1
                x = _Bottleneck(self.channels << i, stride, self.dtype, name=f"block_{i}_{j}")(x, train)
        features = nn.relu(BatchNorm(name="norm")(x, train=train)).astype(jnp.float32).mean((1, 2))
        h = features
        for i in range(2):
            h = _ResidualDense(self.width, norm=BatchNorm, name=f"head_{i}")(h, train)
        mean, deviation = jnp.split(
            Dense(2 * self.dim_z, kernel_init=nn.initializers.normal(0.02), name="output")(h), 2, -1
        )
        return Code(mean, nn.softplus(deviation), features)


class Discriminator(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] and latents [n, d] float32 -> `Scores`.

    Attributes:
        image: judges images and has features of them (F).
        width, blocks: of the two networks of latents and of pairs (H, J): residual blocks of two layers.
        sn_eps: epsilon of their spectral normalisation.
    """

    image: biggan.Discriminator
    width: int = 2048
    blocks: int = 4
    sn_eps: float | None = 1e-6

    @nn.compact
    def __call__(self, images: jax.Array, z: jax.Array, train: bool = True) -> Scores:
        verdict = self.image(images, jnp.zeros(len(images), jnp.int32), train)
        of_z = self._layers(z, "latent", train)
        of_both = self._layers(jnp.concatenate([verdict.features, of_z], -1), "joint", train)
        score = functools.partial(Dense, 1, self.sn_eps)
        of_latent, of_pair = score(name="latent_score")(of_z)[:, 0], score(name="joint_score")(of_both)[:, 0]
        return Scores((verdict.logits, of_latent, of_pair), verdict.features, verdict.answers)

    def _layers(self, h, name, train):
        for i in range(self.blocks):
            h = _ResidualDense(self.width, self.sn_eps, name=f"{name}_{i}")(h, train)
        return h


class _ResidualDense(nn.Module):
    """h [n, c] -> [n, width]: the sum of h, through a matrix where its width differs, and of two layers.

    Attributes:
        norm: makes a normalisation in front of every ReLU, None for none.
    """

    width: int
    sn_eps: float | None = None
    norm: type[BatchNorm] | None = None

    @nn.compact
    def __call__(self, h: jax.Array, train: bool) -> jax.Array:
        x = h
        for i in (1, 2):
            x = self.norm(name=f"norm{i}")(x, train=train) if self.norm else x
            x = Dense(self.width, self.sn_eps, name=f"dense{i}")(nn.relu(x))
        if h.shape[-1] != self.width:
            h = Dense(self.width, self.sn_eps, use_bias=False, name="shortcut")(h)
        return h + x
