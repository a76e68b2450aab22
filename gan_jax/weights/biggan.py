"""BigGAN-PyTorch's networks (BigGAN.py, BigGANdeep.py): where their tensors live with us, and what they tell.

A file holds the state_dict of one network. The generator's first layer puts out channels before rows and columns,
ours rows and columns before channels. The singular values that the published layers remember are not kept: nothing
reads them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gan_jax.errors import UserError
from gan_jax.networks.biggan import discriminator_widths, generator_widths
from gan_jax.weights.places import CONV, DENSE, FLAT, SAME, Layout, Place

Shapes = Mapping[str, tuple[int, ...]]


def _positions_first(t: np.ndarray) -> np.ndarray:
    """Rows ordered (channel, position) of 4x4 positions to (position, channel)."""
    return t.reshape(-1, 16, *t.shape[1:]).swapaxes(0, 1).reshape(t.shape)


def _channels_first(t: np.ndarray) -> np.ndarray:
    return t.reshape(16, -1, *t.shape[1:]).swapaxes(0, 1).reshape(t.shape)


STEM = Layout(lambda t: _positions_first(t).T, lambda t: _channels_first(t.T))
STEM_VECTOR = Layout(lambda t: _positions_first(t.reshape(-1)), _channels_first)

_LAYERS = {
    "shared": "shared",
    "input_conv": "stem",
    "embed": "output/projection",
    "output_layer.0": "output/norm",
    "output_layer.2": "output/conv",
}
_SUBLAYERS = {"conv_sc": "shortcut", "theta": "query", "phi": "key", "g": "value", "o": "output"}
_ATTENTION = ("theta", "phi", "g", "o")
_BUFFERS = {
    "u0": ("spectral", "u"),
    "stored_mean": ("batch_stats", "mean"),
    "stored_var": ("batch_stats", "var"),
    "running_mean": ("batch_stats", "mean"),  # of the normalisation over several devices
    "running_var": ("batch_stats", "var"),
}
_UNUSED = ("sv0", "accumulation_counter", "num_batches_tracked")


def is_generator(shapes: Shapes) -> bool:
    """Whether these are the tensors of a generator."""
    return "output_layer.2.weight" in shapes


def is_deep(shapes: Shapes) -> bool:
    """Whether the network is one of BigGANdeep.py."""
    return "blocks.0.0.conv4.weight" in shapes


def places(shapes: Shapes) -> dict[str, Place | None]:
    """Where every tensor of a generator or discriminator lives in our variables.

    Raises:
        UserError: a name that these networks do not have.
    """
    return {name: _place(name, shapes) for name in shapes}


def _place(name: str, shapes: Shapes) -> Place | None:
    layer, _, last = name.rpartition(".")
    if last in _UNUSED:
        return None
    try:
        where = tuple(_layer(layer.removesuffix(".bn"), shapes).split("/"))
    except (KeyError, ValueError) as error:
        raise UserError(f"BigGAN-PyTorch's networks have no tensor {name}") from error
    stem = layer == "linear" and is_generator(shapes)
    vector = STEM_VECTOR if stem else FLAT
    if last in _BUFFERS:
        return Place((_BUFFERS[last][0], *where, _BUFFERS[last][1]), vector)
    if last == "gamma":
        return Place(("params", *where, "gamma"), SAME)
    if last != "weight":
        return Place(("params", *where, {"gain": "scale"}.get(last, last)), vector)
    if len(shapes[name]) == 4:
        return Place(("params", *where, "kernel"), CONV)
    if layer in ("shared", "embed") or (".bn" in layer and "shared.weight" not in shapes):
        return Place(("params", *where, "embedding"), SAME)
    return Place(("params", *where, "kernel"), STEM if stem else DENSE)


def _layer(layer: str, shapes: Shapes) -> str:
    """Our path of a layer such as "blocks.3.0.bn1.gain"."""
    if layer == "linear":
        return "stem" if is_generator(shapes) else "output/linear"
    if not layer.startswith("blocks."):
        return _LAYERS[layer]
    _, stage, index, *parts = layer.split(".")
    block = _block(int(stage), int(index), not parts or parts[0] in _ATTENTION, shapes)
    return "/".join([block, *(_SUBLAYERS.get(part, part.replace("bn", "norm")) for part in parts)])


def _block(stage: int, index: int, attention: bool, shapes: Shapes) -> str:
    """The two blocks of a resolution are two stages of a deep generator, and one of a deep discriminator."""
    if not is_deep(shapes):
        return f"attention_{stage}" if attention else f"block_{stage}"
    if is_generator(shapes):
        return f"attention_{stage // 2}" if attention else f"block_{stage}"
    return f"attention_{stage}" if attention else f"block_{2 * stage + index}"


def describe_generator(shapes: Shapes) -> dict[str, Any]:
    """The fields of our config that a generator's tensors tell, such as {"model.G.channels": 96}."""
    deep = is_deep(shapes)
    doublings = _stages(shapes) // (2 if deep else 1)
    resolution = 4 << doublings
    channels = shapes["output_layer.2.weight"][1] // generator_widths(resolution)[-1]
    first = shapes["linear.weight"][1]
    classes, shared = shapes.get("shared.weight", (0, 0))
    rows, condition = shapes.get("blocks.0.0.bn1.gain.weight", (0, 0))  # (width, condition), or (classes, width)
    fields = {"channels": channels, "attention": tuple(8 << i // (2 if deep else 1) for i in _attentive(shapes))}
    if deep:
        fields |= {"dim_z": first - shared, "shared_dim": shared}
    else:
        hierarchical = bool(shared) and condition > shared
        fields |= {
            "dim_z": first * (doublings + 1) if hierarchical else first,
            "shared_dim": shared,
            "hierarchical": hierarchical,
            "shared_embedding": bool(shared),
        }
        classes = classes or rows
    return {
        **{f"model.G.{name}": value for name, value in fields.items()},
        **_spectral("G", shapes),
        "data.resolution": resolution,
        "data.num_classes": classes,
        "data.channels": shapes["output_layer.2.weight"][0],
    }


def describe_discriminator(shapes: Shapes, resolution: int) -> dict[str, Any]:
    """The fields of our config that the tensors of a discriminator of images of a resolution tell."""
    widths, halvings = discriminator_widths(resolution)
    first, inner = shapes["input_conv.weight" if is_deep(shapes) else "blocks.0.0.conv2.weight"][:2]
    after = tuple(dict.fromkeys(resolution >> min(i + 1, halvings) for i in _attentive(shapes)))
    fields = {"channels": first // widths[0], "attention": after}
    if not is_deep(shapes):
        fields |= {"wide": inner == first, "equal_width_shortcut": True}
    return {f"model.D.{name}": value for name, value in fields.items()} | _spectral("D", shapes)


def _stages(shapes: Shapes) -> int:
    return 1 + max((int(name.split(".")[1]) for name in shapes if name.startswith("blocks.")), default=0)


def _attentive(shapes: Shapes) -> list[int]:
    """The stages that self-attention follows."""
    return sorted(int(name.split(".")[1]) for name in shapes if name.endswith(".gamma"))


def _spectral(network: str, shapes: Shapes) -> dict[str, None]:
    """Without the vectors of spectral normalisation there is none; its epsilon no file tells."""
    return {} if any(name.endswith(".u0") for name in shapes) else {f"model.{network}.sn_eps": None}
