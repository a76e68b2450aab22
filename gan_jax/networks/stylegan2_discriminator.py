"""The discriminator of StyleGAN2, StyleGAN2-ADA and StyleGAN3.

Source: arXiv 1912.04958; NVlabs/stylegan2-ada-pytorch, networks.py, Discriminator. Blocks from the resolution of the
images down to 8 pixels, then minibatch standard deviation and two dense layers at 4, always in float32.
"""

import functools
from collections import abc
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.bias_act import bias_act
from gan_jax.layers.equalized import EqualizedConv, EqualizedDense
from gan_jax.layers.fir import downsample
from gan_jax.layers.heads import Verdict, told
from gan_jax.layers.minibatch_stddev import minibatch_stddev
from gan_jax.layers.remat import rematted
from gan_jax.networks.mapping import Mapping
from gan_jax.networks.pyramid import dtype_at, resolutions, width

_ACT_GAIN = 2**0.5


class Discriminator(nn.Module):
    """Images [n, r, r, c] float32 in [-1, 1] and labels -> `Verdict`.

    Attributes:
        resolution: side of the images, a power of two.
        num_classes: number of classes; with 0 the labels are ignored, else the logit is a product with their mapping.
        channel_base, channel_max: see `pyramid.width`.
        architecture: "resnet", "skip" or "orig".
        mapping_layers: dense layers of the mapping of labels.
        stddev_group: images in a group of the minibatch standard deviation, None for the batch.
        conv_clamp: bound on the activations, None for none; published with half precision.
        half_resolutions: the highest so many resolutions compute in `dtype`, the others in float32.
        head: what is asked beside logits, see `layers.heads.told`.
        remat: activations that the backward pass computes anew, see `layers.remat`.
        dtype: of the convolutions at these.
    """

    resolution: int
    num_classes: int
    channel_base: int = 32768
    channel_max: int = 512
    architecture: str = "resnet"
    mapping_layers: int = 8
    stddev_group: int | None = 4
    conv_clamp: float | None = None
    half_resolutions: int = 4
    head: abc.Mapping[str, Any] = ()
    remat: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array) -> Verdict:
        if self.architecture not in ("resnet", "skip", "orig"):
            raise ConfigError(
                f'config.model.D.architecture is {self.architecture!r}: expected "resnet", "skip" or "orig"'
            )
        widths = {r: width(r, self.channel_base, self.channel_max) for r in resolutions(self.resolution)}
        skip, clamp = self.architecture == "skip", self.conv_clamp
        x, images = None, images.astype(jnp.float32)
        for r in reversed(resolutions(self.resolution)[1:]):
            dtype = dtype_at(r, self.resolution, self.half_resolutions, self.dtype)
            block = _Block(widths[r], widths[r // 2], self.architecture, clamp, dtype, name=f"b{r}")
            x = rematted(block, self.remat, r)(x, images)
            images = downsample(images) if skip else None
        head = _Head(widths[4], self.num_classes, self.stddev_group, clamp, skip, self.head, name="b4")
        verdict = head(x.astype(jnp.float32), images)
        if not self.num_classes:
            return verdict._replace(logits=verdict.logits[:, 0])
        mapped = Mapping(self.mapping_layers, widths[4], self.num_classes, name="mapping")(None, labels)
        return verdict._replace(logits=jnp.sum(verdict.logits * mapped, axis=-1) * widths[4] ** -0.5)


class _Block(nn.Module):
    """Features x [n, r, r, features] (None in the first block) and images -> [n, r/2, r/2, features_below]."""

    features: int
    features_below: int
    architecture: str
    clamp: float | None
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array | None, images: jax.Array | None) -> jax.Array:
        conv = functools.partial(EqualizedConv, dtype=self.dtype)
        if x is None or self.architecture == "skip":
            y = bias_act(conv(self.features, 1, name="fromrgb")(images), clamp=self.clamp)
            x = y if x is None else x.astype(self.dtype) + y
        y = bias_act(conv(self.features, 3, name="conv0")(x), clamp=self.clamp)
        y = conv(self.features_below, 3, down=True, name="conv1")(y)
        if self.architecture != "resnet":
            return bias_act(y, clamp=self.clamp)
        share = 0.5**0.5
        y = bias_act(y, gain=_ACT_GAIN * share, clamp=self.clamp and self.clamp * share)
        shortcut = conv(self.features_below, 1, gain=share, use_bias=False, name="skip")
        return y + shortcut(downsample(x.astype(self.dtype)))


class _Head(nn.Module):
    """Features [n, 4, 4, features] -> `Verdict` with [n, 1], or [n, features] for the product with mapped labels."""

    features: int
    num_classes: int
    stddev_group: int | None
    clamp: float | None
    skip: bool
    asked: abc.Mapping[str, Any]

    @nn.compact
    def __call__(self, x: jax.Array, images: jax.Array | None) -> Verdict:
        if self.skip:
            x += bias_act(EqualizedConv(self.features, 1, name="fromrgb")(images))
        x = minibatch_stddev(x, self.stddev_group)
        x = bias_act(EqualizedConv(self.features, 3, name="conv")(x), clamp=self.clamp)
        x = bias_act(EqualizedDense(self.features, name="fc")(x.reshape(len(x), -1)))
        return told(x, EqualizedDense(self.features if self.num_classes else 1, name="out"), **dict(self.asked))
