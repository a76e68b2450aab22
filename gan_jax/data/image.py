"""One image between its file and the uint8 array that everything else sees."""

from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from gan_jax.errors import UserError

# What Pillow raises for files that are no image, are cut short, or claim an absurd size.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def decode(file: str | BinaryIO, resolution: int, channels: int, name: str | None = None) -> np.ndarray:
    """Decodes an image file (a path or an open file) to uint8 [resolution, resolution, channels]; see `fit`.

    Raises:
        UserError: the file, called `name` in the sentence, is missing, is no image or is cut short.
    """
    try:
        with Image.open(file) as image:
            return fit(image, resolution, channels)
    except DAMAGE as error:
        raise UserError(
            f"{name or file} cannot be read as an image ({error}): expected a whole PNG, JPEG or WebP file; "
            "replace or remove it"
        ) from error


def fit(image: Image.Image, resolution: int, channels: int) -> np.ndarray:
    """The largest centred square of an image, scaled by a Lanczos filter.

    The EXIF orientation is applied first. Transparent pixels show white behind them; palette, CMYK and grey images
    become RGB (3 channels) or luma (1 channel, ITU-R 601); 16-bit grey keeps its upper 8 bits. An image that has the
    resolution already keeps its pixels.

    Returns:
        uint8 [resolution, resolution, channels].
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # Pillow would clip 16-bit values at 255 instead of scaling them.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if channels == 1 else "RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.resize((resolution, resolution), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
    return np.asarray(image).reshape(resolution, resolution, channels)
