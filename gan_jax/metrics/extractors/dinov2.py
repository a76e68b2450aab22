"""DINOv2 ViT-L/14 without registers, in whose features FD-DINOv2 is measured (arXiv 2304.07193, 2306.04675).

The features are the class token after the last norm, of images resized to 224 pixels. Sources: facebookresearch/dinov2,
dinov2/models/vision_transformer.py and dinov2/hub/backbones.py; layer6ai-labs/dgm-eval, dgm_eval/models/dinov2.py.
"""

import functools
import math
from pathlib import Path

import jax
import numpy as np

from gan_jax.metrics import resize as resizing
from gan_jax.metrics.extractor import Extractor
from gan_jax.metrics.extractors import state_dict, vit
from gan_jax.metrics.weights_file import WeightsFile
from gan_jax.weights import tensors
from gan_jax.weights.places import CONV, SAME, Layout

SIDE = 224
TRAINED_SIDE = 518  # of the images for which the file has positions
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NETWORK = vit.VisionTransformer(
    patch=14, width=1024, depth=24, heads=16, epsilon=1e-6, activation=vit.exact_gelu, fused=True, layer_scale=True
)
FILE = WeightsFile(
    ("dinov2_vitl14_pretrain.pth",),
    "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth",
    "d5383ea8f4877b24",  # as its users record it: there is one version, and its publisher gives no hash
)
_NAMES = {"pil_bicubic_uint8": "dinov2", "clean": "dinov2-clean"}
_OUTSIDE = {
    "cls_token": ("class_token", Layout(lambda t: t[0, 0], lambda t: t[None, None])),
    "pos_embed": ("positions", Layout(lambda t: t[0], lambda t: t[None])),
    "patch_embed.proj.weight": ("patches/kernel", CONV),
    "patch_embed.proj.bias": ("patches/bias", SAME),
    **vit.norm("norm", "norm"),
}
_IN_BLOCK = {
    **vit.norm("norm1", "norm1"),
    **vit.dense("attn.qkv", "qkv"),
    **vit.dense("attn.proj", "output"),
    "ls1.gamma": ("scale1", SAME),
    **vit.norm("norm2", "norm2"),
    **vit.dense("mlp.fc1", "mlp1"),
    **vit.dense("mlp.fc2", "mlp2"),
    "ls2.gamma": ("scale2", SAME),
}


def interpolated(positions: np.ndarray, side: int) -> np.ndarray:
    """Positions [1 + s s, c] of s x s patches, the class token's first -> [1 + side side, c] for side x side patches.

    Bicubic as PyTorch's `interpolate`: Keys' kernel with a = -0.75, no antialiasing, the edge repeated. The published
    code adds 0.1 to the side against rounding, and scales by (side + 0.1) / s: this moves every point that is read, by
    up to 0.2 patches from 37 to 16, and the weights' published features are those with it.
    """
    source = math.isqrt(len(positions) - 1)
    point = (np.arange(side)[:, None] + 0.5) * source / (side + 0.1) - 0.5
    patch = np.floor(point) + np.arange(-1, 3)
    weights = np.zeros((side, source))
    np.add.at(weights, (np.arange(side)[:, None], np.clip(patch, 0, source - 1).astype(int)), _cubic(point - patch))
    grid = positions[1:].reshape(source, source, -1)
    grid = np.einsum("yi,xj,ijc->yxc", weights, weights, grid, optimize=True)
    return np.concatenate([positions[:1], grid.reshape(side * side, -1)]).astype(np.float32)


def _cubic(x):
    a, x = -0.75, np.abs(x)
    return np.where(x <= 1, ((a + 2) * x - (a + 3)) * x * x + 1, ((x - 5) * x + 8) * x * a - 4 * a)


def open_dinov2(folder: str | Path, resize: str = "pil_bicubic_uint8") -> Extractor:
    """The network with the weights in a folder; its output "class_token" is [n, 1024].

    Args:
        resize: "pil_bicubic_uint8" makes the "dinov2" of published figures, "clean" the "dinov2-clean" that resizes in
            floats. Their figures differ.

    Raises:
        ConfigError: the file is not there.
        UserError: it cannot be read, is damaged, or is another file.
    """
    path, sha256 = FILE.find(folder)
    found = {name: tensor for name, tensor in tensors.read(path).items() if name != "mask_token"}  # of the training
    places = vit.places(_OUTSIDE, "blocks.{}.", _IN_BLOCK, NETWORK.depth)
    variables = state_dict.variables(path, found, places, vit.shapes(NETWORK, TRAINED_SIDE))
    params = variables["params"]
    params["positions"] = interpolated(params["positions"], SIDE // NETWORK.patch)
    apply = functools.partial(_apply, resize)
    return Extractor(_NAMES[resize], sha256, resize, variables, apply, features="class_token")


def _apply(resize, variables, images: jax.Array):
    pixels = resizing.RULES[resize](images, (SIDE, SIDE))
    return {"class_token": NETWORK.apply(variables, vit.scaled(pixels, MEAN, STD))}
