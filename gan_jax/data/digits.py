"""The 1,797 handwritten digits that come with scikit-learn: a data set that needs no download."""

import numpy as np
from PIL import Image

from gan_jax.data.source import ArraySource
from gan_jax.errors import ConfigError


def open_section(argument: str, section) -> ArraySource:
    """Opens "digits" for `data.source.open_source`."""
    return digits(section.resolution, section.channels)


def digits(resolution: int = 16, channels: int = 1) -> ArraySource:
    """White digits on black, ten classes, scaled from 8 x 8 pixels with 17 grey levels.

    Bicubic interpolation of the float image keeps the strokes crisp; its overshoot is clipped to 0..255.

    Raises:
        ConfigError: `resolution` is not a multiple of 8.
    """
    from sklearn.datasets import load_digits  # Imported here: scikit-learn takes a second to start.

    if resolution % 8:
        raise ConfigError(f"config.data.resolution is {resolution}: the digits need a multiple of 8")
    data = load_digits()
    size = (resolution, resolution)
    scaled = [Image.fromarray(digit).resize(size, Image.Resampling.BICUBIC) for digit in data.images.astype(np.float32)]
    images = np.clip(np.round(np.stack(scaled) * (255 / 16)), 0, 255).astype(np.uint8)
    images = np.repeat(images[..., None], channels, axis=-1)
    return ArraySource("digits", images, data.target, [str(digit) for digit in data.target_names])
