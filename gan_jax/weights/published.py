"""What a file of published weights holds, in our terms: the config it fits, and its networks."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from etils import epath
from flax import traverse_util

from gan_jax.errors import UserError
from gan_jax.weights.places import Place

Tree = Any


@dataclasses.dataclass(frozen=True)
class Tensors:
    """The tensors of one network under their published names, and where they live with us (None: not kept)."""

    values: Mapping[str, np.ndarray]
    places: Mapping[str, Place | None]


@dataclasses.dataclass(frozen=True)
class Published:
    """Weights as they were read, before there is a network for them.

    Attributes:
        config: the shipped config to begin with, as for `--config`, or the values of a whole one.
        fields: fields of it that the file tells, such as {"model.G.channels": 96}.
        networks: by our names, such as "G" and "D"; those that the file lacks are left out.
        averaged: moving averages of networks.
        notes: sentences on what the file does not tell, or what became of it.
        licence: what is known of the terms of such weights, on one line.
        notice: a licence notice that came with the file, to be passed on as it is.
        files: all that was read.
    """

    config: str | Mapping[str, Any]
    fields: Mapping[str, Any]
    networks: Mapping[str, Tensors]
    averaged: Mapping[str, Tensors]
    notes: tuple[str, ...] = ()
    licence: str = ""
    notice: str = ""
    files: tuple[epath.Path, ...] = ()


# The data are for whoever trains on to name. Pictures are those of the published code: its statistics, full precision.
AS_PUBLISHED = {"data.source": "", "evaluate.standing": 0, "precision.compute": "float32"}
MISSING = {
    "G": ": the generator begins as its average",
    "D": ": the discriminator begins untrained",
    "G_ema": ": the average begins as the generator",
}


@contextlib.contextmanager
def described(path: epath.Path) -> Iterator[None]:
    """A block that looks for tensors and fields of a format.

    Raises:
        UserError: instead of what a missing or strange one raises; with the path in front.
    """
    try:
        yield
    except UserError as error:
        raise type(error)(f"{path}: {error}") from error
    except KeyError as error:
        raise UserError(f"{path} is not of this format: it lacks {error}") from error
    except (IndexError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{path} is not of this format: {type(error).__name__}: {error}") from error


def shapes_of(values: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """The shapes by which a format tells its networks."""
    return {name: tensor.shape for name, tensor in values.items()}


def with_places(values: Mapping[str, np.ndarray], places: Callable[[Any], Mapping[str, Place | None]]) -> Tensors:
    """A network's tensors with their places, by the map of a format."""
    return Tensors(values, places(shapes_of(values)))


def current(parts: Mapping[str, Tensors]) -> dict[str, Tensors]:
    """Of the parts G, D and G_ema those that train: G, or if there is none its average, and D where there is one."""
    return {"G": parts.get("G", parts.get("G_ema"))} | ({"D": parts["D"]} if "D" in parts else {})


def fitted(network: str, tensors: Tensors, expected: Tree) -> Tree:
    """The variables of a network, every one of them from a tensor.

    Args:
        network: its name, for errors.
        expected: `{collection: tree}` of arrays or shapes that the variables must match.

    Raises:
        UserError: a tensor is missing, has another shape than the network wants, or is none of the network's.
    """
    wanted = traverse_util.flatten_dict(expected)
    found = {}
    for name, tensor in tensors.values.items():
        if (place := tensors.places[name]) is None:
            continue
        if place.path not in wanted:
            raise UserError(f"{network} has a tensor {name}, which the network that the file describes does not have")
        target = wanted[place.path]
        try:
            value = place.layout.ours(np.asarray(tensor))
        except ValueError:  # axes that it does not have
            value = tensor
        if value.shape != target.shape:
            raise UserError(
                f"{network} has {name} of shape {tuple(tensor.shape)}, which does not fit {'/'.join(place.path)} of shape "
                f"{tuple(target.shape)} in the network that the file describes"
            )
        found[place.path] = value.astype(target.dtype)
    if missing := sorted("/".join(path) for path in wanted.keys() - found.keys()):
        raise UserError(f"{network} lacks {missing[0]}: {len(missing)} of {len(wanted)} arrays are not in the file")
    return traverse_util.unflatten_dict(found)
