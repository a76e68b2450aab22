"""VGG16, whose second fully connected layer precision and recall compare, and whose trunk is that of LPIPS.

Source: Simonyan and Zisserman 2014 (arXiv 1409.1556); torchvision's weights and names, by which the parameters go.
Pure functions of the weights: all widths are theirs.
"""

from collections.abc import Mapping
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.metrics.extractor import Extractor, Tree
from gan_jax.metrics.extractors import state_dict
from gan_jax.metrics.resize import RULES
from gan_jax.metrics.weights_file import WeightsFile
from gan_jax.weights import tensors
from gan_jax.weights.places import CONV, DENSE, SAME, Layout, Place

SIZE = 224
FILE = WeightsFile(
    ("vgg16-397923af.pth",),
    "https://download.pytorch.org/models/vgg16-397923af.pth",
    "397923af8e79cdbb6a7127f12361acd7",
)
# torchvision's numbers of the convolutions between two pools, and their width.
STAGES = (((0, 2), 64), ((5, 7), 128), ((10, 12, 14), 256), ((17, 19, 21), 512), ((24, 26, 28), 512))
_HIDDEN, _CLASSES = 4096, 1000
_CELLS = 7  # a side of what reaches the classifier
_MEAN, _DEVIATION = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])

# PyTorch flattens channels first.
_FLATTENED = Layout(
    lambda t: t.reshape(len(t), -1, _CELLS, _CELLS).transpose(2, 3, 1, 0).reshape(-1, len(t)),
    lambda t: t.reshape(_CELLS, _CELLS, -1, t.shape[1]).transpose(3, 2, 0, 1).reshape(t.shape[1], -1),
)


def open_vgg16(folder: str | Path) -> Extractor:
    """The network with the weights in a folder: [n, 4096] behind the ReLU of the second fully connected layer.

    Images are resized by TensorFlow 1's rule to 224 pixels, as in torch-fidelity, which differs from NVIDIA's detector
    by less than 0.01.

    Raises:
        ConfigError: the file is not there.
        UserError: it cannot be read, is damaged, or another file.
    """
    path, sha256 = FILE.find(folder)
    variables = read(path, ("features", "classifier"))
    return Extractor("vgg16", sha256, "tf1", variables, _apply, features="fc2")


def read(path: Path, parts: tuple[str, ...]) -> Tree:
    """`{part: {number of the layer: {kernel, bias}}}` of torchvision's file, "features" and "classifier" or one of them.

    Raises:
        UserError: the file cannot be read, is damaged, or another file.
    """
    channels, shapes, layouts = 3, {}, {}
    for layers, width in STAGES:
        for layer in layers:
            shapes["features", str(layer)], layouts["features", str(layer)] = (3, 3, channels, width), CONV
            channels = width
    for layer, rows, columns in ((0, _CELLS**2 * channels, _HIDDEN), (3, _HIDDEN, _HIDDEN), (6, _HIDDEN, _CLASSES)):
        shapes["classifier", str(layer)] = rows, columns
        layouts["classifier", str(layer)] = DENSE if layer else _FLATTENED
    places: dict[str, Place | None] = {}
    expected = {}
    for (part, layer), shape in shapes.items():
        kernel, bias = (part, layer, "kernel"), (part, layer, "bias")
        kept = part in parts and layer != "6"
        places[f"{part}.{layer}.weight"] = Place(kernel, layouts[part, layer]) if kept else None
        places[f"{part}.{layer}.bias"] = Place(bias, SAME) if kept else None
        expected |= {kernel: shape, bias: shape[-1:]}
    return state_dict.variables(path, tensors.read(path), places, expected)


def taps(layers: Mapping[str, Mapping[str, jax.Array]], x: jax.Array) -> list[jax.Array]:
    """What the last ReLU of every stage gives, in front of its pool.

    Args:
        layers: the part "features".
        x: images float32 [n, h, w, 3], scaled as the user of the network does.

    Returns:
        [n, h, w, 64], [n, h / 2, w / 2, 128], ... [n, h / 16, w / 16, 512]: five.
    """
    found: list[jax.Array] = []
    for numbers, _ in STAGES:
        if found:
            x = _pool(x)
        for number in numbers:
            layer = layers[str(number)]
            x = nn.relu(_convolution(x, layer["kernel"]) + layer["bias"])
        found.append(x)
    return found


def _convolution(x, kernel):
    """SAME; the precision is named here, so that derivatives have it too."""
    precision = jax.lax.Precision.HIGHEST
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers, precision=precision)


def _pool(x):
    return nn.max_pool(x, (2, 2), (2, 2))


def _apply(variables, images):
    x = RULES["tf1"](images, (SIZE, SIZE))
    x = (x - 255 * _MEAN) / (255 * _DEVIATION)
    x = _pool(taps(variables["features"], x)[-1])
    x = x.reshape(len(x), -1)
    for number in ("0", "3"):
        layer = variables["classifier"][number]
        x = nn.relu(jnp.matmul(x, layer["kernel"], precision=jax.lax.Precision.HIGHEST) + layer["bias"])
    return {"fc2": x}
