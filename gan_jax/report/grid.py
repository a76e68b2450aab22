"""Sample grids: many images in one PNG, large enough to look at."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax.report import atomic

COMFORTABLE_WIDTH = 500  # pixels; smaller grids are enlarged by a whole factor
BACKGROUND, INK = 32, 220  # between the images: apart from black and from white pictures alike


def save_grid(
    path: str | os.PathLike, images: np.ndarray, columns: int, row_labels: Sequence[str] | None = None
) -> Path:
    """Writes images as one PNG grid, row by row from the top left; see `make_grid` for the images.

    Grids narrower than 500 pixels are enlarged by a whole factor with nearest neighbour, so every pixel of an image
    stays a square of one colour. Larger ones are written pixel for pixel.

    Args:
        row_labels: a text drawn at the left of each row, such as class names; one per row.

    Raises:
        UserError: the file cannot be written.
    """
    grid = make_grid(images, columns)
    factor = max(1, -(-COMFORTABLE_WIDTH // grid.shape[1]))
    grid = grid.repeat(factor, axis=0).repeat(factor, axis=1)
    picture = as_picture(grid)
    if row_labels is not None:
        picture = _with_labels(picture, row_labels, rows=-(-len(images) // columns))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return atomic.replace(path, buffer.getvalue())


def save_image(path: str | os.PathLike, image: np.ndarray) -> Path:
    """Writes one uint8 image [height, width, 1 or 3] as PNG, pixel for pixel.

    Raises:
        UserError: the file cannot be written.
    """
    buffer = io.BytesIO()
    as_picture(image).save(buffer, "PNG")
    return atomic.replace(path, buffer.getvalue())


def as_picture(image: np.ndarray) -> Image.Image:
    """A uint8 image [height, width, 1 or 3] as Pillow's."""
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def make_grid(images: np.ndarray, columns: int) -> np.ndarray:
    """One uint8 image [height, width, channels] of images [n, h, w, channels] and gaps of about 1/32 of an image.

    Args:
        images: uint8 with 1 or 3 channels. A last row that is not full is filled with background.
    """
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise ValueError(f"images have shape {images.shape}: expected [n, height, width, 1 or 3] with n > 0")
    count, height, width, channels = images.shape
    rows, columns = -(-count // columns), min(columns, count)
    gap = max(1, width // 32)
    grid = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), BACKGROUND, np.uint8)
    for index, image in enumerate(images):
        top, left = gap + index // columns * (height + gap), gap + index % columns * (width + gap)
        grid[top : top + height, left : left + width] = image
    return grid


def _with_labels(picture: Image.Image, labels: Sequence[str], rows: int) -> Image.Image:
    """The picture with a margin at its left that holds one label in the middle of each row."""
    if len(labels) != rows:
        raise ValueError(f"{len(labels)} row labels for {rows} rows")
    row_height = picture.height / rows
    font = ImageFont.load_default(size=min(22.0, max(9.0, row_height / 3)))
    padding = round(font.size * 0.7)
    margin = round(max(font.getlength(label) for label in labels)) + 2 * padding
    background, ink = (BACKGROUND, INK) if picture.mode == "L" else ((BACKGROUND,) * 3, (INK,) * 3)
    labelled = Image.new(picture.mode, (picture.width + margin, picture.height), background)
    labelled.paste(picture, (margin, 0))
    draw = ImageDraw.Draw(labelled)
    for row, label in enumerate(labels):
        draw.text((margin - padding, (row + 0.5) * row_height), label, ink, font, anchor="rm")
    return labelled
