"""Black convex polygons on white: a data set whose true distribution is known (Lucic et al. 2018, section 5).

The same images, bit for bit, as those of the generator that the authors published in google/compare_gan. Their set is
`draw_polygons(80_000)`: the first 60,000 for training, the next 10,000 for testing, the last 10,000 for validation.
The final shuffle depends on the count, so a smaller count gives another set of the same distribution.
"""

import numpy as np

from gan_jax.data.source import ArraySource
from gan_jax.errors import ConfigError

RASTER = 28  # pixels per side
SUBPIXELS = 8  # per pixel and side; a pixel is the share of its 64 subpixels that lie outside the polygon
SCALE = 0.75  # diameter of the circle through the vertices, in rasters
MARGIN = 10  # degrees between a vertex and the start of its segment
COUNT = 80_000
SPLITS = {"": (0, 8), "train": (0, 6), "test": (6, 7), "validation": (7, 8)}  # which eighths of them
CHUNK = 512  # images drawn at a time, which bounds the memory to some 20 MB


def open_section(argument: str, section) -> ArraySource:
    """Opens "polygons[:SPLIT]" for `data.source.open_source`: `section.count` triangles, 80,000 by default, or some of them.

    Raises:
        ConfigError: the resolution is not 28, there is more than one channel, the count is too small, or there is no such
            split.
    """
    if argument not in SPLITS:
        raise ConfigError(
            f"polygons have no split {argument!r}: expected one of {', '.join(filter(None, SPLITS))}, or none"
        )
    if (section.resolution, section.channels) != (RASTER, 1):
        raise ConfigError(
            f"config.data.resolution is {section.resolution} and config.data.channels is {section.channels}: "
            f"the polygons are {RASTER} pixels wide with 1 channel"
        )
    count = COUNT if section.get("count") is None else section.count
    if count < 1:
        raise ConfigError(f"config.data.count is {count}: expected a positive number of polygons")
    first, last = (count * eighths // 8 for eighths in SPLITS[argument])
    if last == first:
        raise ConfigError(f"config.data.count is {count}, of which the split {argument!r} has none: take more")
    images, _ = draw_polygons(count)
    return ArraySource("polygons", to_grey(images[first:last]))


def draw_polygons(count: int, vertices: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draws polygons whose vertices lie on a circle, one vertex in each of `vertices` equal segments.

    Returns:
        images: uint8 [count, 28, 28] in 0..64; 64 is white, brightness is the number over 64.
        corners: float64 [count, vertices, 2], the vertices as (row, column) in pixels.
    """
    random = np.random.RandomState(seed)
    corners = place(random.random_sample((count, vertices + 1)))
    corners = corners[random.permutation(count)]
    return render(corners), corners


def to_grey(images: np.ndarray) -> np.ndarray:
    """Integers 0..64 [n, 28, 28] to uint8 0..255 [n, 28, 28, 1]: round(255 v / 64), halves up.

    Nothing is lost: round(64 u / 255) gives the integers back.
    """
    return ((images.astype(np.int32) * 255 + 32) // 64).astype(np.uint8)[..., None]


def place(draws, numpy=np):
    """Uniform draws [n, K + 1] in [0, 1] (one per vertex, then the rotation) to vertices [n, K, 2] in pixels.

    These are all the polygons of the data set. `numpy` may be jax.numpy: then it is differentiable.
    """
    count = draws.shape[1] - 1
    segment = 360 / count
    angles = numpy.radians(segment * np.arange(count) + MARGIN + draws[:, :-1] * (segment - MARGIN))
    points = (numpy.stack([numpy.cos(angles), numpy.sin(angles)], axis=-1) + 1) / 2
    # The published code converts degrees to radians where it already has radians, so polygons turn by at most
    # 6.3 degrees. That is the data set.
    turn = numpy.radians(2 * np.pi * draws[:, -1])
    rotation = numpy.stack([numpy.cos(turn), -numpy.sin(turn), numpy.sin(turn), numpy.cos(turn)], axis=-1)
    points = points @ rotation.reshape(-1, 2, 2) * (RASTER * SCALE)
    return points - points.mean(axis=1, keepdims=True) + RASTER / 2


def render(corners: np.ndarray) -> np.ndarray:
    """Vertices [n, K, 2] in pixels to uint8 [n, 28, 28]: how many of a pixel's 64 subpixels are white.

    The polygons are convex and their vertices in the order that `place` gives: from +row to +column.
    """
    return np.concatenate([_render(corners[start : start + CHUNK]) for start in range(0, len(corners), CHUNK)])


def _render(corners: np.ndarray) -> np.ndarray:
    """As `render`, of some hundred polygons at most.

    A convex polygon covers one interval of columns per row of subpixels, between its rising and its falling edges; the
    overlap of that interval with each pixel is all there is to count. Pixel (i, j) holds the subpixels
    8i-3..8i+4 by 8j-3..8j+4 (the published code's even window); those before 0 are white, as no vertex is farther than
    4/3 of the circle's radius, 14 pixels, from the centre.
    """
    rows = np.arange(RASTER * SUBPIXELS) - 3
    row, column = np.moveaxis(corners * SUBPIXELS, -1, 0)[..., None]
    row_step, column_step = np.roll(row, -1, axis=1) - row, np.roll(column, -1, axis=1) - column
    row_step[row_step == 0] = 1e-9  # a level side, which no drawn polygon has
    crossing = column + (rows - row) * (column_step / row_step)
    # Edges along a row cross other rows far outside: clip before the numbers shrink to 16 bits.
    first = np.where(row_step > 0, crossing, 0).max(axis=1)
    first = np.ceil(np.minimum(first, RASTER * SUBPIXELS)).astype(np.int16)
    last = np.where(row_step < 0, crossing, RASTER * SUBPIXELS - 1).min(axis=1)
    last = np.floor(np.maximum(last, -1)).astype(np.int16)
    pixel = (np.arange(RASTER) * SUBPIXELS - 3).astype(np.int16)
    end = np.minimum(last[..., None], pixel + (SUBPIXELS - 1))
    black = np.maximum(end - np.maximum(first[..., None], pixel) + 1, 0)
    black = black.reshape(-1, RASTER, SUBPIXELS, RASTER).sum(axis=2, dtype=np.int16)
    return (SUBPIXELS**2 - black).astype(np.uint8)
