"""Images of convex polygons that have gradients: the share of a pixel that a polygon covers, exactly.

`gan_jax.data.polygons` counts points in a pixel, so its images stay the same when a vertex moves a little. Here the
area is computed in closed form, by Green's theorem: every side adds or takes away what lies to its right. The two
renderings differ by what counting 64 points costs, about 0.01 per pixel on the border.
"""

import jax.numpy as jnp
import numpy as np

from gan_jax.data.polygons import RASTER, SUBPIXELS


def brightness(corners):
    """Vertices [..., K, 2] as (row, column) in pixels to images float32 [..., 28, 28] in [0, 1]; 1 is white.

    Convex polygons in the order of `data.polygons.place`, also such that leave the image. In float32 the error is about
    1e-3.
    """
    corners = jnp.asarray(corners, jnp.float32) + 3.5 / SUBPIXELS  # pixel i covers i..i+1
    start_row, start_column = jnp.moveaxis(corners, -1, 0)[..., None]
    end_row, end_column = jnp.moveaxis(jnp.roll(corners, -1, axis=-2), -1, 0)[..., None]
    pixel = np.arange(RASTER, dtype=np.float32)
    # The part of each side in each row of pixels [..., K, 28]: how high it is, and at which columns it starts and ends.
    first, last = (jnp.clip(row, pixel, pixel + 1) for row in (start_row, end_row))
    rise = jnp.where(start_row == end_row, 1, end_row - start_row)
    column_at = lambda row: start_column + jnp.clip((row - start_row) / rise, 0, 1) * (end_column - start_column)  # noqa: E731
    covered = _share_to_the_right(column_at(first)[..., None], column_at(last)[..., None], pixel)
    return 1 - jnp.sum((last - first)[..., None] * covered, axis=-3)


def _share_to_the_right(first, last, pixel):
    """The share of pixel..pixel+1 to the right of a column, averaged over the columns from first to last.

    Where the columns are close, the middle one's share is off by less than 0.002, while a quotient of differences would
    be of rounding errors.
    """
    width = last - first
    close = jnp.abs(width) < 1e-2
    right_of_first, right_of_last = pixel + 1 - first, pixel + 1 - last
    share_first, share_last = jnp.clip(right_of_first, 0, 1), jnp.clip(right_of_last, 0, 1)
    whole = jnp.maximum(right_of_first, 1) - jnp.maximum(right_of_last, 1)
    part = (share_first - share_last) * (share_first + share_last) / 2
    middle = jnp.clip((right_of_first + right_of_last) / 2, 0, 1)
    return jnp.where(close, middle, (whole + part) / jnp.where(close, 1, width))
