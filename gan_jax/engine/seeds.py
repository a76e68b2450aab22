"""Several seeds of one recipe at once, each whole on a device of its own: one program, and nothing is sent.

`shard_map` over a mesh axis "seed" runs the step of a single device on every device, with states and batches stacked in
front. Every seed's numbers are those of its run alone, bit for bit. (`vmap` would make grouped convolutions of the plain
ones, which no device keeps to itself, and equals single runs to rounding only.)
"""

from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from gan_jax.engine import state
from gan_jax.engine.recipe import Recipe
from gan_jax.engine.schedule import Active
from gan_jax.engine.state import State
from gan_jax.engine.step import Metrics, make_step
from gan_jax.errors import ConfigError

Tree = Any
_STACKED = PartitionSpec("seed")


def make_mesh(seeds: int, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """The first so many devices, one for each seed.

    Raises:
        ConfigError: there are fewer devices.
    """
    devices = jax.devices() if devices is None else devices
    if len(devices) < seeds:
        raise ConfigError(f"{seeds} seeds at once were asked for on {len(devices)} devices: expected a device for each")
    return jax.make_mesh((seeds,), ("seed",), axis_types=(AxisType.Auto,), devices=list(devices[:seeds]))


def stack(trees: Sequence[Tree], mesh: Mesh) -> Tree:
    """Trees of arrays, one for each seed, as one tree of arrays [seed, ...], each seed's on its device."""
    spread = NamedSharding(mesh, _STACKED)

    def one(*leaves: jax.Array) -> jax.Array:
        placed = [jax.device_put(leaf, device)[None] for leaf, device in zip(leaves, mesh.devices, strict=True)]
        return jax.make_array_from_single_device_arrays((len(leaves), *leaves[0].shape), spread, placed)

    return jax.tree.map(one, *trees)


def unstack(tree: Tree) -> list[Tree]:
    """The trees that `stack` was given, each on its device."""
    leaves, structure = jax.tree.flatten(tree)
    shards = [sorted(leaf.addressable_shards, key=lambda shard: shard.index[0].start) for leaf in leaves]
    return [jax.tree.unflatten(structure, [s.data[0] for s in of_seed]) for of_seed in zip(*shards, strict=True)]


def born(recipe: Recipe, seeds: Sequence[int], mesh: Mesh) -> State:
    """Fresh states of the seeds, stacked, made where they stay."""
    make = jax.jit(lambda seed: state.init(recipe, seed))
    numbers = [jax.device_put(jax.numpy.uint32(seed), device) for seed, device in zip(seeds, mesh.devices, strict=True)]
    return stack([make(number) for number in numbers], mesh)


def compile_step(
    recipe: Recipe, stage: int, mesh: Mesh, active: Active, current: Tree, batch: Tree, unroll: bool | None = None
) -> jax.stages.Compiled:
    """Compiles `(states, batches) -> (states, metrics)`, all stacked, as `step.compile_step` does for one.

    Args:
        current, batch: stacked, or their shapes and shardings.
    """
    if unroll is None:
        unroll = mesh.devices.flat[0].platform == "cpu"

    def of_one(state: State, batch: Tree) -> tuple[State, Metrics]:
        inside: Any = jax.sharding.get_abstract_mesh()  # of which "seed" is no longer an axis to split over
        new, metrics = make_step(recipe, stage, inside, active, unroll)(*jax.tree.map(lambda x: x[0], (state, batch)))
        return jax.tree.map(lambda x: x[None], (new, metrics))

    mapped = jax.shard_map(of_one, mesh=mesh, in_specs=_STACKED, out_specs=_STACKED, check_vma=False)
    return jax.jit(mapped, donate_argnums=0, keep_unused=True).lower(current, batch).compile()
