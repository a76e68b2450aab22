"""The generator of StyleGAN2 and StyleGAN2-ADA.

Source: arXiv 1912.04958 and 2006.06676; NVlabs/stylegan2-ada-pytorch, networks.py. Parameters bear the names that they
have there. The collection `buffers` holds the moving average of w and the constant noise images.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import ConfigError
from gan_jax.layers.bias_act import bias_act
from gan_jax.layers.equalized import EqualizedConv, EqualizedDense
from gan_jax.layers.fir import upsample
from gan_jax.layers.modulated_conv import modulated_conv
from gan_jax.layers.remat import rematted
from gan_jax.networks.mapping import Mapping
from gan_jax.networks.pyramid import dtype_at, resolutions, width

# "constant" noise images, None for none, or how to draw those of a layer: (layer, [n, r, r, 1]) -> array.
Noise = str | None | Callable[[int, tuple[int, ...]], jax.Array]


class Generator(nn.Module):
    """z [n, d] float32 and labels -> images [n, r, r, image_channels] float32, nominally in [-1, 1] but not bounded.

    Attributes:
        resolution: side of the images, a power of two.
        num_classes: number of classes; 0 makes an unconditional generator that ignores the labels.
        dim_w: size of w.
        mapping_layers: dense layers of the mapping network.
        channel_base, channel_max: see `pyramid.width`.
        architecture: "skip", "resnet" or "orig".
        image_channels: channels of the images.
        average_decay: of the moving average of w.
        conv_clamp: bound on the activations, None for none; published with half precision.
        half_resolutions: the highest so many resolutions compute in `dtype`, the others in float32.
        remat: activations that the backward pass computes anew, see `layers.remat`.
        dtype: of the convolutions at these.
    """

    resolution: int
    num_classes: int
    dim_w: int = 512
    mapping_layers: int = 8
    channel_base: int = 32768
    channel_max: int = 512
    architecture: str = "skip"
    image_channels: int = 3
    average_decay: float = 0.995
    conv_clamp: float | None = None
    half_resolutions: int = 4
    remat: str | None = None
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        if self.architecture not in ("skip", "resnet", "orig"):
            raise ConfigError(
                f'config.model.G.architecture is {self.architecture!r}: expected "skip", "resnet" or "orig"'
            )
        self.mapping = Mapping(self.mapping_layers, self.dim_w, self.num_classes, average_decay=self.average_decay)
        self.synthesis = Synthesis(
            self.resolution,
            self.channel_base,
            self.channel_max,
            self.architecture,
            self.image_channels,
            self.conv_clamp,
            self.half_resolutions,
            self.remat,
            self.dtype,
        )

    @property
    def num_ws(self) -> int:
        """How many layers take a w of their own."""
        return 2 * len(resolutions(self.resolution))

    def __call__(
        self, z: jax.Array, labels: jax.Array, *, noise: Noise = "constant", truncation: float | None = None
    ) -> jax.Array:
        return self.synthesize(self.map(z, labels, truncation=truncation), noise=noise)

    def map(
        self,
        z: jax.Array,
        labels: jax.Array,
        *,
        update_average: bool = False,
        truncation: float | None = None,
        cutoff: int | None = None,
    ) -> jax.Array:
        """z [n, d] and labels -> ws [n, num_ws, dim_w], the same w for every layer.

        Args:
            update_average: move the average of w towards this batch's.
            truncation: psi; ws = average + psi (w - average).
            cutoff: truncate the ws of the first so many layers only.
        """
        w = self.mapping(z, labels, update_average=update_average)
        ws = jnp.broadcast_to(w[:, None], (len(w), self.num_ws, self.dim_w))
        if truncation is None:
            return ws
        average = self.mapping.average()
        truncated = average + truncation * (ws - average)
        return truncated if cutoff is None else jnp.where(jnp.arange(self.num_ws)[:, None] < cutoff, truncated, ws)

    def synthesize(self, ws: jax.Array, *, noise: Noise = "constant") -> jax.Array:
        """ws [n, num_ws, dim_w] -> images [n, r, r, image_channels] float32."""
        return self.synthesis(ws, noise)


class Synthesis(nn.Module):
    """ws [n, num_ws, dim_w] -> images; attributes as in `Generator`."""

    resolution: int
    channel_base: int
    channel_max: int
    architecture: str
    image_channels: int
    conv_clamp: float | None
    half_resolutions: int
    remat: str | None
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, ws: jax.Array, noise: Noise) -> jax.Array:
        x = images = None
        layer = 0
        for r in resolutions(self.resolution):
            block = _Block(
                r,
                width(r, self.channel_base, self.channel_max),
                self.architecture,
                self.image_channels if self.architecture == "skip" or r == self.resolution else 0,
                self.conv_clamp,
                dtype_at(r, self.resolution, self.half_resolutions, self.dtype),
                name=f"b{r}",
            )
            # The image layer shares its w with the first layer of the next block.
            call = rematted(block, self.remat, r)
            x, images = call(x, images, ws[:, layer : layer + 3], noise=noise, first_layer=layer)
            layer += 1 if r == 4 else 2
        return images


class _Block(nn.Module):
    """One resolution: features and images of the one below, ws [n, 2 or 3, dim_w] -> features and images of this one."""

    resolution: int
    features: int
    architecture: str
    image_channels: int  # 0 for no image at this resolution
    clamp: float | None
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, images, ws: jax.Array, *, noise: Noise, first_layer: int):
        layer = functools.partial(_Layer, self.features, self.resolution, clamp=self.clamp, dtype=self.dtype)
        if x is None:
            constant = self.param("const", nn.initializers.normal(1.0), (4, 4, self.features))
            x = jnp.broadcast_to(constant.astype(self.dtype), (len(ws), *constant.shape))
            x = layer(name="conv1")(x, ws[:, 0], noise, first_layer)
            to_image = ws[:, 1]
        else:
            x = x.astype(self.dtype)
            share = 0.5**0.5 if self.architecture == "resnet" else 1.0
            y = layer(up=True, name="conv0")(x, ws[:, 0], noise, first_layer)
            y = layer(gain=share, name="conv1")(y, ws[:, 1], noise, first_layer + 1)
            if self.architecture == "resnet":
                shortcut = EqualizedConv(self.features, 1, gain=share, use_bias=False, dtype=self.dtype, name="skip")
                y += upsample(shortcut(x))
            x, to_image = y, ws[:, 2]
        if images is not None:
            images = upsample(images)
        if self.image_channels:
            y = _ToImage(self.image_channels, self.clamp, name="torgb")(x, to_image)
            images = y if images is None else images + y
        return x, images


class _Layer(nn.Module):
    """Modulated 3x3 convolution, noise, bias and leaky ReLU: [n, h, w, c] and w [n, dim_w] -> [n, r, r, features]."""

    features: int
    resolution: int
    up: bool = False
    gain: float = 1.0
    clamp: float | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array, noise: Noise, index: int) -> jax.Array:
        styles = EqualizedDense(x.shape[-1], bias_init=1.0, name="affine")(w)
        # Demodulation undoes any scale of the kernel, so it has no equalised one.
        kernel = self.param("kernel", nn.initializers.normal(1.0), (3, 3, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x = modulated_conv(x, kernel, styles, up=self.up)
        x = self._add_noise(x, noise, index)
        return bias_act(x, bias, gain=2**0.5 * self.gain, clamp=self.clamp and self.clamp * self.gain)

    def _add_noise(self, x, noise, index):
        strength = self.param("noise_strength", nn.initializers.zeros, ())
        shape = (self.resolution, self.resolution)
        constant = self.variable("buffers", "noise_const", lambda: jax.random.normal(self.make_rng("params"), shape))
        if noise is None:
            return x
        field = noise(index, (len(x), *shape, 1)) if callable(noise) else constant.value[:, :, None]
        return x + (field * strength).astype(x.dtype)


class _ToImage(nn.Module):
    """Modulated 1x1 convolution without demodulation: [n, r, r, c] and w [n, dim_w] -> float32 [n, r, r, channels]."""

    channels: int
    clamp: float | None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array) -> jax.Array:
        features = x.shape[-1]
        styles = EqualizedDense(features, bias_init=1.0, name="affine")(w) * features**-0.5
        kernel = self.param("kernel", nn.initializers.normal(1.0), (1, 1, features, self.channels))
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        y = modulated_conv(x, kernel, styles, demodulate=False)
        return bias_act(y, bias, "linear", clamp=self.clamp).astype(jnp.float32)
