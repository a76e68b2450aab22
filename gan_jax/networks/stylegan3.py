"""The generator of StyleGAN3-T and -R, which treats features as continuous signals that follow the image's motion.

Source: arXiv 2106.12423; NVlabs/stylegan3, networks_stylegan3.py. Parameters bear the names that they have there. With
3x3 kernels and separable filters (T) it commutes with translations, with 1x1 kernels and radial filters (R) with
rotations too. The collection `buffers` holds the Fourier features' frequencies and phases, the moving average of w and
those of the layers' magnitudes.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.bias_act import bias_act
from gan_jax.layers.equalized import EqualizedDense
from gan_jax.layers.filtered_leaky_relu import filtered_leaky_relu
from gan_jax.layers.modulated_conv import modulated_conv
from gan_jax.networks import stylegan3_filters as filters
from gan_jax.networks.mapping import Mapping
from gan_jax.networks.pyramid import dtype_at

_OUTPUT_SCALE = 0.25  # at first, features of variance one are to give images of about this contrast


class Generator(nn.Module):
    """z [n, d] float32 and labels -> images [n, r, r, image_channels] float32, nominally in [-1, 1] but not bounded.

    Attributes:
        resolution: side of the images, a power of two from 16.
        num_classes: number of classes; 0 makes an unconditional generator that ignores the labels.
        dim_w: size of w.
        mapping_layers: dense layers of the mapping network.
        channel_base, channel_max, kernel_size, radial: see `stylegan3_filters.layers`.
        image_channels: channels of the images.
        average_decay: of the moving average of w.
        magnitude_decay: of the moving averages of the layers' magnitudes.
        conv_clamp: bound on the activations, None for none.
        half_resolutions: signals of the highest so many rates are computed in `dtype`, the others in float32.
        dtype: of the convolutions and filters at these.
    """

    resolution: int
    num_classes: int
    dim_w: int = 512
    mapping_layers: int = 2
    channel_base: int = 32768
    channel_max: int = 512
    kernel_size: int = 3
    radial: bool = False
    image_channels: int = 3
    average_decay: float = 0.998
    magnitude_decay: float = 0.999
    conv_clamp: float | None = 256.0
    half_resolutions: int = 4
    dtype: jnp.dtype = jnp.float32

    num_ws = filters.NUM_LAYERS + 2  # the Fourier features and the layer that makes the image take one too

    def setup(self):
        self.mapping = Mapping(self.mapping_layers, self.dim_w, self.num_classes, average_decay=self.average_decay)
        self.synthesis = Synthesis(
            filters.layers(
                self.resolution,
                self.channel_base,
                self.channel_max,
                self.kernel_size,
                self.radial,
                self.image_channels,
            ),
            self.magnitude_decay,
            self.conv_clamp,
            self.half_resolutions,
            self.dtype,
        )

    def __call__(self, z: jax.Array, labels: jax.Array, *, truncation: float | None = None) -> jax.Array:
        return self.synthesize(self.map(z, labels, truncation=truncation))

    def map(
        self, z: jax.Array, labels: jax.Array, *, update_average: bool = False, truncation: float | None = None
    ) -> jax.Array:
        """z [n, d] and labels -> ws [n, num_ws, dim_w], the same w for every layer.

        Args:
            update_average: move the average of w towards this batch's.
            truncation: psi; ws = average + psi (w - average).
        """
        w = self.mapping(z, labels, update_average=update_average)
        if truncation is not None:
            average = self.mapping.average()
            w = average + truncation * (w - average)
        return jnp.broadcast_to(w[:, None], (len(w), self.num_ws, self.dim_w))

    def synthesize(
        self, ws: jax.Array, *, update_magnitudes: bool = False, transform: jax.Array | None = None
    ) -> jax.Array:
        """ws [n, num_ws, dim_w] -> images [n, r, r, image_channels] float32.

        Args:
            update_magnitudes: move the averages of the layers' magnitudes towards this batch's.
            transform: [3, 3] or [n, 3, 3], where to sample the scene: the image shows at (x, y) what it else shows at
                transform (x, y, 1). The centre is 0, the side of the image 1, y points down. None for the identity.
        """
        return self.synthesis(ws, jnp.eye(3) if transform is None else transform, update_magnitudes)


class Synthesis(nn.Module):
    """ws [n, num_ws, dim_w] -> images; attributes as in `Generator`."""

    layers: tuple[filters.Layer, ...]
    magnitude_decay: float
    conv_clamp: float | None
    half_resolutions: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, ws: jax.Array, transform: jax.Array, update_magnitudes: bool) -> jax.Array:
        resolution = self.layers[-1].target.rate
        x = FourierFeatures(self.layers[0].source, name="input")(ws[:, 0], transform)
        for i, layer in enumerate(self.layers, start=1):
            dtype = dtype_at(layer.target.rate, resolution, self.half_resolutions, self.dtype)
            block = _Layer(layer, self.magnitude_decay, self.conv_clamp, dtype, name=layer.name)
            x = block(x, ws[:, i], update_magnitudes)
        return x.astype(jnp.float32) * _OUTPUT_SCALE


class FourierFeatures(nn.Module):
    """w [n, dim_w] and a transform [3, 3] or [n, 3, 3] -> features [n, size, size, channels] float32 of the scene.

    Waves of random directions and frequencies within the signal's cutoff, mixed by a learned matrix. A rotation and a
    translation that w chooses come before the transform.
    """

    signal: filters.Signal

    @nn.compact
    def __call__(self, w: jax.Array, transform: jax.Array) -> jax.Array:
        channels, cutoff, rate = self.signal.channels, self.signal.cutoff, self.signal.rate
        drawn = self.variable("buffers", "freqs", lambda: cutoff * _disc(self.make_rng("params"), channels)).value
        phases = self.variable(
            "buffers", "phases", lambda: jax.random.uniform(self.make_rng("params"), (channels,)) - 0.5
        ).value
        product = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
        transform = product(_Motion(name="affine")(w), transform)
        frequencies = product(drawn, transform[:, :2, :2])  # [n, channels, 2]
        phases = phases + product(drawn, transform[:, :2, 2:])[..., 0]

        # What a transform moves beyond the cutoff fades, and is gone at the highest frequency the samples can hold.
        beyond = (jnp.linalg.norm(frequencies, axis=-1) - cutoff) / (rate / 2 - cutoff)
        amplitudes = jnp.clip(1 - beyond, 0, 1)
        position = (jnp.arange(self.signal.size) + 0.5 - self.signal.size / 2) / rate
        turns = (
            position[:, None] * frequencies[:, None, None, :, 0]
            + position[:, None, None] * frequencies[:, None, None, :, 1]
            + phases[:, None, None]
        )
        waves = amplitudes[:, None, None] * jnp.sin(2 * jnp.pi * turns)
        kernel = self.param("kernel", nn.initializers.normal(1.0), (channels, channels))
        return product(waves, kernel * channels**-0.5)


def _disc(key, count):
    """Points [count, 2] that fill the unit disc about evenly."""
    points = jax.random.normal(key, (count, 2))
    radius = jnp.linalg.norm(points, axis=1, keepdims=True)
    return points / (radius * jnp.exp(jnp.square(radius)) ** 0.25)


class _Motion(nn.Module):
    """w [n, dim_w] -> a translation, then a rotation, as matrices [n, 3, 3]; at first the identity for every w."""

    @nn.compact
    def __call__(self, w: jax.Array) -> jax.Array:
        kernel = self.param("kernel", nn.initializers.zeros, (w.shape[1], 4))
        bias = self.param("bias", nn.initializers.constant(jnp.array([1.0, 0, 0, 0])), (4,))
        t = jnp.matmul(w, kernel * w.shape[1] ** -0.5, precision=jax.lax.Precision.HIGHEST) + bias
        cosine, sine, x, y = jnp.moveaxis(t / jnp.linalg.norm(t[:, :2], axis=1, keepdims=True), 1, 0)
        zero, one = jnp.zeros_like(x), jnp.ones_like(x)
        rows = (
            (cosine, -sine, sine * y - cosine * x),
            (sine, cosine, -sine * x - cosine * y),
            (zero, zero, one),
        )
        return jnp.stack([jnp.stack(row, -1) for row in rows], -2)


class _Layer(nn.Module):
    """Modulated convolution and filtered leaky ReLU: [n, size, size, c] and w [n, dim_w] -> the target's signal.

    The input is divided by the average of its root mean square, which keeps the features' variance near one. The last
    layer's convolution is not demodulated, and only a bias and the clamp follow.
    """

    layer: filters.Layer
    magnitude_decay: float
    clamp: float | None
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array, update_magnitude: bool) -> jax.Array:
        layer, channels, features = self.layer, x.shape[-1], self.layer.target.channels
        magnitude = self.variable("buffers", "magnitude_ema", jnp.ones, ())
        if update_magnitude and self.is_mutable_collection("buffers"):
            square = jnp.square(jax.lax.stop_gradient(x).astype(jnp.float32)).mean()
            magnitude.value = square + self.magnitude_decay * (magnitude.value - square)
        x = x.astype(self.dtype) * jax.lax.rsqrt(magnitude.value).astype(self.dtype)

        styles = EqualizedDense(channels, bias_init=1.0, name="affine")(w)
        kernel = self.param("kernel", nn.initializers.normal(1.0), (*(layer.kernel_size,) * 2, channels, features))
        bias = self.param("bias", nn.initializers.zeros, (features,))
        if layer.to_image:
            x = modulated_conv(x, kernel, styles * channels**-0.5, demodulate=False)
            return bias_act(x, bias, "linear", clamp=self.clamp)
        # The published code scales kernel and styles to a mean square of one first: demodulation undoes that.
        margin = layer.kernel_size // 2  # beside the convolution's own: every pixel that the kernel touches counts
        x = modulated_conv(jnp.pad(x, ((0, 0), (margin,) * 2, (margin,) * 2, (0, 0))), kernel, styles)
        return filtered_leaky_relu(
            x,
            bias,
            layer.up_filter,
            layer.down_filter,
            up=layer.up,
            down=layer.down,
            padding=layer.padding * 2,
            clamp=self.clamp,
        )
