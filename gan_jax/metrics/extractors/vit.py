"""The vision transformer of DINOv2 and of CLIP: pre-norm blocks over patches and a class token (arXiv 2010.11929).

Both code bases hold the same network but for the few choices that are attributes here. Source: facebookresearch/dinov2,
dinov2/models/vision_transformer.py; huggingface/transformers, models/clip/modeling_clip.py.
"""

import functools
from collections.abc import Callable, Mapping, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from gan_jax.weights.places import DENSE, SAME, Layout, Place

Names = Mapping[str, tuple[str, Layout]]  # published name -> path in our parameters, and layout

_HIGHEST = jax.lax.Precision.HIGHEST
_Dense = functools.partial(nn.Dense, precision=_HIGHEST)


def quick_gelu(x: jax.Array) -> jax.Array:
    """x sigmoid(1.702 x), the GELU of OpenAI's CLIP."""
    return x * nn.sigmoid(1.702 * x)


def exact_gelu(x: jax.Array) -> jax.Array:
    """x times the normal distribution function of x."""
    return nn.gelu(x, approximate=False)


class VisionTransformer(nn.Module):
    """Images float32 [n, h, w, 3], scaled as the weights want -> the class token after the last norm, [n, width].

    Computes in float32 and in the highest precision on every device.

    Attributes:
        patch: side of the patches in pixels, which divides h and w.
        width: of the tokens; the MLPs are four times as wide.
        depth: number of blocks.
        heads: of the attention.
        epsilon: of the norms.
        activation: of the MLPs.
        fused: one dense layer makes queries, keys and values, instead of three.
        layer_scale: factors for the output of every attention and MLP.
        norm_first: a norm before the first block; patches are then embedded without a bias.
        projection: size of a last dense layer without bias, 0 for none.
    """

    patch: int
    width: int
    depth: int
    heads: int
    epsilon: float
    activation: Callable[[jax.Array], jax.Array]
    fused: bool = False
    layer_scale: bool = False
    norm_first: bool = False
    projection: int = 0

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        normal = nn.initializers.normal(0.02)
        norm = functools.partial(nn.LayerNorm, self.epsilon, use_fast_variance=False)
        size = (self.patch, self.patch)
        embed = nn.Conv(
            self.width, size, size, "VALID", use_bias=not self.norm_first, precision=_HIGHEST, name="patches"
        )
        x = embed(images).reshape(len(images), -1, self.width)
        first = self.param("class_token", normal, (self.width,))
        x = jnp.concatenate([jnp.broadcast_to(first, (len(x), 1, self.width)), x], axis=1)
        x += self.param("positions", normal, x.shape[1:])
        if self.norm_first:
            x = norm(name="norm_first")(x)
        for i in range(self.depth):
            x = Block(self.heads, norm, self.activation, self.fused, self.layer_scale, name=f"block_{i}")(x)
        x = norm(name="norm")(x[:, 0])
        return _Dense(self.projection, use_bias=False, name="projection")(x) if self.projection else x


class Block(nn.Module):
    """Self-attention, then an MLP, each behind a norm and added to its input: [n, t, c] -> the same shape.

    Attributes as in `VisionTransformer`; norm makes a layer, called with `name`.
    """

    heads: int
    norm: Callable[..., nn.Module]
    activation: Callable[[jax.Array], jax.Array]
    fused: bool
    layer_scale: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        width = x.shape[-1]
        x += self._scaled("scale1", self._attention(self.norm(name="norm1")(x)))
        hidden = self.activation(_Dense(4 * width, name="mlp1")(self.norm(name="norm2")(x)))
        return x + self._scaled("scale2", _Dense(width, name="mlp2")(hidden))

    def _attention(self, x):
        n, t, width = x.shape
        if self.fused:
            parts = jnp.split(_Dense(3 * width, name="qkv")(x), 3, axis=-1)
        else:
            parts = [_Dense(width, name=name)(x) for name in ("query", "key", "value")]
        query, key, value = (part.reshape(n, t, self.heads, width // self.heads) for part in parts)
        scores = jnp.einsum("nqhc,nkhc->nhqk", query * query.shape[-1] ** -0.5, key, precision=_HIGHEST)
        attended = jnp.einsum("nhqk,nkhc->nqhc", nn.softmax(scores), value, precision=_HIGHEST)
        return _Dense(width, name="output")(attended.reshape(n, t, width))

    def _scaled(self, name, x):
        return x * self.param(name, nn.initializers.ones, x.shape[-1:]) if self.layer_scale else x


def shapes(network: VisionTransformer, side: int) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Of every variable of a network for images of this side, by its path."""
    images = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    variables = jax.eval_shape(network.init, jax.random.key(0), images)
    return {path: value.shape for path, value in traverse_util.flatten_dict(variables).items()}


def dense(theirs: str, ours: str) -> Names:
    """The tensors of a dense layer."""
    return {f"{theirs}.weight": (f"{ours}/kernel", DENSE), f"{theirs}.bias": (f"{ours}/bias", SAME)}


def norm(theirs: str, ours: str) -> Names:
    """The tensors of a norm."""
    return {f"{theirs}.weight": (f"{ours}/scale", SAME), f"{theirs}.bias": (f"{ours}/bias", SAME)}


def places(outside: Names, block: str, inside: Names, depth: int) -> dict[str, Place]:
    """Of every tensor of a published file its place in our variables.

    Args:
        outside: the names outside of the blocks.
        block: what names in a block begin with, such as "blocks.{}.".
        inside: the rest of the names in a block.
        depth: number of blocks.
    """
    found = {name: Place(("params", *path.split("/")), layout) for name, (path, layout) in outside.items()}
    for i in range(depth):
        for name, (path, layout) in inside.items():
            found[block.format(i) + name] = Place(("params", f"block_{i}", *path.split("/")), layout)
    return found


def scaled(images: jax.Array, mean: Sequence[float], std: Sequence[float]) -> jax.Array:
    """Images float32 [n, h, w, 1 or 3] in 0..255 -> [n, h, w, 3]: to 0..1, less the mean, over the deviation."""
    images = jnp.broadcast_to(images, (*images.shape[:3], 3))
    return (images / 255 - np.float32(mean)) / np.float32(std)
