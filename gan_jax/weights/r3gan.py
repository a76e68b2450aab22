"""The networks of R3GAN (brownvc/R3GAN, R3GAN/Networks.py): where their tensors live with us, and what they tell.

Weights are used as they are stored, so the two differ in names and by transposing. Pickles keep no arguments of the
constructors; the shapes tell all but which stages compute in float32.
"""

import re
from collections.abc import Mapping
from typing import Any

from gan_jax.errors import UserError
from gan_jax.weights.places import CHANNELS_LAST, CONV, DENSE, SAME, Layout, Place

Shapes = Mapping[str, tuple[int, ...]]

BASE = 4  # pixels of the lowest stage
EXPANSION = 2  # channels inside a block over those between blocks
_WRAPPER = "Model."  # the module of training/networks.py around the network, which pickles hold
_POINTWISE = Layout(lambda t: t[:, :, 0, 0].T, lambda t: t.T)
_DEPTHWISE = Layout(lambda t: t[:, 0].transpose(1, 2, 0), CHANNELS_LAST.theirs)
_OUTSIDE = {
    "ExtractionLayer.Layer.weight": ("input", "kernel", _POINTWISE),
    "AggregationLayer.Layer.weight": ("output", "kernel", _POINTWISE),
    "EmbeddingLayer.weight": ("embedding", "embedding", DENSE),
}
_IN_BLOCK = {
    "LinearLayer1.Layer.weight": ("conv1", "kernel", _POINTWISE),
    "LinearLayer2.Layer.weight": ("conv2", "kernel", CONV),
    "LinearLayer3.Layer.weight": ("conv3", "kernel", _POINTWISE),
    "NonLinearity1.Bias": ("conv1", "bias", SAME),
    "NonLinearity2.Bias": ("conv2", "bias", SAME),
}
_IN_STAGE = re.compile(r"MainLayers\.(\d+)\.Layers\.(\d+)\.(.+)")


def is_generator(shapes: Shapes) -> bool:
    """Whether these are the tensors of a generator."""
    return "AggregationLayer.Layer.weight" in _bare(shapes)


def places(shapes: Shapes) -> dict[str, Place | None]:
    """Where every tensor of a generator or discriminator lives in our variables; None for the designed filters.

    Raises:
        UserError: a name that these networks do not have.
    """
    stages, generator = _stages(shapes), is_generator(shapes)

    def place(name: str) -> Place | None:
        bare = name.removeprefix(_WRAPPER)
        if bare in _OUTSIDE:
            *path, layout = _OUTSIDE[bare]
            return Place(("params", *path), layout)
        if not (match := _IN_STAGE.fullmatch(bare)):
            raise UserError(f"R3GAN's networks have no tensor {name}")
        stage, layer, rest = int(match[1]), int(match[2]), match[3]
        side = BASE << (stage if generator else stages - 1 - stage)
        if rest in _IN_BLOCK:  # before the blocks, a generator's stage has a layer 0 that changes the size
            module, key, layout = _IN_BLOCK[rest]
            return Place(("params", f"block_{side}_{layer - generator}", module, key), layout)
        between = {
            "Resampler.Kernel": None,
            "LinearLayer.Layer.weight": Place(
                ("params", f"{'up' if generator else 'down'}_{side}", "kernel"), _POINTWISE
            ),
            "Basis": Place(("params", "basis"), CHANNELS_LAST),
            "Basis.weight": Place(("params", "basis"), _DEPTHWISE),
            "LinearLayer.weight": Place(("params", "coefficients" if generator else "features", "kernel"), DENSE),
        }
        if rest not in between:
            raise UserError(f"R3GAN's networks have no tensor {name}")
        return between[rest]

    return {name: place(name) for name in shapes}


def describe(shapes: Shapes) -> dict[str, Any]:
    """The fields of our config that the tensors of a network tell, such as {"model.G.widths": (768, 768, 768, 768)}."""
    bare, stages, generator = _bare(shapes), _stages(shapes), is_generator(shapes)
    grouped = {name: shape for name, shape in bare.items() if name.endswith("LinearLayer2.Layer.weight")}
    of_stage = [
        [shape for name, shape in grouped.items() if name.startswith(f"MainLayers.{stage}.")] for stage in range(stages)
    ]
    if not generator:
        of_stage.reverse()
    network = {
        "widths": tuple(shapes[0][0] // EXPANSION for shapes in of_stage),
        "groups": tuple(shapes[0][0] // shapes[0][1] for shapes in of_stage),
        "blocks": tuple(len(shapes) for shapes in of_stage),
    }
    embedding_dim, num_classes = bare.get("EmbeddingLayer.weight", (0, 0))
    if num_classes:
        network["embedding_dim"] = embedding_dim
    fields = {f"model.{'G' if generator else 'D'}.{name}": value for name, value in network.items()}
    if generator:
        fields |= {
            "model.dim_z": bare["MainLayers.0.Layers.0.LinearLayer.weight"][1] - embedding_dim,
            "data.resolution": BASE << (stages - 1),
            "data.num_classes": num_classes,
            "data.channels": bare["AggregationLayer.Layer.weight"][0],
        }
    return fields


def _bare(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    return {name.removeprefix(_WRAPPER): tuple(shape) for name, shape in shapes.items()}


def _stages(shapes: Shapes) -> int:
    return 1 + max((int(match[1]) for name in _bare(shapes) if (match := _IN_STAGE.fullmatch(name))), default=0)
