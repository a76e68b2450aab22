"""The small transformers of data/eval_transformers: draws their weights and images, writes the weights as files."""

import zlib
from pathlib import Path

import numpy as np

from gan_jax.metrics.extractors.vit import VisionTransformer
from gan_jax.weights import tensors
from tests.reference import cases

FILE = "eval_transformers"


def weight(name: str, shape: list[int], seed: int) -> np.ndarray:
    """A tensor, float32, by the table in data/README.md."""
    random = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    if len(shape) == 1 and name.endswith((".weight", ".gamma")):
        return (0.8 + 0.4 * random.random_sample(shape)).astype(np.float32)
    tokens = ("cls_token", "pos_embed", "mask_token", "position_embedding.weight", "class_embedding")
    scale = 0.02 if name.endswith(tokens) else 0.1 if len(shape) == 1 else np.sqrt(2 / np.prod(shape[1:]))
    return (scale * random.standard_normal(shape)).astype(np.float32)


def published(case: str) -> dict[str, np.ndarray]:
    """All tensors of a case by their published names."""
    seed = cases(FILE)[case]["config"]["weight_seed"]
    return {name: weight(name, shape, seed) for name, shape in cases(FILE)[case]["layout"].items()}


def write(path: Path, found: dict[str, np.ndarray]) -> None:
    """Writes a .safetensors file."""
    path.write_bytes(tensors.to_safetensors(found))


def images(case: str) -> np.ndarray:
    """The images of a case, uint8 [n, h, w, 3], blocks of colours."""
    config = cases(FILE)[case]["config"]
    n, h, w = config["images"]
    colours = np.random.RandomState(config["image_seed"]).randint(0, 256, (n, 4, 4, 3)).astype(np.uint8)
    return colours[:, 4 * np.arange(h)[:, None] // h, 4 * np.arange(w) // w]


def small(network: VisionTransformer, case: str) -> VisionTransformer:
    """A network in the size of a case."""
    config = cases(FILE)[case]["config"]
    sizes = {name: config[name] for name in ("width", "depth", "heads", "projection") if name in config}
    return network.clone(**sizes)
