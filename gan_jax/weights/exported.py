"""Our own files: NAME.safetensors with every array of the networks, and NAME.json with the config they belong to.

An array is called NETWORK/COLLECTION/PATH, with "ema/" in front in a moving average: "G/params/stem/kernel",
"ema/G/batch_stats/output/norm/mean".
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath
from flax import traverse_util

from gan_jax.errors import UserError
from gan_jax.weights import tensors, torch_file
from gan_jax.weights.places import Place
from gan_jax.weights.published import Published, Tensors

FORMAT = 1
_AVERAGE = "ema/"


def pack(
    config: Mapping[str, Any], networks: Mapping[str, Any], averaged: Mapping[str, Any], notice: str
) -> tuple[bytes, dict[str, Any]]:
    """The contents of both files: of the .safetensors, and the values of the .json."""
    arrays = {"/".join(path): value for path, value in traverse_util.flatten_dict(dict(networks)).items()}
    for path, value in traverse_util.flatten_dict(dict(averaged)).items():
        arrays[_AVERAGE + "/".join(path)] = value
    content = tensors.to_safetensors({name: np.asarray(value) for name, value in arrays.items()})
    return content, {"format": FORMAT, "config": dict(config), "notice": notice}


def read(path: epath.Path) -> Published:
    """What `pack` packed.

    Raises:
        UserError: one of the two files cannot be read or is none of ours.
    """
    description = path.with_suffix(".json")
    with torch_file.reading(description):
        about = json.loads(description.read_text())
        number, config, notice = about["format"], about["config"], about["notice"]
    if number > FORMAT:
        raise UserError(
            f"{description} has format {number}: expected up to {FORMAT}; install a newer version of gan_jax"
        )
    networks: dict[str, Tensors] = {}
    averaged: dict[str, Tensors] = {}
    for name, array in tensors.read(path).items():
        network, *inside = name.removeprefix(_AVERAGE).split("/")
        group = averaged if name.startswith(_AVERAGE) else networks
        part = group.setdefault(network, Tensors({}, {}))
        part.values[name], part.places[name] = array, Place(tuple(inside))
    return Published(_with_tuples(config), {}, networks, averaged, notice=notice, files=(path, description))


def _with_tuples(value: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    if isinstance(value, dict):
        return {key: _with_tuples(inner) for key, inner in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
