"""The device mesh, where each part of the state lives, and host batches as global arrays.

The config's `mesh` section has `axes` (names; "data" must be among them), `shape` (one size each; -1 takes what
is left) and `rules`: `((regex, spec), ...)` on state paths such as "params/G/block_0/conv1/kernel" or
"opt/generator/...". The first rule that matches counts; what none matches is replicated. A spec is a tuple of axis
names and None, one per dimension, or "largest": the largest dimension that the data axis divides.
`rules=((".*", "largest"),)` shards parameters, optimiser state and averages over the mesh (ZeRO).
"""

import re
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from gan_jax.errors import ConfigError

Tree = Any
Rules = tuple[tuple[str, Any], ...]
STACKED = PartitionSpec(None, None, "data")


def make_mesh(section, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """The mesh of the config, over all devices, or over those given.

    Axes are of type Auto: the Explicit type rejects class-embedding gathers and minibatch-statistics reshapes.

    Raises:
        ConfigError: the shape does not fit the number of devices, or there is no data axis.
    """
    devices = jax.devices() if devices is None else list(devices)
    axes, shape = tuple(section.axes), list(section.shape)
    sensible = all(type(size) is int and (size > 0 or size == -1) for size in shape) and shape.count(-1) <= 1
    if "data" not in axes or len(axes) != len(shape) or not sensible:
        raise ConfigError(
            f'config.mesh has axes {axes} and shape {tuple(shape)}: expected as many sizes as axes, one axis "data", '
            "positive sizes, and -1 at most once"
        )
    if -1 in shape:
        rest = int(np.prod([size for size in shape if size != -1]))
        shape[shape.index(-1)] = len(devices) // rest
    if int(np.prod(shape)) != len(devices):
        raise ConfigError(
            f"config.mesh.shape is {tuple(section.shape)}, which does not fit {len(devices)} devices: "
            "the product of the sizes must be the number of devices"
        )
    return jax.make_mesh(tuple(shape), axes, axis_types=(AxisType.Auto,) * len(axes), devices=devices)


def data_mesh(devices: int) -> Mesh:
    """The first so many devices along the data axis, whatever the config says: for checks and counts."""
    return jax.make_mesh((devices,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices])


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
            size = mesh.shape["data"]
            fitting = [axis for axis, length in enumerate(shape) if length >= size and length % size == 0]
            if not fitting or size == 1:
                return PartitionSpec()
            largest = max(fitting, key=lambda axis: shape[axis])
            return PartitionSpec(*(["data" if axis == largest else None for axis in range(len(shape))]))
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


def put(batch: Tree, mesh: Mesh) -> Tree:
    """This process's slices of a batch [repeat, microbatch, batch, ...] as global arrays split over the data axis."""
    sharding = NamedSharding(mesh, STACKED)
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(sharding, x), batch)


def spread(array: np.ndarray, target: NamedSharding) -> jax.Array:
    """A host array that every process has, as a global array in the given sharding."""
    if jax.process_count() == 1:
        return jax.device_put(array, target)
    return jax.make_array_from_callback(array.shape, target, lambda index: array[index])


def fetch(array: jax.Array) -> np.ndarray:
    """A global array on the host of every process; all of them must ask for it."""
    return np.asarray(array if array.is_fully_addressable else multihost_utils.process_allgather(array, tiled=True))


def check_batch(batch: int, microbatches: int, mesh: Mesh) -> None:
    """Raises ConfigError unless a batch divides into microbatches, and those over the devices."""
    devices = mesh.shape["data"]
    if batch % microbatches:
        raise ConfigError(
            f"config.train.batch_size is {batch}, which config.train.microbatches = {microbatches} does not divide"
        )
    if batch // microbatches % devices:
        raise ConfigError(
            f"config.train.batch_size is {batch} in {microbatches} microbatches of {batch // microbatches} images, "
            f"which {devices} devices along the data axis do not divide: change the batch size or config.mesh.shape"
        )
