"""Random pixels in any shape and number of classes: for benchmarks and trials where the real data are absent."""

import numpy as np

from gan_jax.data.source import ArraySource

COUNT = 256


def open_section(argument: str, section) -> ArraySource:
    """`config.data.count` images (256 if not given) with the labels 0, 1, 2, ... of `config.data.num_classes`."""
    count, classes = section.get("count") or COUNT, section.get("num_classes") or 0
    shape = (count, section.resolution, section.resolution, section.channels)
    images = np.random.RandomState(0).randint(0, 256, shape, np.uint8)
    labels = np.arange(count, dtype=np.int32) % classes if classes else None
    return ArraySource("noise", images, labels, [str(number) for number in range(classes)])
