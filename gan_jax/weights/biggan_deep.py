"""The TF-Hub generators of BigGAN-deep as pytorch-pretrained-BigGAN released them: `pytorch_model.bin`, `config.json`.

Two things differ from a network of ours. Every batch normalisation has a row of statistics for each truncation 0,
0.02, ..., 1; ours has one, so a row is chosen on import. And each weight has the u and v of the power iteration that
gave its singular value, where ours iterates once more from u; so u becomes the vector from which that one iteration
leads to the stored v.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from gan_jax.errors import ConfigError, UserError
from gan_jax.networks.biggan import generator_widths
from gan_jax.weights.places import CONV, DENSE, SAME, Layout, Place

Shapes = Mapping[str, tuple[int, ...]]

_SCALAR = Layout(lambda t: t.reshape(()), lambda t: t)
_MODULES = {"gen_z": ("stem",), "bn": ("output", "norm"), "conv_to_rgb": ("output", "conv")}
_PARTS = {"scale": "gain", "offset": "bias", "theta": "query", "phi": "key", "g": "value", "o_conv": "output"} | {
    f"{theirs}_{i}": f"{ours}{i + 1}" for theirs, ours in (("bn", "norm"), ("conv", "conv")) for i in range(4)
}
_LEAVES = {
    "weight_orig": ("params", "kernel"),
    "weight": ("params", "scale"),
    "bias": ("params", "bias"),
    "gamma": ("params", "gamma"),
    "weight_u": ("spectral", "u"),
    "running_means": ("batch_stats", "mean"),
    "running_vars": ("batch_stats", "var"),
}


def places(shapes: Shapes) -> dict[str, Place | None]:
    """Where every tensor of the generator, made ready by `with_one_row`, lives in our variables.

    Raises:
        UserError: a name that the generator does not have.
    """
    (attention,) = [int(name.split(".")[2]) for name in shapes if name.endswith(".gamma")]
    embedding = shapes["embeddings.weight"][0]
    # The condition is [z, class] there and [class, z] here.
    linear = Layout(lambda t: np.roll(t.T, embedding, axis=0), lambda t: np.roll(t, -embedding, axis=0).T)

    def module(path: list[str]) -> tuple[str, ...]:
        if path[0] != "layers":
            return _MODULES[path[0]]
        index = int(path[1])
        block = f"attention_{attention // 2 - 1}" if index == attention else f"block_{index - (index > attention)}"
        return block, *(_PARTS[part.removeprefix("snconv1x1_")] for part in path[2:])

    def place(name: str) -> Place | None:
        if name == "embeddings.weight":
            return Place(("params", "shared", "embedding"), DENSE)
        if name.endswith(".weight_v"):
            return None
        try:
            _, *path, last = name.split(".")
            collection, key = _LEAVES[last]
            where = module(path)
        except (KeyError, IndexError, ValueError) as error:
            raise UserError(f"pytorch-pretrained-BigGAN's generator has no tensor {name}") from error
        layout = _SCALAR if key == "gamma" else SAME
        if key == "kernel":
            layout = CONV if len(shapes[name]) == 4 else linear
        return Place((collection, *where, key), layout)

    return {name: place(name) for name in shapes}


def with_one_row(tensors: Mapping[str, np.ndarray], truncation: float) -> dict[str, np.ndarray]:
    """The tensors with the statistics of one truncation, and with u one iteration before the stored v.

    Raises:
        ConfigError: there is no row for this truncation.
    """
    rows = max((len(tensor) for name, tensor in tensors.items() if name.endswith(".running_means")), default=2)
    row = next((row for row in range(rows) if np.isclose(truncation, row / (rows - 1))), None)
    if row is None:
        raise ConfigError(
            f"--truncation is {truncation}: expected 0 to 1 in steps of {1 / (rows - 1):g}, for which the file has statistics"
        )

    def ready(name: str, tensor: np.ndarray) -> np.ndarray:
        if name.endswith((".running_means", ".running_vars")):
            return tensor[row]
        if name.endswith(".weight_u"):
            weight, v = (tensors[name.replace("weight_u", other)] for other in ("weight_orig", "weight_v"))
            return _before(weight.reshape(len(weight), -1).astype(np.float64), v)
        return tensor

    return {name: ready(name, tensor) for name, tensor in tensors.items()}


def _before(weight: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The smallest u [out] with W^T u = v for a weight W [out, rest], by the smaller of its two Gram matrices."""
    if len(weight) <= len(v):
        return np.linalg.lstsq(weight @ weight.T, weight @ v)[0].astype(np.float32)
    return (weight @ np.linalg.lstsq(weight.T @ weight, v)[0]).astype(np.float32)


def describe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of our config for a `config.json`.

    Raises:
        UserError: blocks that are none of the published generators'.
    """
    resolution, channels, eps = settings["output_dim"], settings["channel_width"], settings["eps"]
    widths = generator_widths(resolution)
    pairs = itertools.pairwise(widths)
    blocks = [block for before, after in pairs for block in ([False, before, before], [True, before, after])]
    position = settings["attention_layer_position"]
    if [list(block) for block in settings["layers"]] != blocks or position % 2 or not 0 < position <= len(blocks):
        raise UserError(
            f"config.json has layers {settings['layers']} and attention at {position}: expected {blocks}, as published for "
            f"{resolution} pixels, and attention behind a block that doubles"
        )
    shared = {"channels": channels, "attention": (4 << position // 2,), "sn_eps": eps}
    generator = {
        **shared,
        "dim_z": settings["z_dim"],
        "shared_dim": settings["class_embed_dim"],
        "wide_rgb": True,
        "bn_eps": eps,
        "output_bn_eps": eps,
    }
    return {
        **{f"model.G.{name}": value for name, value in generator.items()},
        **{f"model.D.{name}": value for name, value in shared.items()},
        "data.resolution": resolution,
        "data.num_classes": settings["num_classes"],
        "data.channels": 3,
    }
