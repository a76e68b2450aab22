"""One image between its file and the uint8 array that everything else sees."""

import os
import struct
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image

from gan_jax.errors import UserError

# What Pillow raises for files that are no image, are cut short, or claim an absurd size.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)

_TURNS = {  # EXIF orientation -> what undoes it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class TooSmall(ValueError):
    """The image is whole, but a crop does not take images of its size: leave it out."""


def decode(
    file: str | os.PathLike | BinaryIO, resolution: int, channels: int, name: str | None = None, crop: str = "center"
) -> np.ndarray:
    """Decodes an image file (a path or an open file) to uint8 [resolution, resolution, channels]; see `fit`.

    Raises:
        UserError: the file, called `name` in the sentence, is missing, is no image, is cut short or is too small.
    """
    name = name or str(file)
    try:
        with open_image(file) as image:
            return fit(image, resolution, channels, crop)
    except TooSmall as error:
        raise UserError(f"{name} has {error}: remove it or choose another crop") from error
    except DAMAGE as error:
        raise UserError(
            f"{name} cannot be read as an image ({error}): expected a whole PNG, JPEG or WebP file; "
            "replace or remove it"
        ) from error


def open_image(file: str | os.PathLike | BinaryIO) -> Image.Image:
    """Opens an image file without decoding its pixels yet.

    An image of more than `Image.MAX_IMAGE_PIXELS` (89 million) counts as damaged. Pillow warns from there on and refuses
    at twice as many; but every thread that decodes one would hold it whole, so a folder of them would fill the memory.

    Raises:
        One of `DAMAGE`: it is missing, is no image, or is too large.
    """
    try:
        image = Image.open(file)
    except Image.UnidentifiedImageError as error:
        raise OSError("its content is no image of a known kind") from error
    if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
        raise Image.DecompressionBombError(
            f"it claims {image.width} x {image.height} pixels, more than {Image.MAX_IMAGE_PIXELS}"
        )
    return image


def fit(image: Image.Image, resolution: int, channels: int, crop: str = "center") -> np.ndarray:
    """An image cropped and scaled to a square.

    The EXIF orientation is applied first. Transparent pixels show white behind them; palette, CMYK and grey images
    become RGB (3 channels) or luma (1 channel, ITU-R 601); 16-bit grey keeps its upper 8 bits; an animation gives its
    first frame. An image that has the resolution already keeps its pixels.

    Args:
        crop: one of `CROPS`.
            "center": the largest centred square, scaled by a Lanczos filter, as the center-crop of dataset_tool.py in
            StyleGAN2-ADA.
            "biggan": the largest centred square, scaled by a bilinear filter: CenterCropLongEdge of utils.py in
            BigGAN-PyTorch, then torchvision's Resize. Where the square cannot be centred exactly, torchvision's
            center_crop starts at round(difference / 2), half to even.
            "center-crop-wide": what dataset_tool.py of StyleGAN2-ADA does for LSUN cars: a picture of resolution x
            3/4 resolution between black bars. It keeps round(resolution * height / width) centred rows, all columns.

    Returns:
        uint8 [resolution, resolution, channels].

    Raises:
        TooSmall: "center-crop-wide" leaves out images with fewer columns than the resolution or fewer rows than 3/4.
        One of `DAMAGE`: the pixels cannot be decoded.
    """
    orientation = _orientation(image)
    if orientation in _TURNS:
        image = image.transpose(_TURNS[orientation])
    if image.mode.startswith("I"):  # Pillow would clip 16-bit values at 255 instead of scaling them.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    mode = "L" if channels == 1 else "RGB"
    image = image if image.mode == mode else image.convert(mode)
    if image.size != (resolution, resolution) or crop == "center-crop-wide":
        image = _CROPS[crop](image, resolution)
    return np.asarray(image).reshape(resolution, resolution, channels)


def unusual(image: Image.Image) -> str | None:
    """Why an image, opened but not yet decoded, is not plain 8-bit grey or RGB, in a word or two; None if it is.

    Raises:
        One of `DAMAGE`: it cannot be read so far.
    """
    # A second picture in a JPEG (MPO) is a camera's preview, no animation.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        return "animated"
    if image.mode.startswith("I") or any(";16" in str(tile[3]) for tile in getattr(image, "tile", ())):
        return "16-bit"
    if image.mode == "P":
        return "palette"
    if image.has_transparency_data:
        return "alpha"
    if image.mode not in ("1", "L", "RGB"):
        return image.mode
    return "rotated by EXIF" if _orientation(image) in _TURNS else None


def _orientation(image: Image.Image) -> int | None:
    """The EXIF orientation; None without one, or if the EXIF data are damaged, which is no reason to lose the image."""
    image.load()  # so that nothing but the EXIF data can fail below
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except (SyntaxError, struct.error):
        return None


def _center(image: Image.Image, resolution: int) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return square.resize((resolution, resolution), Image.Resampling.LANCZOS)


def _biggan(image: Image.Image, resolution: int) -> Image.Image:
    side = min(image.size)
    left, top = round((image.width - side) / 2), round((image.height - side) / 2)
    square = image.crop((left, top, left + side, top + side))
    return square.resize((resolution, resolution), Image.Resampling.BILINEAR)


def _wide(image: Image.Image, resolution: int) -> Image.Image:
    height = resolution * 3 // 4
    rows = round(resolution * image.height / image.width)
    if image.width < resolution or rows < height:
        raise TooSmall(f"{image.width} x {image.height} pixels, too few for {resolution} x {height}")
    band = image.crop((0, (image.height - rows) // 2, image.width, (image.height + rows) // 2))
    canvas = Image.new(image.mode, (resolution, resolution))
    canvas.paste(band.resize((resolution, height), Image.Resampling.LANCZOS), (0, (resolution - height) // 2))
    return canvas


_CROPS = {"center": _center, "biggan": _biggan, "center-crop-wide": _wide}
CROPS = tuple(_CROPS)
