"""LPIPS 0.1 with VGG16: the distance of two images by the features of a network, weighted as people judge.

Source: Zhang et al. 2018 (arXiv 1801.03924); richzhang/PerceptualSimilarity, lpips/lpips.py.
"""

import dataclasses
import hashlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.metrics.extractor import Tree
from gan_jax.metrics.extractors import state_dict, vgg16
from gan_jax.metrics.weights_file import WeightsFile
from gan_jax.weights import tensors
from gan_jax.weights.places import Layout, Place

FILE = WeightsFile(
    ("vgg.pth", "weights-vgg16-lpips.pth"),
    "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/vgg.pth",
    "a78928a0af1e5f0fcb1f3b9e8f8c3a2a",
)
_SHIFT, _SCALE = np.float32([-0.030, -0.088, -0.188]), np.float32([0.458, 0.448, 0.450])
_POINTWISE = Layout(lambda t: t.reshape(-1), lambda t: t.reshape(1, -1, 1, 1))


@dataclasses.dataclass(frozen=True)
class Lpips:
    """The weights of the network and of its channels.

    Attributes:
        sha256: of the SHA-256 of both files, in hexadecimal, one behind the other.
        variables: for `distance`.
    """

    sha256: str
    variables: Tree


def load(folder: str | Path) -> Lpips:
    """Both files of a folder: torchvision's VGG16, and the weights of the channels.

    Raises:
        ConfigError: a file is not there.
        UserError: it cannot be read, is damaged, or another file.
    """
    trunk, trunk_hash = vgg16.FILE.find(folder)
    linear, linear_hash = FILE.find(folder)
    expected = {("linear", str(i)): (width,) for i, (_, width) in enumerate(vgg16.STAGES)}
    places = {f"lin{i}.model.1.weight": Place(("linear", str(i)), _POINTWISE) for i in range(len(expected))}
    variables = vgg16.read(trunk, ("features",)) | state_dict.variables(linear, tensors.read(linear), places, expected)
    return Lpips(hashlib.sha256((trunk_hash + linear_hash).encode()).hexdigest(), variables)


def distance(variables: Tree, a: jax.Array, b: jax.Array) -> jax.Array:
    """Distance of images float [n, h, w, 1 or 3] in [-1, 1], not rounded: float32 [n], differentiable by both.

    0 for equal images. One channel counts as three equal ones.
    """
    return distances(variables, a, b).sum(axis=-1)


def distances(variables: Tree, a: jax.Array, b: jax.Array) -> jax.Array:
    """The parts of the distance that the five stages of the network add: float32 [n, 5]."""
    parts = []
    for i, (x, y) in enumerate(zip(_features(variables, a), _features(variables, b), strict=True)):
        weighted = jnp.square(x - y) * variables["linear"][str(i)]
        parts.append(weighted.sum(axis=-1).mean((1, 2)))
    return jnp.stack(parts, axis=-1)


def _features(variables, images):
    x = (images.astype(jnp.float32) - _SHIFT) / _SCALE  # makes three channels of one
    return [_unit(x) for x in vgg16.taps(variables["features"], x)]


def _unit(x):
    """Divided by the length over channels, which has no derivative where all are 0: they stay 0 there."""
    square = jnp.square(x).sum(axis=-1, keepdims=True)
    return x / (jnp.sqrt(jnp.where(square > 0, square, 1)) + 1e-10)
