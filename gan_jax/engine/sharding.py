"""The device mesh, where each part of the state lives, and host batches as global arrays.

The config's `mesh` section has `axes`, `shape` (one size each; -1 takes what is left) and `rules`. The axes:

    data    the images of a batch are split over it
    shard   so they are over this one; and the state is too, where a rule says "largest"
    space   the rows of every image are split over it, for images too large for one device

`rules` are `((regex, spec), ...)` on state paths such as "params/G/block_0/conv1/kernel" or "opt/generator/...". The first
rule that matches counts; what none matches is whole on every device. A spec is a tuple of axis names and None, one per
dimension, or "largest": the largest dimension that the axis "shard" divides, or "data" where there is no "shard". So
`rules=((".*", "largest"),)` splits parameters, optimiser state and averages (ZeRO, arXiv 1910.02054): over all devices
on a mesh ("data",), over groups of 8 with a copy in each group on ("data", "shard") of shape (-1, 8).
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from gan_jax.errors import ConfigError

Tree = Any
Rules = tuple[tuple[str, Any], ...]
AXES = ("data", "shard", "space")


def make_mesh(section, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """The mesh of the config, over all devices, or over those given.

    Axes are of type Auto: the Explicit type rejects class-embedding gathers and minibatch-statistics reshapes.

    Raises:
        ConfigError: the axes are none of `AXES`, or the shape does not fit the number of devices.
    """
    devices = jax.devices() if devices is None else list(devices)
    found = sizes(section, len(devices))
    return jax.make_mesh(tuple(found.values()), tuple(found), axis_types=(AxisType.Auto,) * len(found), devices=devices)


def sizes(section, devices: int) -> dict[str, int]:
    """How long each axis of the config's mesh is on so many devices.

    Raises:
        ConfigError: as `make_mesh`.
    """
    axes, shape = tuple(section.axes), list(section.shape)
    sensible = all(type(size) is int and (size > 0 or size == -1) for size in shape) and shape.count(-1) <= 1
    known = "data" in axes and set(axes) <= set(AXES) and len(set(axes)) == len(axes)
    if not known or len(axes) != len(shape) or not sensible:
        raise ConfigError(
            f'config.mesh has axes {axes} and shape {tuple(shape)}: expected "data" and maybe "shard" and "space", as many '
            "positive sizes, and -1 at most once"
        )
    if -1 in shape:
        rest = int(np.prod([size for size in shape if size != -1]))
        shape[shape.index(-1)] = devices // rest
    if int(np.prod(shape)) != devices:
        raise ConfigError(
            f"config.mesh.shape is {tuple(section.shape)}, which does not fit {devices} devices: "
            "the product of the sizes must be the number of devices"
        )
    return dict(zip(axes, shape, strict=True))


def data_mesh(devices: int) -> Mesh:
    """The first so many devices along the data axis, whatever the config says: for checks and counts."""
    return jax.make_mesh((devices,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices])


def batch_axes(mesh: Mesh) -> tuple[str, ...]:
    """The axes that a batch is split over; on a mesh of seeds (`engine.seeds`) each has batches of its own."""
    return tuple(name for name in mesh.axis_names if name not in ("space", "seed"))


def batch_parts(sizes: Mapping[str, int]) -> int:
    """Into how many parts a batch is split on a mesh whose axes are so long."""
    return math.prod(size for name, size in sizes.items() if name != "space")


def share(mesh: Mesh) -> tuple[int, int]:
    """(index, count) of the part of every batch that this process reads.

    Processes whose devices hold rows of the same images read the same part, and each hands its rows to its devices.

    Raises:
        ConfigError: the devices of two processes hold some images in common and others not.
    """
    lengths = [1 if name == "space" else mesh.shape[name] for name in mesh.axis_names]
    parts = np.broadcast_to(np.arange(batch_parts(mesh.shape)).reshape(lengths), mesh.devices.shape)
    held: dict[int, set[int]] = {}
    for device, part in zip(mesh.devices.flat, parts.flat, strict=True):
        held.setdefault(device.process_index, set()).add(int(part))
    shares = sorted({tuple(sorted(parts)) for parts in held.values()})
    if sum(map(len, shares)) != batch_parts(mesh.shape) or len(set(map(len, shares))) > 1:
        raise ConfigError(
            f"config.mesh.shape is {tuple(mesh.shape.values())} for the axes {mesh.axis_names}, which splits images between "
            f"{len(held)} processes unevenly: the size of the axis space and the devices of a process must divide each other"
        )
    return shares.index(tuple(sorted(held[jax.process_index()]))), len(shares)


def _check_rules(rules: Rules, mesh: Mesh) -> None:
    for rule in rules:
        try:
            pattern, spec = rule
            re.compile(pattern)
            named = () if spec == "largest" else [name for axis in spec if axis for name in np.atleast_1d(axis)]
            usable = set(named) <= set(mesh.axis_names)
        except (TypeError, ValueError, re.error):
            usable = False
        if not usable:
            raise ConfigError(
                f'config.mesh.rules holds {rule!r}: expected (regex, "largest"), or (regex, spec) with one of the axes '
                f"{mesh.axis_names} or None for each dimension"
            )


def _spec(path: str, shape: tuple[int, ...], rules: Rules, mesh: Mesh) -> PartitionSpec:
    for pattern, spec in rules:
        if not re.fullmatch(pattern, path):
            continue
        if spec == "largest":
            name = "shard" if "shard" in mesh.axis_names else "data"
            size = mesh.shape[name]
            fitting = [axis for axis, length in enumerate(shape) if length >= size and length % size == 0]
            if not fitting or size == 1:
                return PartitionSpec()
            largest = max(fitting, key=lambda axis: shape[axis])
            return PartitionSpec(*(name if axis == largest else None for axis in range(len(shape))))
        if len(spec) > len(shape):
            raise ConfigError(f"mesh rule {pattern!r}: {spec} has more entries than {path} of shape {shape}")
        for length, axis in zip(shape, spec, strict=False):
            parts = int(np.prod([mesh.shape[name] for name in np.atleast_1d(axis)])) if axis else 1
            if length % parts:
                raise ConfigError(
                    f"mesh rule {pattern!r}: {path} has shape {shape}, and {length} is not divisible by {parts} "
                    f"devices along {axis!r}"
                )
        return PartitionSpec(*spec)
    return PartitionSpec()


def path_name(path: tuple) -> str:
    """A tree path as text: "params/G/block_0/conv1/kernel"."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def by_rules(tree: Tree, rules: Rules, mesh: Mesh) -> Tree:
    """NamedSharding of every leaf of a tree of arrays or shapes.

    Raises:
        ConfigError: a rule is none, or does not fit a leaf.
    """
    _check_rules(rules, mesh)
    return jax.tree.map_with_path(
        lambda path, leaf: NamedSharding(mesh, _spec(path_name(path), leaf.shape, rules, mesh)), tree
    )


