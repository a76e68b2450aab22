"""What a compiled program sends between devices: its collectives by kind, with count, bytes and group."""

import dataclasses
from collections import defaultdict

import jax

from gan_jax import hlo, replica_groups
from gan_jax.engine.recipe import Recipe
from gan_jax.engine.schedule import Active
from gan_jax.engine.sharding import path_name
from gan_jax.engine.state import State

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute", "collective-broadcast")


@dataclasses.dataclass(frozen=True)
class Collective:
    """One collective of a program.

    Attributes:
        kind: one of `KINDS`.
        bytes: of the whole array on one device: what is reduced, what was gathered, what is scattered or exchanged.
        group: devices that take part together; of a permutation, a sender and a receiver.
        hosts: on which these are; at most, where groups differ.
        times: how often it runs, loops multiplied out.
    """

    kind: str
    bytes: int
    group: int
    hosts: int
    times: int

    @property
    def passes(self) -> int:
        """How often its bytes go around: an all-reduce scatters sums and gathers them."""
        return 2 if self.kind == "all-reduce" else 1


def find(program: hlo.Program, devices: int, per_host: int) -> list[Collective]:
    """The collectives of a program for so many devices, which are numbered host by host."""
    found = []
    for name, times in program.times.items():
        for instruction in program.computations[name]:
            kind, started = instruction.opcode.removesuffix("-start"), instruction.opcode.endswith("-start")
            if kind in KINDS:
                groups = replica_groups.parse(instruction.attributes, devices)
                group = max(map(len, groups))
                hosts = max(len({device // per_host for device in each}) for each in groups)
                result = instruction.result
                if started and kind != "all-reduce":  # (operand, result, ...)
                    result = hlo.elements(result)[1]
                whole = hlo.size(result) * (group if kind == "reduce-scatter" else 1)
                found.append(Collective(kind, whole, group, hosts, times))
    return found


def by_kind(collectives: list[Collective]) -> dict[str, dict[str, int]]:
    """`{kind: {"count": ..., "bytes": ...}}` of one run."""
    table: dict[str, dict[str, int]] = defaultdict(lambda: {"count": 0, "bytes": 0})
    for collective in collectives:
        table[collective.kind]["count"] += collective.times
        table[collective.kind]["bytes"] += collective.times * collective.bytes
    return dict(table)


def least(recipe: Recipe, active: Active, target: State, microbatches: int, dtype: str) -> dict[str, int]:
    """What data parallelism cannot do without in a step: all-reduces `{"count": ..., "bytes": ...}`.

    The gradients of a phase's players, once for each update; and the mean and variance of every batch normalisation, for
    each microbatch, once forward and, where the network is trained, once backward: as each depends on the one before,
    they cannot be joined. Every phase is taken to run every network that has them once. Gradients of kernels count in
    the `dtype` of the convolutions, as which they come about, all others in float32.
    """
    count = total = 0
    repeats = dict(active)
    for phase in recipe.phases:
        if not (updates := repeats.get(phase.name, 0)):
            continue
        trained = {network for player in phase.players for network in recipe.players[player].networks}
        count, total = (
            count + updates,
            total + updates * sum(_gradients(target.params[network], dtype) for network in trained),
        )
        for network, stats in target.stats.items():
            passes = updates * microbatches * (2 if network in trained else 1)
            moments = stats.get("batch_stats", {})
            layers = sum(path_name(path).endswith("mean") for path, _ in jax.tree.leaves_with_path(moments))
            count, total = count + passes * layers, total + passes * _bytes(moments)
    return {"count": count, "bytes": total}


def _gradients(params, dtype: str) -> int:
    kernel = jax.numpy.dtype(dtype).itemsize
    leaves = jax.tree.leaves_with_path(params)
    return sum(
        leaf.size * (kernel if path_name(path).endswith("kernel") else leaf.dtype.itemsize) for path, leaf in leaves
    )


def _bytes(tree) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
