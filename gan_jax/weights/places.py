"""Where the tensors of a published network live in our variables, and how they are laid out there.

Published PyTorch tensors are (out, in, kh, kw) and (out, in); ours are HWIO and (in, out). A map of a code base gives
every tensor name a `Place`, or None for what we do not keep (designed filters, singular values that nothing reads).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Tree = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Layout:
    """Two ways to lay out one tensor.

    Attributes:
        ours: from the published layout to ours.
        theirs: from ours to the published one, up to a reshape.
    """

    ours: Callable[[np.ndarray], np.ndarray]
    theirs: Callable[[np.ndarray], np.ndarray]


SAME = Layout(lambda t: t, lambda t: t)
FLAT = Layout(lambda t: t.reshape(-1), lambda t: t)
DENSE = Layout(lambda t: t.T, lambda t: t.T)
CONV = Layout(lambda t: t.transpose(2, 3, 1, 0), lambda t: t.transpose(3, 2, 0, 1))
# The kernel of a transposed convolution, which ours applies as a correlation.
FLIPPED_CONV = Layout(lambda t: t.transpose(2, 3, 1, 0)[::-1, ::-1], lambda t: t[::-1, ::-1].transpose(3, 2, 0, 1))
CHANNELS_LAST = Layout(lambda t: t.transpose(1, 2, 0), lambda t: t.transpose(2, 0, 1))


@dataclasses.dataclass(frozen=True)
class Place:
    """A path in our variables, collection first, such as ("params", "b4", "conv", "kernel"); and the layout."""

    path: tuple[str, ...]
    layout: Layout = SAME


def to_variables(tensors: Mapping[str, np.ndarray], places: Mapping[str, Place | None]) -> Tree:
    """`{collection: tree}` of the tensors that have a place."""
    variables: Tree = {}
    for name, tensor in tensors.items():
        if (place := places[name]) is not None:
            node = variables
            for key in place.path[:-1]:
                node = node.setdefault(key, {})
            node[place.path[-1]] = place.layout.ours(np.asarray(tensor))
    return variables


def from_variables(
    variables: Tree, places: Mapping[str, Place | None], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """The tensors that `variables` (all or some collections) hold, under their published names, in these shapes."""
    tensors = {}
    for name, place in places.items():
        if place is not None and place.path[0] in variables:
            value: Any = variables
            for key in place.path:
                value = value[key]
            tensors[name] = np.asarray(place.layout.theirs(np.asarray(value))).reshape(shapes[name])
    return tensors