def replicate(tree: Tree, mesh: Mesh) -> Tree:
    """Constrains every leaf to be whole on every device: gathers sharded parameters where they are used."""
    return jax.lax.with_sharding_constraint(tree, NamedSharding(mesh, PartitionSpec()))


def split(x: Tree, mesh: Mesh) -> Tree:
    """Constrains arrays born inside a step to be split over the mesh: the first axis, and images [n, h, w, c] by rows too."""

    def one(array: jax.Array) -> jax.Array:
        rows = _rows(array.shape, mesh)
        return jax.lax.with_sharding_constraint(array, NamedSharding(mesh, PartitionSpec(batch_axes(mesh), *rows)))

    return jax.tree.map(one, x)


def _rows(shape: tuple[int, ...], mesh: Mesh) -> tuple[str, ...]:
    """The axis for the second dimension of images [n, h, w, c]: none where they have too few rows, or are none."""
    fits = "space" in mesh.axis_names and len(shape) == 4 and shape[1] % mesh.shape["space"] == 0
    return ("space",) if fits else ()


def stacked(shape: tuple[int, ...], mesh: Mesh) -> NamedSharding:
    """Of a leaf of a batch, [repeat, microbatch, batch, ...]."""
    return NamedSharding(mesh, PartitionSpec(None, None, batch_axes(mesh), *_rows(shape[2:], mesh)))


def put(batch: Tree, mesh: Mesh) -> Tree:
    """This process's part of a batch [repeat, microbatch, batch, ...] as global arrays, split over the mesh."""
    _, shares = share(mesh)

    def one(x: np.ndarray) -> jax.Array:
        shape = (*x.shape[:2], x.shape[2] * shares, *x.shape[3:])
        return jax.make_array_from_process_local_data(stacked(shape, mesh), x, shape)

    return jax.tree.map(one, batch)


def spread(array: np.ndarray, target: jax.sharding.Sharding) -> jax.Array:
    """A host array that every process has, as a global array in the given sharding."""
    if jax.process_count() == 1:
        return jax.device_put(array, target)
    return jax.make_array_from_callback(array.shape, target, lambda index: array[index])


def fetch(array: jax.Array) -> np.ndarray:
    """A global array on the host of every process; all of them must ask for it."""
    return np.asarray(array if array.is_fully_addressable else multihost_utils.process_allgather(array, tiled=True))


def check_batch(batch: int, microbatches: int, mesh: Mesh) -> None:
    """Raises ConfigError unless a batch divides into microbatches, and those over the devices."""
    parts = batch_parts(mesh.shape)
    if batch % microbatches:
        raise ConfigError(
            f"config.train.batch_size is {batch}, which config.train.microbatches = {microbatches} does not divide"
        )
    if batch // microbatches % parts:
        raise ConfigError(
            f"config.train.batch_size is {batch} in {microbatches} microbatches of {batch // microbatches} images, which "
            f"do not divide over {parts} devices ({', '.join(batch_axes(mesh))}): change the batch size or config.mesh.shape"
        )
