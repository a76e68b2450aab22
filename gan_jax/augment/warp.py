"""Affine warps of images without aliasing: upsampling, bilinear sampling, downsampling.

Source: arXiv 2006.06676, appendix B.2; NVlabs/stylegan2-ada-pytorch, training/augment.py. As there, an image goes on
beyond its edges as its mirror image, by one pixel less than its size; behind that it is zero. The published code pads
as far as the batch at hand needs. With fixed shapes that would have to be the whole of it, 36 times the pixels of the
image at twice the resolution; here positions in the mirror image are folded back instead. The filter is not
symmetric, so a mirror image is an image filtered by the mirrored filter: both are kept, 16 times the pixels. The
results are equal but for the last three pixels before the zeros, which the published padding lets fade.
"""

import functools

import jax
import jax.numpy as jnp

from gan_jax.augment.wavelets import LOW_PASS
from gan_jax.layers.fir import upfirdn

_HALO = len(LOW_PASS) // 4  # pixels that the filter reaches beyond an edge, of the input and of the output


def warp(images: jax.Array, inverse: jax.Array) -> jax.Array:
    """Moves every image by an affine map.

    Args:
        images: float32 [n, h, w, c], both sides at least 2.
        inverse: float32 [n, 3, 3], from homogeneous output to input positions (x, y, 1): in pixels from the centre, x
            to the right and y down.
    """
    height, width = images.shape[1:3]
    y, x = _positions(inverse, height, width)
    (row, below, fade_y), (column, right, fade_x) = _fold(y, height), _fold(x, width)
    corners = _windows(_upsample(_upsample(images, 1), 2), row, column)
    below, right, fade = below[..., None, None], right[..., None], (fade_y * fade_x)[..., None]
    rows = corners[..., 0, :, :] * (1 - below) + corners[..., 1, :, :] * below
    samples = rows[..., 0, :] * (1 - right) + rows[..., 1, :] * right
    return upfirdn(samples * fade, LOW_PASS, down=2, flip=True)


def _positions(inverse, height, width):
    """Where the samples that the output is made of lie: y, x [n, 2 h + 10, 2 w + 10], in steps of half a pixel with the
    first pixel of the image at 0."""
    beyond = len(LOW_PASS) - 2
    rows, columns = (jnp.arange(2 * size + beyond) - (size + beyond // 2 - 1.0) for size in (height, width))
    a = inverse[:, :2, :, None, None]
    x, y = (
        a[:, i, 0] * columns[None, :] + a[:, i, 1] * rows[:, None] + 2 * a[:, i, 2] + size - 1
        for i, size in enumerate((width, height))
    )
    return y, x


def _fold(position, size):
    """The first of the two indices of `_upsample` around positions, the weight of the second, and 0 in the dark."""
    last = 2 * size - 2
    kept = jnp.clip(position, -last, 2 * last + 1)
    fade = jnp.clip(1 - jnp.abs(position - kept), 0, 1)
    mirrored = (kept < 0) | (kept > last)
    kept = jnp.where(kept < 0, 1 - kept, jnp.where(kept > last, 2 * last + 1 - kept, kept))
    first = jnp.minimum(jnp.floor(kept), last)
    return first.astype(jnp.int32) + jnp.where(mirrored, 2 * size, 0), kept - first, fade


def _upsample(x, axis):
    """An axis of size s becomes 4 s: twice the resolution by the filter, then the same by the mirrored filter."""
    vertical = axis == 1
    halo = ((_HALO, _HALO), (0, 0)) if vertical else ((0, 0), (_HALO, _HALO))
    padded = jnp.pad(x, ((0, 0), *halo, (0, 0)), mode="reflect")
    up, padding = ((2, 1), (0, -1, 0, 0)) if vertical else ((1, 2), (0, 0, 0, -1))
    filters = [taps[:, None] if vertical else taps[None] for taps in (LOW_PASS, LOW_PASS[::-1])]
    return jnp.concatenate([upfirdn(padded, taps, up=up, padding=padding, gain=2.0) for taps in filters], axis)


def _windows(table, row, column):
    """The 2 x 2 neighbourhoods [n, ..., 2, 2, c] of table [n, h, w, c] with upper left corners at [n, ...].

    One gather of whole windows: on CPU the gradient of a warp then takes three quarters of the time that it takes with
    four single gathers, and half of that with `jax.scipy.ndimage.map_coordinates`.
    """
    numbers = jax.lax.GatherDimensionNumbers((2, 3, 4), collapsed_slice_dims=(), start_index_map=(0, 1))
    gather = functools.partial(
        jax.lax.gather, dimension_numbers=numbers, slice_sizes=(2, 2, table.shape[-1]), mode="promise_in_bounds"
    )
    return jax.vmap(gather)(table, jnp.stack([row, column], -1))
