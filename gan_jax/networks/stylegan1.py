"""StyleGAN's generator (Karras, Laine and Aila 2019, arXiv 1812.04948): a mapping network and adaptive normalisation.

Source: NVlabs/stylegan, training/networks_stylegan.py, `G_style`, `G_mapping` and `G_synthesis`. It grows as ProGAN's
does, see `gan_jax.layers.growth`; trained at the full resolution alone it is the published structure `fixed`. The
discriminator is that of `gan_jax.networks.progan` with `blur`.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers import fir
from gan_jax.layers.equalized import EqualizedConv, EqualizedDense
from gan_jax.layers.growth import composed, shares, sides, width
from gan_jax.layers.linear import Embed
from gan_jax.layers.norm import pixel_norm
from gan_jax.layers.resample import upsample2
from gan_jax.networks.progan import BLUR, HE, leaky_relu

# Where noise comes from: "constant" (the stored one), None (nowhere), or a function (layer, shape) -> array.
Noise = str | None | Callable[[int, tuple[int, ...]], jax.Array]


class Mapping(nn.Module):
    """z [n, d] and labels -> w [n, dim_w], float32.

    StyleGAN2's differs in where labels are normalised and by a gain behind every activation.

    Attributes:
        layers: number of dense layers, which learn a hundred times as slowly as others.
        features: width of all but the last.
        dim_w: width of the last.
        num_classes: rows of a table of as many entries as z, joined to it before its length is normalised; 0 for none.
    """

    layers: int
    features: int
    dim_w: int
    num_classes: int

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array) -> jax.Array:
        if self.num_classes:
            normal = nn.initializers.normal(1.0)
            label = Embed(self.num_classes, z.shape[-1], embedding_init=normal, name="embedding")(labels)
            z = jnp.concatenate([z, label], axis=-1)
        x = pixel_norm(z)
        for i in range(self.layers):
            features = self.dim_w if i == self.layers - 1 else self.features
            x = leaky_relu(EqualizedDense(features, gain=HE, lr_multiplier=0.01, name=f"dense{i}")(x))
        return x


class Epilogue(nn.Module):
    """What follows every convolution: noise, bias, leaky ReLU, instance normalisation, style.

    x [n, h, w, c] of any float dtype, w [n, dim_w] float32 -> [n, h, w, c].

    Attributes:
        layer: its number, for `noise`.
    """

    layer: int

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array, noise: Noise) -> jax.Array:
        n, height, width_, channels = x.shape
        strength = self.param("noise_strength", nn.initializers.zeros, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        if noise == "constant" or self.is_initializing():
            shape = (1, height, width_, 1)
            x += (strength * self.variable("buffers", "noise", self._draw, shape).value).astype(x.dtype)
        elif noise is not None:
            x += (strength * noise(self.layer, (n, height, width_, 1))).astype(x.dtype)
        x = instance_norm(leaky_relu(x + bias.astype(x.dtype)))
        style = EqualizedDense(2 * channels, name="style")(w)[:, None, None].astype(x.dtype)
        return x * (style[..., :channels] + 1) + style[..., channels:]

    def _draw(self, shape):
        return jax.random.normal(self.make_rng("params"), shape)


class Synthesis(nn.Module):
    """ws [n, layers, dim_w] float32 -> images [n, s, s, image_channels] float32. Attributes as in `Generator`."""

    resolution: int
    channel_base: int
    channel_max: int
    image_channels: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, ws: jax.Array, noise: Noise, level: int | None, alpha: jax.Array | None) -> jax.Array:
        conv = functools.partial(EqualizedConv, dtype=self.dtype)
        all_sides = sides(self.resolution)
        share = shares(self, len(all_sides), level, alpha)
        images, x = [], None
        for i, side in enumerate(all_sides[: max(share) + 1]):
            features = width(side, self.channel_base, self.channel_max)
            if x is None:
                constant = self.param("constant", nn.initializers.ones, (4, 4, features))
                x = jnp.broadcast_to(constant.astype(self.dtype), (len(ws), 4, 4, features))
            else:
                x = conv(features, 3, gain=HE, use_bias=False, name=f"conv0_{side}")(upsample2(x))
                x = fir.upfirdn(x, BLUR, padding=1)
            x = Epilogue(2 * i, name=f"epilogue0_{side}")(x, ws[:, 2 * i], noise)
            x = conv(features, 3, gain=HE, use_bias=False, name=f"conv1_{side}")(x)
            x = Epilogue(2 * i + 1, name=f"epilogue1_{side}")(x, ws[:, 2 * i + 1], noise)
            if i in share:
                image = conv(self.image_channels, 1, name=f"to_rgb_{side}")(x).astype(jnp.float32)
                images.append(share[i] * image)
        return composed(images)


class Generator(nn.Module):
    """z [n, dim_z] float32 and labels -> images [n, s, s, image_channels] float32, nominally in [-1, 1], not bounded.

    What s is: see `progan.Generator`. The collection `buffers` holds the average of w and the noise of every layer.

    Attributes:
        resolution: side of the images when fully grown, a power of two.
        num_classes: number of classes, 0 for a generator that ignores the labels.
        dim_z, dim_w: sizes of latents and styles.
        mapping_layers, mapping_features: depth and width of the mapping network.
        channel_base: channels times the side of the image; twice the published `fmap_base`.
        channel_max: but no more than this.
        image_channels: channels of the images.
        average_decay: of the moving average of w, per training call that asks for it.
        truncation_cutoff: truncation concerns the first so many layers.
        dtype: of the convolutions.
    """

    resolution: int
    num_classes: int = 0
    dim_z: int = 512
    dim_w: int = 512
    mapping_layers: int = 8
    mapping_features: int = 512
    channel_base: int = 16384
    channel_max: int = 512
    image_channels: int = 3
    average_decay: float = 0.995
    truncation_cutoff: int = 8
    dtype: jnp.dtype = jnp.float32

    @property
    def layers(self) -> int:
        """How many styles an image of the full resolution takes: two for each level."""
        return 2 * len(sides(self.resolution))

    def setup(self):
        self.mapping = Mapping(self.mapping_layers, self.mapping_features, self.dim_w, self.num_classes)
        self.synthesis = Synthesis(
            self.resolution, self.channel_base, self.channel_max, self.image_channels, self.dtype
        )
        self.average = self.variable("buffers", "w_avg", jnp.zeros, (self.dim_w,))

    def __call__(
        self,
        z: jax.Array,
        labels: jax.Array,
        *,
        noise: Noise = "constant",
        truncation: float | None = None,
        level: int | None = None,
        alpha: jax.Array | None = None,
    ) -> jax.Array:
        return self.synthesize(self.map(z, labels, truncation=truncation), noise=noise, level=level, alpha=alpha)

    def map(
        self, z: jax.Array, labels: jax.Array, *, update_average: bool = False, truncation: float | None = None
    ) -> jax.Array:
        """Styles ws [n, layers, dim_w]: one w for all layers.

        Args:
            update_average: move the average of w towards that of this batch, if `buffers` is mutable.
            truncation: psi; draws w towards its average, as far as `truncation_cutoff`. None or 1 for not.
        """
        w = self.mapping(z, labels)
        if update_average and self.is_mutable_collection("buffers"):
            batch = w.mean(0)
            self.average.value = batch + self.average_decay * (self.average.value - batch)
        ws = jnp.broadcast_to(w[:, None], (len(w), self.layers, self.dim_w))
        if truncation is None:
            return ws
        truncated = self.average.value + truncation * (ws - self.average.value)
        return jnp.where(jnp.arange(self.layers)[:, None] < self.truncation_cutoff, truncated, ws)

    def synthesize(
        self, ws: jax.Array, *, noise: Noise = "constant", level: int | None = None, alpha: jax.Array | None = None
    ) -> jax.Array:
        """Images of styles ws [n, layers, dim_w]; of those, a level l takes the first 2 (l + 1)."""
        return self.synthesis(ws, noise, level, alpha)


def instance_norm(x: jax.Array) -> jax.Array:
    """Standardises every channel of every image [n, h, w, c] over its pixels, in float32; epsilon 1e-8."""
    values = x.astype(jnp.float32)
    values -= values.mean((1, 2), keepdims=True)
    return (values * jax.lax.rsqrt(jnp.square(values).mean((1, 2), keepdims=True) + 1e-8)).astype(x.dtype)
