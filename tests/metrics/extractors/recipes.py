"""The random weights and images of the evaluation vectors, by the recipes in data/README.md."""

import zlib

import numpy as np


def images(seed: int, kind: str, n: int, height: int, width: int) -> np.ndarray:
    """uint8 [n, height, width, 3]: noise, or a grid of 4 x 4 blocks of one colour."""
    random = np.random.RandomState(seed)
    if kind == "noise":
        return random.randint(0, 256, (n, height, width, 3)).astype(np.uint8)
    grid = random.randint(0, 256, (n, 4, 4, 3)).astype(np.uint8)
    return grid[:, 4 * np.arange(height)[:, None] // height, 4 * np.arange(width) // width]


def tensor(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A float32 tensor of a network, in PyTorch's layout and by its name there."""
    random = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    if name.endswith(("running_var", "bn.weight")):
        drawn = 0.8 + 0.4 * random.random_sample(shape)
    elif name.startswith("lin"):
        drawn = random.random_sample(shape)
    elif len(shape) == 1:
        drawn = 0.1 * random.standard_normal(shape)
    else:
        gain = 1 if name.startswith("fc.") else 2
        drawn = random.standard_normal(shape) * np.sqrt(gain / np.prod(shape[1:]))
    return drawn.astype(np.float32)


def vgg16_tensors(seed: int, hidden: int, classes: int) -> dict[str, np.ndarray]:
    """torchvision's tensors, with narrower layers behind the convolutions, which else hold nine tenths of all numbers."""
    shapes, channels = {}, 3
    for index, width in zip(
        (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28), (64, 64, 128, 128, *[256] * 3, *[512] * 6), strict=True
    ):
        shapes[f"features.{index}.weight"] = width, channels, 3, 3
        channels = width
    shapes |= {
        "classifier.0.weight": (hidden, 512 * 7 * 7),
        "classifier.3.weight": (hidden, hidden),
        "classifier.6.weight": (classes, hidden),
    }
    shapes |= {name.replace("weight", "bias"): shape[:1] for name, shape in shapes.items()}
    return {name: tensor(name, shape, seed) for name, shape in shapes.items()}
