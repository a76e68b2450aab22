"""The rules by which images get the size that an extractor wants: each gives other numbers, so none may be mixed.

Every rule is a pure function `(images, (height, width)) -> float32 [n, height, width, c]` in 0..255 of images
[n, h, w, c] in 0..255, uint8 or float, meant to be jitted with the extractor. The aspect ratio is not kept.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

Size = tuple[int, int]
_BITS = 22  # of the fraction in Pillow's whole-numbered weights


def tf1(images: jax.Array, size: Size) -> jax.Array:
    """Bilinear without a shift by half a pixel and without antialiasing, as TensorFlow 1 did: bit for bit.

    Pixel j reads position j n/N, between floor and floor + 1, the last pixel again beyond the edge. Enlarged images
    shift to the upper left, shrunk ones skip pixels: both are part of what published figures measured. Used by the
    original FID, torch-fidelity, NVIDIA's detectors and clean-fid's "legacy_tensorflow".
    """
    return _interpolated(images, size, lambda pixel, scale: pixel * scale)


def clean(images: jax.Array, size: Size) -> jax.Array:
    """Pillow's bicubic filter on float channels, antialiased, clipped to 0..255, not rounded (clean-fid)."""
    return jnp.clip(_resized(images, size, _bicubic, 2), 0, 255)


def torch(images: jax.Array, size: Size) -> jax.Array:
    """Bilinear with half-pixel centres and without antialiasing: PyTorch's `interpolate` (pytorch-fid)."""
    half = np.float32(0.5)
    return _interpolated(images, size, lambda pixel, scale: np.maximum((pixel + half) * scale - half, 0))


def pil_bilinear(images: jax.Array, size: Size) -> jax.Array:
    """Pillow's bilinear filter on float channels, antialiased (StudioGAN's "friendly")."""
    return _resized(images, size, _bilinear, 1)


def pil_bicubic_uint8(images: jax.Array, size: Size) -> jax.Array:
    """Pillow's bicubic filter on uint8 images, antialiased and rounded after each pass: bit for bit.

    Pillow multiplies by weights of 22 binary digits in whole numbers, which int32 holds. Rows come first, as in all that
    was published: Pillow 13 resizes columns first where the height shrinks more than the width, to other numbers.
    """
    if images.dtype != jnp.uint8:
        raise ValueError(f"images of {images.dtype}: this rule is for uint8")
    x = images.astype(jnp.int32)
    for axis in (2, 1):
        fraction = _weights(x.shape[axis], size[axis - 1], _bicubic, 2) * 2**_BITS
        whole = np.trunc(fraction + np.copysign(0.5, fraction)).astype(np.int32)
        x = jnp.clip((_along(x, whole, axis) + 2 ** (_BITS - 1)) >> _BITS, 0, 255)
    return x.astype(jnp.float32)


def box(images: jax.Array, size: Size) -> jax.Array:
    """Means of cells: heights and widths are multiples of those wanted (StyleGAN's path length above 256 pixels)."""
    n, h, w, c = images.shape
    height, width = size
    if h % height or w % width:
        raise ValueError(f"images of {h} x {w} do not divide into {height} x {width} cells")
    return images.astype(jnp.float32).reshape(n, height, h // height, width, w // width, c).mean((2, 4))


RULES: dict[str, Callable[[jax.Array, Size], jax.Array]] = {
    function.__name__: function for function in (tf1, clean, torch, pil_bilinear, pil_bicubic_uint8)
}


def _interpolated(images, size, position):
    """Bilinear at the positions of target pixels, which are computed in float32 as the published codes do."""
    x = images.astype(jnp.float32)
    for axis in (2, 1):
        n, target = x.shape[axis], size[axis - 1]
        place = position(np.arange(target, dtype=np.float32), np.float32(n / target))
        low = np.floor(place).astype(np.int32)
        share = (place - low).reshape((-1, 1) if axis == 2 else (-1, 1, 1))
        first = jnp.take(x, low, axis)
        step = (jnp.take(x, np.minimum(low + 1, n - 1), axis) - first) * share
        # The maximum changes no number, but compilers may not make one rounding of product and sum then.
        x = first + jnp.maximum(step, -255)
    return x


def _resized(images, size, kernel, support):
    x = images.astype(jnp.float32)
    for axis in (2, 1):
        weights = _weights(x.shape[axis], size[axis - 1], kernel, support)
        x = _along(x, weights.astype(np.float32), axis)
    return x


def _along(x, weights, axis):
    """Images [n, h, w, c] times weights [target, source] along axis 1 or 2."""
    equation = {1: "nhwc,th->ntwc", 2: "nhwc,tw->nhtc"}[axis]
    return jnp.einsum(equation, x, weights, precision=jax.lax.Precision.HIGHEST)


def _weights(source, target, kernel, support):
    """Weights float64 [target, source], each row summing to 1, of pixels inside the image only.

    Antialiasing widens the kernel by the factor of shrinking. Source: Pillow, src/libImaging/Resample.c,
    precompute_coeffs.
    """
    scale = source / target
    wide = max(scale, 1.0)
    centre = (np.arange(target)[:, None] + 0.5) * scale
    pixel = np.arange(source)
    first = (centre - support * wide + 0.5).astype(int)
    beyond = (centre + support * wide + 0.5).astype(int)
    weights = kernel((pixel - centre + 0.5) * (1 / wide)) * ((pixel >= first) & (pixel < beyond))
    return weights / weights.sum(axis=1, keepdims=True)


def _bilinear(x):
    return np.maximum(1 - np.abs(x), 0)


def _bicubic(x):
    """Keys' kernel with a = -0.5."""
    a, x = -0.5, np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))
