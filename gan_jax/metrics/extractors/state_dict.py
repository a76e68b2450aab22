"""What a file of weights must hold before it becomes the variables of an extractor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.errors import UserError
from gan_jax.weights.places import Place, to_variables

Tree = dict[str, Any]


def variables(
    path: Path,
    tensors: Mapping[str, np.ndarray],
    places: Mapping[str, Place | None],
    expected: Mapping[tuple[str, ...], tuple[int, ...]],
) -> Tree:
    """`{collection: tree}` of all tensors of a file, where these are exactly those that a network has.

    Args:
        path: of the file, for errors.
        tensors: what it holds, by name; PyTorch's counters of batches do not matter.
        places: of every tensor that the file must hold; None for what we do not keep.
        expected: the shape of every one of our variables.

    Raises:
        UserError: a tensor is missing, is none of the network's, or has another shape.
    """
    found = {name: tensor for name, tensor in tensors.items() if not name.endswith(".num_batches_tracked")}
    if missing := sorted(places.keys() - found.keys()):
        raise UserError(f"{path} lacks {missing[0]}: {len(missing)} of {len(places)} tensors are not in the file")
    if strange := sorted(found.keys() - places.keys()):
        raise UserError(f"{path} holds {strange[0]}, which this network does not have: it is the file of another one")
    for name, place in places.items():
        if place is None:
            continue
        shape = place.layout.theirs(np.broadcast_to(0, expected[place.path])).shape
        if found[name].shape != shape:
            raise UserError(f"{path} holds {name} of shape {found[name].shape}, expected {shape}")
    return to_variables(found, places)
