"""Normalisations of activations by name, with one signature: `norm(name=...)(x, condition, train=...)`.

x is [n, ..., c]; the condition is what the name says or not used. Everything is computed in float32; the output has the
dtype of the input.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.linear import Dense
from gan_jax.layers.norm import BatchNorm, CategoricalBatchNorm, ConditionalBatchNorm, pixel_norm

Norm = Callable[..., nn.Module]


class GhostBatchNorm(BatchNorm):
    """Batch normalisation within groups of the batch (arXiv 1705.08741): images that stand side by side in it.

    Attributes:
        group: images of a group; it divides the batch. Running moments take the mean of the groups' moments, whose
            variances are biased.
    """

    group: int = 16

    def normalize(self, x: jax.Array, scale: jax.Array, bias: jax.Array, train: bool) -> jax.Array:
        if not train or self.is_initializing():  # with a dummy image
            return super().normalize(x, scale, bias, train)
        if len(x) % self.group:
            raise ConfigError(f"ghost batch normalisation: groups of {self.group} do not divide {len(x)} images")
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, x.shape[-1:])
        running_var = self.variable("batch_stats", "var", jnp.ones, x.shape[-1:])
        groups = x.astype(jnp.float32).reshape(-1, self.group, *x.shape[1:])
        axes = tuple(range(1, x.ndim))
        mean, var = groups.mean(axes, keepdims=True), groups.var(axes, keepdims=True)
        if self.is_mutable_collection("batch_stats"):
            for running, moments in ((running_mean, mean), (running_var, var)):
                new = moments.reshape(-1, x.shape[-1]).mean(0)
                running.value = (1 - self.momentum) * running.value + self.momentum * new
        standard = ((groups - mean) * jax.lax.rsqrt(var + self.eps)).reshape(x.shape)
        scale, bias = (jnp.expand_dims(a, tuple(range(1, x.ndim - 1))) for a in (scale, bias))
        return (standard * scale + bias).astype(x.dtype)


class SelfModulatedBatchNorm(BatchNorm):
    """Batch normalisation whose scale and bias are those of a small network of the latent (arXiv 1810.01365).

    In the form of compare_gan, arch_ops.py: relu of a linear map of the condition [n, d] float32 to 32 numbers, then linear
    maps to the scale, around 1, and to the bias.
    """

    hidden: int = 32

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array, *, train: bool) -> jax.Array:
        linear = functools.partial(Dense, kernel_init=nn.initializers.normal(0.02))
        h = nn.relu(linear(self.hidden, bias_init=nn.initializers.zeros, name="hidden")(condition))
        gain = linear(x.shape[-1], bias_init=nn.initializers.ones, name="gain")(h)
        return self.normalize(x, gain, linear(x.shape[-1], bias_init=nn.initializers.zeros, name="bias")(h), train)


class VirtualBatchNorm(nn.Module):
    """Normalisation by a reference batch and the image itself (arXiv 1606.03498, section 3.5).

    A call with `train=True` is for the reference batch: it is normalised by its own moments, which the collection `virtual`
    keeps, differentiable. A call with `train=False` is for all others: each image is normalised by n/(n + 1) of those
    moments and 1/(n + 1) of its own, with n images of reference.
    """

    eps: float = 1e-5

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None = None, *, train: bool) -> jax.Array:
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:])
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
        mean = self.variable("virtual", "mean", jnp.zeros, x.shape[-1:])
        square = self.variable("virtual", "square", jnp.ones, x.shape[-1:])
        count = self.variable("virtual", "count", jnp.ones, ())
        values, powers = x.astype(jnp.float32), (x.astype(jnp.float32), jnp.square(x.astype(jnp.float32)))
        if train:
            moments = [power.mean(tuple(range(x.ndim - 1))) for power in powers]
            if self.is_mutable_collection("virtual") and not self.is_initializing():
                mean.value, square.value = moments
                count.value = jnp.float32(len(x))
        else:
            share = 1 / (count.value + 1)
            own = [power.mean(tuple(range(1, x.ndim - 1)), keepdims=True) for power in powers]
            moments = [share * a + (1 - share) * b for a, b in zip(own, (mean.value, square.value), strict=True)]
        variance = jnp.maximum(moments[1] - jnp.square(moments[0]), 0)
        return ((values - moments[0]) * jax.lax.rsqrt(variance + self.eps) * scale + bias).astype(x.dtype)


class _OfOneImage(nn.Module):
    """A normalisation that looks at one image at a time.

    Attributes:
        layer: makes flax's layer.
        groups: of channels, which divide them.
    """

    layer: Callable[..., nn.Module]
    groups: int = 1

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None = None, *, train: bool) -> jax.Array:
        if x.shape[-1] % self.groups:
            raise ConfigError(f"group normalisation: {self.groups} groups do not divide {x.shape[-1]} channels")
        return self.layer(name="norm")(x.astype(jnp.float32)).astype(x.dtype)


class _Unchanged(nn.Module):
    """No parameters: x itself, or of length 1 in every pixel."""

    pixels: bool

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None = None, *, train: bool) -> jax.Array:
        return pixel_norm(x) if self.pixels else x


_OF_BATCHES = {
    "batch": BatchNorm,
    "ghost": GhostBatchNorm,
    "conditional": ConditionalBatchNorm,
    "categorical": CategoricalBatchNorm,
    "self_modulated": SelfModulatedBatchNorm,
}
_OF_IMAGES = {
    "instance": nn.InstanceNorm,
    "layer": functools.partial(nn.LayerNorm, reduction_axes=(-3, -2, -1)),
    "group": nn.GroupNorm,
}
_OTHERS = {
    "pixel": functools.partial(_Unchanged, pixels=True),
    "none": functools.partial(_Unchanged, pixels=False),
    "virtual": VirtualBatchNorm,
}
NAMES = (*_OF_BATCHES, *_OF_IMAGES, *_OTHERS)
# Those that want a label or a vector for each image, which generators give them.
CONDITIONED = ("categorical", "conditional", "self_modulated")
_NUMBERS = {"ghost": "group", "group": "num_groups", "self_modulated": "hidden"}
_WITHOUT = ("self_modulated",)  # whose number may be left out


def kind_of(name: str) -> str:
    """The name of a normalisation without its number."""
    return name.partition(":")[0]


def normalizer(name: str, num_classes: int = 0, **of_batches) -> Norm:
    """The normalisation called `name`, to be made with `name=...`.

    "batch"; "ghost:16" (batch normalisation in groups of 16 images); "conditional" (linear in a condition [n, d]),
    "categorical" (a table for labels) and "self_modulated" (a small network of the latent [n, d], "self_modulated:256" with
    256 hidden units instead of 32);
    "virtual" (by a reference batch); "instance", "layer" (over pixels and channels), "group:8" (8 groups of channels),
    "pixel" (over channels); "none".

    Args:
        num_classes: of "categorical".
        of_batches: fields of `BatchNorm` and its kin, such as `momentum`; the others do not take them.

    Raises:
        ConfigError: another name, or a number where none belongs, or none where one does.
    """
    kind, colon, number = name.partition(":")
    numbered = bool(colon) == (kind in _NUMBERS) or (not colon and kind in _WITHOUT)
    if kind not in NAMES or not numbered or (colon and not (number.isdecimal() and int(number))):
        shown = ", ".join(map(repr, (*(f"{kind}:NUMBER" if kind in _NUMBERS else kind for kind in NAMES), *_WITHOUT)))
        raise ConfigError(f"the normalisation is {name!r}: expected one of {shown}")
    numbers = {_NUMBERS[kind]: int(number)} if colon else {}
    if kind == "categorical":
        numbers["num_classes"] = num_classes
    if name == "ghost:1":
        raise ConfigError('the normalisation is "ghost:1", groups of one image: take "instance", or larger groups')
    if kind in _OF_BATCHES:
        return functools.partial(_OF_BATCHES[kind], **numbers, **of_batches)
    if kind in _OF_IMAGES:
        layer = functools.partial(_OF_IMAGES[kind], **numbers)
        return functools.partial(_OfOneImage, layer, groups=numbers.get("num_groups", 1))
    return _OTHERS[kind]
