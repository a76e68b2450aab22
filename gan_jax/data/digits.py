"""The 1,797 handwritten digits that come with scikit-learn: a data set that needs no download."""

import numpy as np
from PIL import Image

from gan_jax.data.source import ArraySource
from gan_jax.errors import ConfigError

HELD_OUT = 360  # of a fixed order, a fifth: those that the built-in encoder has not seen either


def open_section(argument: str, section) -> ArraySource:
    """Opens "digits[:SPLIT]" for `data.source.open_source`: all of them, or those to train on, or those to test on.

    Raises:
        ConfigError: there is no such split, or the resolution is no multiple of 8.
    """
    source = digits(section.resolution, section.channels)
    order = np.random.RandomState(0).permutation(len(source))
    splits = {"": np.arange(len(source)), "train": np.sort(order[HELD_OUT:]), "test": np.sort(order[:HELD_OUT])}
    if argument not in splits:
        raise ConfigError(
            f"config.data.source is 'digits:{argument}', but the digits have no split {argument!r}: expected train, test "
            "or none"
        )
    chosen = splits[argument]
    name = f"digits:{argument}" if argument else "digits"
    return ArraySource(name, source.images[chosen], source.labels[chosen], source.class_names)


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
