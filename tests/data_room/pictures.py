"""An origin whose images are drawn when asked for, in a module that worker processes can import."""

import io
import os
import time
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PIL import Image

from gan_jax.data.origin import Item, Origin

SIZE = 12


def pixels(split: str, index: int) -> np.ndarray:
    """Image `index` of a split: uint8 [12, 12, 3]."""
    return np.random.RandomState([index, len(split)]).randint(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)


@dataclass
class Pictures(Origin):
    """Random pictures; number i has class i % 3, or the label vector (i % 2, i).

    Args:
        damaged: numbers of images that are no images.
        alpha: numbers of images that have an alpha channel.
        seconds: what it takes to open one.
        gate: while this file exists, images from number 8 on do not open.
    """

    splits: dict = field(default_factory=lambda: {"train": 24, "test": 6})
    class_names: tuple = ("ant", "bee", "cat")
    label_dim: int = 0
    damaged: tuple = ()
    alpha: tuple = ()
    seconds: float = 0.0
    gate: str = ""
    name: str = "pictures"

    def items(self, split, start, stop):
        for index in range(start, stop):
            label = (index % 2, float(index)) if self.label_dim else index % 3 if self.class_names else -1
            yield Item(f"{index:03d}.png", label, partial(self.draw, split, index))

    def draw(self, split, index):
        time.sleep(self.seconds)
        while self.gate and index >= 8 and os.path.exists(self.gate):
            time.sleep(0.01)
        image = Image.fromarray(pixels(split, index))
        if index in self.alpha:
            image.putalpha(255)
        file = io.BytesIO(b"no image at all")
        if index not in self.damaged:
            file = io.BytesIO()
            image.save(file, "PNG")
        return Image.open(file)
